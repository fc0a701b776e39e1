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
  if (Array.isArray(value)) {
    const copy: unknown[] = value.map((item: unknown) => clone(item, made))
    made?.push(copy)
    return copy
  }
  if (value instanceof Date) return new Date(value)
  if (value instanceof Map) return new Map([...value].map(([key, item]) => [clone(key), clone(item)]))
  if (value instanceof Set) return new Set([...value].map((item) => clone(item)))
  if (!isObject(value)) return value
  const copy: Plain = {}
  for (const key of Object.keys(value)) setOwn(copy, key, clone(value[key], made))
  made?.push(copy)
  return copy
}

/** Whether two values would be stored alike. The order of an object's keys is no difference; that of a Map's or Set's is. */
export function same(a: unknown, b: unknown): boolean {
  if (a === b) return true
  if (typeof a !== 'object' || typeof b !== 'object' || a === null || b === null) return Number.isNaN(a) && Number.isNaN(b)
  if (Array.isArray(a)) return Array.isArray(b) && sameLists(a, b)
  if (a instanceof Date) return b instanceof Date && Object.is(a.getTime(), b.getTime())
  if (a instanceof Map) return b instanceof Map && sameLists([...a], [...b])
  if (a instanceof Set) return b instanceof Set && sameLists([...a], [...b])
  return isObject(a) && isObject(b) && sameObjects(a, b)
}

function sameLists(a: readonly unknown[], b: readonly unknown[]): boolean {
  if (a.length !== b.length) return false
  for (let i = 0; i < a.length; i++) if (!same(a[i], b[i])) return false
  return true
}

function sameObjects(a: Plain, b: Plain): boolean {
  const keys = Object.keys(a)
  if (Object.keys(b).length !== keys.length) return false
  for (const key of keys) if (!Object.hasOwn(b, key) || !same(a[key], b[key])) return false
  return true
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
