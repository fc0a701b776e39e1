import { SojournError } from './errors.ts'
import { formatPath, isObject } from './values.ts'

/** How session data becomes text and text becomes session data. Both are for data alone: never for code or classes. */
export interface Codec {
  /** For messages. */
  readonly name: string
  /** @throws ERR_SOJOURN_DATA_UNENCODABLE naming the path of what can't be carried; nothing is ever dropped in silence. */
  encode(value: unknown): string
  /** @throws anything, for text that it did not write. */
  decode(text: string): unknown
}

/** The default: JSON, for plain data. */
export const json: Codec = {
  name: 'JSON',
  encode(value) {
    checkValue(value, describeForJson)
    return JSON.stringify(value)
  },
  decode(text) {
    const value: unknown = JSON.parse(text)
    // Written by another program: encode never lets such a key pass, nor writes a letter of it as an escape.
    if (text.includes('__proto__') || (text.includes('\\u00') && escapedLetter.test(text))) checkValue(value, describeForJson)
    return value
  },
}

/**
 * A copy of plain data, or undefined where there is something that JSON can't carry. It finds what checkValue finds at a fifth of the
 * cost, since it keeps no path to tell of.
 */
export function copyJson(value: unknown, depth = 0): unknown {
  // A cycle has no end, and so is too deep.
  if (typeof value !== 'object' || value === null || depth >= depthAtMost) return undefined
  if (Array.isArray(value)) {
    const copy: unknown[] = value.slice()
    for (let i = 0; i < copy.length; i++) {
      if (!isLeaf(copy[i]) && (copy[i] = copyJson(copy[i], depth + 1)) === undefined) return undefined
    }
    return copy
  }
  if (!isObject(value) || Object.getOwnPropertySymbols(value).length > 0) return undefined
  const copy = { ...value }
  for (const key in copy) {
    if (key === '__proto__') return undefined
    if (isLeaf(copy[key])) continue
    const item = Object.hasOwn(copy, key) ? copyJson(copy[key], depth + 1) : undefined
    if (item === undefined) return undefined
    copy[key] = item
  }
  return copy
}

// _, p, r, o, t
const escapedLetter = /\\u00(?:5f|6f|7[024])/i

function isLeaf(value: unknown): boolean {
  return typeof value === 'string' || typeof value === 'boolean' || value === null || Number.isFinite(value)
}

function describeForJson(value: unknown): string | null {
  switch (typeof value) {
    case 'string':
    case 'boolean':
      return null
    case 'number':
      return Number.isFinite(value) ? null : `${value}`
    case 'object':
      return value === null || Array.isArray(value) || isObject(value) ? null : describeObject(value)
    case 'undefined':
      return 'undefined'
    default:
      return `a ${typeof value}`
  }
}

export function describeObject(value: object): string {
  const name: unknown = value.constructor?.name
  return typeof name === 'string' && name !== '' ? `a ${name}` : 'an object of a class'
}

const depthAtMost = 500
const richer = /^(?:undefined|NaN|-?Infinity|a (?:Date|Map|Set|bigint))$/

/**
 * Walks a value before it is encoded.
 *
 * @param describe what is wrong with a single value, in words, or null
 * @throws ERR_SOJOURN_DATA_UNENCODABLE
 */
export function checkValue(value: unknown, describe: (value: unknown) => string | null): void {
  const path: (string | number)[] = []
  const above: unknown[] = []
  const refuse = (what: string): never => {
    throw new SojournError(
      'ERR_SOJOURN_DATA_UNENCODABLE',
      `Session data can't be stored: ${formatPath(['data', ...path])} is ${what}. ` +
        `Delete it or store a plain value${richer.test(what) ? ', or use `codec: rich()` of sojourn/codecs/rich' : ''}.`,
    )
  }
  const visit = (item: unknown): void => {
    const wrong = describe(item)
    if (wrong !== null) refuse(wrong)
    if (typeof item !== 'object' || item === null || item instanceof Date) return
    if (above.includes(item)) refuse('a cycle: it contains itself')
    if (above.length >= depthAtMost) refuse(`nested more than ${depthAtMost} deep`)
    above.push(item)
    if (Array.isArray(item)) visitList(item)
    else if (item instanceof Map) visitList([...item.entries()].flat())
    else if (item instanceof Set) visitList([...item])
    else visitObject(item as Record<string, unknown>)
    above.pop()
  }
  const visitList = (list: readonly unknown[]): void => {
    for (let i = 0; i < list.length; i++) {
      path.push(i)
      if (!(i in list)) refuse('a hole in a list')
      visit(list[i])
      path.pop()
    }
  }
  const visitObject = (object: Record<string, unknown>): void => {
    for (const key of Object.keys(object)) {
      path.push(key)
      if (key === '__proto__') refuse('under a key that would change an object instead of describing it')
      visit(object[key])
      path.pop()
    }
    const symbols = Object.getOwnPropertySymbols(object)
    if (symbols.length > 0) {
      path.push(String(symbols[0]))
      refuse('under a symbol, which is no text')
    }
  }
  visit(value)
}
