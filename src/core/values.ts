/**
 * Session data is made of plain values: null, booleans, numbers, strings, lists and objects; with the rich codec also
 * undefined, bigints, Dates, Maps and Sets. These functions know all of them and nothing else.
 */
export type Plain = Record<string, unknown>

export function isObject(value: unknown): value is Plain {
  if (typeof value !== 'object' || value === null) return false
  const prototype: unknown = Object.getPrototypeOf(value)
  return prototype === Object.prototype || prototype === null
}

/** Sets a property as data. Assigned plainly, `__proto__` would change the object, or all objects, instead of describing it. */
export function setOwn(object: Plain, key: string, value: unknown): void {
  if (key === '__proto__') Object.defineProperty(object, key, { value, writable: true, enumerable: true, configurable: true })
  else object[key] = value
}

/**
 * A copy that shares nothing with the original.
 *
 * @param made gathers the lists and objects of the copy, for who must know later which are its own
 */
export function clone<T>(value: T, made?: object[]): T
export function clone(value: unknown, made?: object[]): unknown {
  if (typeof value !== 'object' || value === null) return value
  const copy = shallow(value)
  if (copy === null) return cloneOther(value)
  made?.push(copy)
  if (Array.isArray(copy)) {
    for (let i = 0; i < copy.length; i++) if (typeof copy[i] === 'object') copy[i] = clone(copy[i], made)
  } else {
    // Each key was made by the spread: none is set that was not there, `__proto__` neither.
    for (const key in copy) if (typeof copy[key] === 'object' && Object.hasOwn(copy, key)) setOwn(copy, key, clone(copy[key], made))
  }
  return copy
}

/** Of a list or a plain object: V8 copies these as a whole, with their shape, in a fifth of the time that a loop over the keys takes. */
function shallow(value: object): unknown[] | Plain | null {
  if (Array.isArray(value)) return (value as unknown[]).slice() // A spread would fill holes.
  return isObject(value) ? { ...value } : null
}

function cloneOther(value: object): object {
  if (value instanceof Date) return new Date(value)
  if (value instanceof Map) return new Map([...value].map(([key, item]) => [clone(key), clone(item)]))
  if (value instanceof Set) return new Set([...value].map((item) => clone(item)))
  return value
}

/** Whether two values would be stored alike. The order of an object's keys is no difference; that of a Map's or Set's is. */
export function same(a: unknown, b: unknown): boolean {
  if (a === b) return true
  if (typeof a !== 'object' || typeof b !== 'object' || a === null || b === null) return Number.isNaN(a) && Number.isNaN(b)
  if (Array.isArray(a)) return Array.isArray(b) && sameLists(a, b)
  if (isObject(a)) return isObject(b) && sameObjects(a, b)
  if (a instanceof Date) return b instanceof Date && Object.is(a.getTime(), b.getTime())
  if (a instanceof Map) return b instanceof Map && sameLists([...a], [...b])
  return a instanceof Set && b instanceof Set && sameLists([...a], [...b])
}

function sameLists(a: readonly unknown[], b: readonly unknown[]): boolean {
  if (a.length !== b.length) return false
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i] && !same(a[i], b[i])) return false
  return true
}

/** By `for in`, which makes no list of the keys; of two plain objects it meets the same inherited ones, if any. */
function sameObjects(a: Plain, b: Plain): boolean {
  let more = 0
  for (const key in a) {
    const value = a[key]
    // `undefined` is what a key that is not there seems to hold, too.
    if (value === undefined ? b[key] !== undefined || !Object.hasOwn(b, key) : value !== b[key] && !same(value, b[key])) return false
    more++
  }
  for (const _ in b) more--
  return more === 0
}

/** A path as a person writes it: `cart[0].qty`. */
export function formatPath(path: readonly (string | number)[]): string {
  let text = ''
  for (const step of path) {
    if (typeof step === 'number') text += `[${step}]`
    else if (/^[A-Za-z_$][\w$]*$/.test(step)) text += text === '' ? step : `.${step}`
    else text += `[${JSON.stringify(step)}]`
  }
  return text
}
