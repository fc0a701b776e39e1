import { isDeepStrictEqual } from 'node:util'

/**
 * What the merge must give, told another way than the merge does it: each side is reduced to a set of edits by path, the edits
 * of both are set against each other, and what is left is done to a copy of the base, theirs first. Lists are leaves, which
 * can be set or appended to. An absent value is undefined here, which no document of these tests holds.
 */
export interface Expected {
  readonly value: unknown
  /** Paths, sorted. */
  readonly collisions: readonly string[]
}

export type Decide = (path: string, base: unknown, theirs: unknown, mine: unknown) => unknown

type Path = readonly string[]

interface Edit {
  readonly path: Path
  readonly kind: 'set' | 'remove' | 'append' | 'make'
  /** For `set` the value, for `append` the tail. */
  readonly value?: unknown
  /** Nothing was there before. */
  readonly fresh?: boolean
}

interface Documents {
  readonly base: unknown
  readonly theirs: unknown
  readonly mine: unknown
}

export function expectedMerge(documents: Documents, decide: Decide = (_path, _base, _theirs, mine) => mine): Expected {
  // One level more, so that the whole document is an edit's place like any other.
  const root: Documents = { base: { '': documents.base }, theirs: { '': documents.theirs }, mine: { '': documents.mine } }
  const [theirs, mine] = startAlike(editsOf(root.base, root.theirs, []), editsOf(root.base, root.mine, []))
  const collided = collisionsOf(theirs, mine)
  const left = (edit: Edit): boolean => !collided.some((path) => isWithin(edit.path, path))

  const result = structuredClone(root.base)
  for (const edit of [...theirs, ...mine].filter(left)) apply(result, edit)
  for (const path of collided) {
    const value = decide(pathText(path), at(root.base, path), at(root.theirs, path), at(root.mine, path))
    apply(result, value === undefined ? { path, kind: 'remove' } : { path, kind: 'set', value })
  }
  return { value: at(result, ['']), collisions: collided.map(pathText).toSorted() }
}

/** What one side did. */
function editsOf(before: unknown, after: unknown, path: Path): Edit[] {
  if (isDeepStrictEqual(before, after)) return []
  if (after === undefined) return [{ path, kind: 'remove' }]
  if (before === undefined) return [{ path, kind: 'set', value: after, fresh: true }]
  if (isDictionary(before) && isDictionary(after)) {
    const keys = new Set([...Object.keys(before), ...Object.keys(after)])
    return [...keys].flatMap((key) => editsOf(own(before, key), own(after, key), [...path, key]))
  }
  if (Array.isArray(before) && Array.isArray(after) && isDeepStrictEqual(after.slice(0, before.length), before)) {
    return [{ path, kind: 'append', value: after.slice(before.length) }]
  }
  return [{ path, kind: 'set', value: after }]
}

/** Where both sides put a container of one kind in an empty place, each is taken to have filled an empty one. */
function startAlike(theirs: Edit[], mine: Edit[]): [theirs: Edit[], mine: Edit[]] {
  for (const their of theirs) {
    const my = mine.find((edit) => edit.fresh && their.fresh && isDeepStrictEqual(edit.path, their.path))
    if (my === undefined) continue
    const { path } = their
    const bothAre = (test: (value: unknown) => boolean): boolean => test(their.value) && test(my.value)
    const instead = (edit: Edit): Edit[] => {
      if (bothAre(Array.isArray)) return [{ path, kind: 'append', value: edit.value }]
      return [{ path, kind: 'make' }, ...editsOf({}, edit.value, path)]
    }
    if (!bothAre(Array.isArray) && !bothAre(isDictionary)) continue
    const without = (edits: Edit[], one: Edit): Edit[] => edits.filter((edit) => edit !== one)
    return startAlike([...without(theirs, their), ...instead(their)], [...without(mine, my), ...instead(my)])
  }
  return [theirs, mine]
}

/** The upper path of each pair of edits that can't both be done. */
function collisionsOf(theirs: Edit[], mine: Edit[]): Path[] {
  const found = new Map<string, Path>()
  for (const their of theirs) {
    for (const my of mine) {
      if (!isWithin(their.path, my.path) && !isWithin(my.path, their.path)) continue
      if (their.kind === 'make' || my.kind === 'make') continue
      if (their.kind === 'append' && my.kind === 'append') continue
      const path = their.path.length < my.path.length ? their.path : my.path
      found.set(JSON.stringify(path), path)
    }
  }
  return [...found.values()]
}

function apply(root: unknown, { path, kind, value }: Edit): void {
  const holder = at(root, path.slice(0, -1)) as Record<string, unknown>
  const key = path.at(-1)!
  if (kind === 'remove') delete holder[key]
  else if (kind === 'set') holder[key] = structuredClone(value)
  else if (kind === 'make') holder[key] ??= {}
  else holder[key] = [...((holder[key] ?? []) as unknown[]), ...structuredClone(value as unknown[])]
}

function at(root: unknown, path: Path): unknown {
  let value = root
  for (const key of path) value = own(value, key)
  return value
}

function own(value: unknown, key: string): unknown {
  return isDictionary(value) && Object.hasOwn(value, key) ? value[key] : undefined
}

function isWithin(path: Path, upper: Path): boolean {
  return upper.every((key, depth) => path[depth] === key)
}

function isDictionary(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function pathText(path: Path): string {
  const steps = path.slice(1).map((key) => (/^[a-z]+$/.test(key) ? `.${key}` : `["${key}"]`))
  return steps.join('').replace(/^\./, '')
}
