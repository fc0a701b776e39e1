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
export function clone(value: unknown, made: object[] = []): unknown {
  return cloneValue(value, made, !isPolluted())
}

function cloneValue(value: unknown, made: object[], allOwn: boolean): unknown {
  if (typeof value !== 'object' || value === null) return value
  if (Array.isArray(value)) return cloneList(value, made, allOwn)
  return isObject(value) ? cloneObject(value, made, allOwn) : cloneOther(value)
}

function cloneList(list: readonly unknown[], made: object[], allOwn: boolean): unknown[] {
  const copy = list.slice() // A spread would fill holes.
  made.push(copy)
  for (let i = 0; i < copy.length; i++) {
    const item = copy[i]
    if (typeof item === 'object' && item !== null) copy[i] = cloneValue(item, made, allOwn)
  }
  return copy
}

/** By `for in`: once an application's sessions have more than four shapes, a spread takes half as long again. */
function cloneObject(object: Plain, made: object[], allOwn: boolean): Plain {
  const copy: Plain = {}
  made.push(copy)
  for (const key in object) {
    if (!allOwn && !Object.hasOwn(object, key)) continue
    const item = object[key]
    setOwn(copy, key, typeof item === 'object' && item !== null ? cloneValue(item, made, allOwn) : item)
  }
  return copy
}

/** Whether somebody has given all objects a property that `for in` meets. */
function isPolluted(): boolean {
  for (const _ in {}) return true
  return false
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
