import { isDeepStrictEqual } from 'node:util'
import fc from 'fast-check'
import { describe, expect, it, test } from 'vitest'
import { clone, formatPath, isObject, same, setOwn } from '../../src/core/values.ts'
import { plain, richer } from './plain-data.ts'

describe('clone', () => {
  it('gives an equal value that shares nothing with the original', () => {
    fc.assert(
      fc.property(richer, (value) => {
        const copy = clone(value)
        expect(isDeepStrictEqual(copy, value)).toBe(true)
        const shared = containersOf(copy).filter((container) => containersOf(value).includes(container))
        expect(shared).toEqual([])
      }),
      { numRuns: 1000 },
    )
  })

  it('gives objects without a prototype the usual one, and keeps holes', () => {
    const bare = Object.assign(Object.create(null) as object, { a: 1 })
    expect(clone(bare)).toStrictEqual({ a: 1 })
    // oxlint-disable-next-line no-sparse-arrays
    expect(1 in clone([1, , 3])).toBe(false)
  })

  it.each([5, null, { a: 1 }, 'text'])('keeps a key __proto__ that holds %j as data', (value) => {
    const copy = clone(JSON.parse(`{ "__proto__": ${JSON.stringify(value)} }`) as object)
    expect(Object.getPrototypeOf(copy)).toBe(Object.prototype)
    expect(Object.entries(copy)).toEqual([['__proto__', value]])
  })
})

describe('same', () => {
  it('holds for a value and its copy, in both directions', () => {
    fc.assert(fc.property(richer, (value) => same(value, clone(value)) && same(clone(value), value)))
  })

  it('agrees with a deep comparison on plain data', () => {
    fc.assert(
      fc.property(plain, plain, fc.boolean(), (a, b, alike) => {
        const other = alike ? structuredClone(a) : b
        expect(same(a, other)).toBe(isDeepStrictEqual(a, other))
      }),
      { numRuns: 1000 },
    )
  })

  const alike: [what: string, a: unknown, b: unknown][] = [
    ['NaN and NaN', Number.NaN, Number.NaN],
    ['objects whose keys stand in another order', { a: 1, b: 2 }, { b: 2, a: 1 }],
    ['an object with and one without a prototype', { a: 1 }, Object.assign(Object.create(null) as object, { a: 1 })],
    ['Dates of one moment', new Date(5), new Date(5)],
    ['invalid Dates', new Date(Number.NaN), new Date(Number.NaN)],
    ['Maps, deeply', new Map([[{ k: 1 }, [1]]]), new Map([[{ k: 1 }, [1]]])],
    ['Sets, deeply', new Set([[1]]), new Set([[1]])],
  ]
  test.each(alike)('%s are the same', (_what, a, b) => expect([same(a, b), same(b, a)]).toEqual([true, true]))

  const unlike: [what: string, a: unknown, b: unknown][] = [
    ['1 and "1"', 1, '1'],
    ['null and an object', null, {}],
    ['a list and an object with the same entries', ['a'], { 0: 'a' }],
    ['an absent and an undefined property', {}, { a: undefined }],
    ['undefined under one name and another', { a: undefined }, { b: undefined }],
    ['a property and an inherited one', { toString: 1 }, { valueOf: 1 }],
    ['Dates of two moments', new Date(5), new Date(6)],
    ['a Date and its text', new Date(5), new Date(5).toJSON()],
    ['a Map and a Set', new Map(), new Set()],
    ['a Map and an object', new Map(), {}],
    [
      'Maps in another order',
      new Map([
        [1, 1],
        [2, 2],
      ]),
      new Map([
        [2, 2],
        [1, 1],
      ]),
    ],
    ['Sets in another order', new Set([1, 2]), new Set([2, 1])],
    ['lists of other lengths', [1], [1, 2]],
  ]
  test.each(unlike)('%s are not', (_what, a, b) => expect([same(a, b), same(b, a)]).toEqual([false, false]))
})

describe('isObject', () => {
  it('holds for plain objects alone', () => {
    class Point {
      x = 1
    }
    expect([{}, Object.create(null), JSON.parse('{}')].map(isObject)).toEqual([true, true, true])
    expect([null, [], new Date(), new Map(), new Point(), () => {}, 'text', Object.create({})].map(isObject)).not.toContain(true)
  })
})

describe('setOwn', () => {
  it('sets __proto__ as a property that can be listed, written and removed', () => {
    const object: Record<string, unknown> = {}
    setOwn(object, '__proto__', { a: 1 })
    setOwn(object, '__proto__', { b: 1 })
    expect(Object.entries(object)).toEqual([['__proto__', { b: 1 }]])
    expect(delete object['__proto__']).toBe(true)
    expect(object).toStrictEqual({})
  })
})

test.each([
  [[], ''],
  [['cart'], 'cart'],
  [['cart', 0, 'qty'], 'cart[0].qty'],
  [['$a', '_b', 'c9'], '$a._b.c9'],
  [['a b', '9c', ''], '["a b"]["9c"][""]'],
  [[0, 'a"b'], '[0]["a\\"b"]'],
])('the path %j is written %s', (path, text) => expect(formatPath(path)).toBe(text))

/** All objects, lists, Maps, Sets and Dates in a value. */
function containersOf(value: unknown): object[] {
  if (typeof value !== 'object' || value === null) return []
  const children = value instanceof Map ? [...value].flat() : value instanceof Set ? [...value] : Object.values(value)
  return [value, ...children.flatMap(containersOf)]
}
