import type { Content } from './content.ts'
import { type Merged, merge, type MergeRules } from './merge.ts'
import { isObject, type Plain, same, setOwn } from './values.ts'

/** Merges all that a record's data holds: the application's data by the application's rules, our own by ours. */
export function mergeContent<Data>(
  base: Content<Data>,
  theirs: Content<Data>,
  mine: Content<Data>,
  rules: MergeRules,
): { content: Content<Data>; collisions: readonly string[] } {
  const { value, collisions } = merge(base.data, theirs.data, mine.data, rules) as Merged & { value: Data }
  // Each message has a key of its own: one that two requests took is gone, and that is no collision worth telling.
  const flash = merge(base.flash, theirs.flash, mine.flash).value as Content<Data>['flash']
  return { content: { data: value, flash, aside: theirs.aside ?? mine.aside }, collisions }
}

export function sameContent<Data>(a: Content<Data>, b: Content<Data>): boolean {
  return same(a.data, b.data) && same(a.flash, b.flash)
}

/**
 * Makes `target` equal to `source` in place, so that what a request handler took out of `session.data` earlier stays part of it:
 * objects keep their identity by path; a list's equal elements do, the others are replaced.
 *
 * @param isOurs whether a list or object may be changed in place: what the application put in may be a constant of its own, shared
 *   with other visitors, and is replaced instead
 */
export function adopt(target: object, source: object, isOurs: (container: object) => boolean = () => true): void {
  if (Array.isArray(target) && Array.isArray(source)) return adoptList(target, source)
  adoptObject(target as Plain, source as Plain, isOurs)
}

const absent = Symbol('absent')

function adoptObject(target: Plain, source: Plain, isOurs: (container: object) => boolean): void {
  for (const key of Object.keys(target)) if (!Object.hasOwn(source, key)) delete target[key]
  for (const key of Object.keys(source)) {
    const [mine, theirs] = [Object.hasOwn(target, key) ? target[key] : absent, source[key]]
    if (same(mine, theirs)) continue
    if (Array.isArray(mine) && Array.isArray(theirs) && isOurs(mine)) adoptList(mine, theirs)
    else if (isObject(mine) && isObject(theirs) && isOurs(mine)) adoptObject(mine, theirs, isOurs)
    else setOwn(target, key, theirs)
  }
}

function adoptList(target: unknown[], source: readonly unknown[]): void {
  target.length = Math.min(target.length, source.length)
  for (let i = 0; i < source.length; i++) if (i >= target.length || !same(target[i], source[i])) target[i] = source[i]
}
