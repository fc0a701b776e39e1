import { isDeepStrictEqual } from 'node:util'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { adopt } from '../../src/core/adopt.ts'
import { clone, isObject } from '../../src/core/values.ts'
import { threeDocuments } from './edited-documents.ts'
import { richer } from './plain-data.ts'

describe('adopt', () => {
  it('makes the target equal to the source, which stays as it was', () => {
    fc.assert(
      fc.property(threeDocuments, ({ base, theirs }) => {
        const [target, source] = [clone(base) as object, clone(theirs) as object]
        adopt(target, source)
        expect(target).toStrictEqual(theirs)
        expect(source).toStrictEqual(theirs)
      }),
      { numRuns: 1000 },
    )
  })

  it('does so for all that the rich codec carries', () => {
    fc.assert(
      fc.property(fc.dictionary(fc.constantFrom('a', 'b'), richer), fc.dictionary(fc.constantFrom('a', 'b'), richer), (target, source) => {
        const wanted = clone(source)
        adopt(target, source)
        expect(isDeepStrictEqual(clone(target), wanted)).toBe(true)
      }),
      { numRuns: 1000 },
    )
  })

  it('keeps the identity of every object that stands at the same path on both sides', () => {
    fc.assert(
      fc.property(threeDocuments, ({ base, theirs }) => {
        const target = clone(base) as object
        const held = objectsByPath(target)
        adopt(target, clone(theirs) as object)
        for (const [path, object] of objectsByPath(target)) {
          const before = held.get(path)
          if (before !== undefined && Array.isArray(before) === Array.isArray(object)) expect(object).toBe(before)
        }
      }),
      { numRuns: 1000 },
    )
  })

  it('keeps a list, and the elements of it that are equal', () => {
    const target = { cart: [{ sku: 'tea' }, { sku: 'mug' }, { sku: 'tent' }] }
    const { cart } = target
    const [tea, mug] = cart
    adopt(target, { cart: [{ sku: 'tea' }, { sku: 'lamp' }] })
    expect(target.cart).toBe(cart)
    expect(cart).toEqual([{ sku: 'tea' }, { sku: 'lamp' }])
    expect(cart[0]).toBe(tea)
    expect(cart[1]).not.toBe(mug)
  })

  it('tells a property that is undefined from one that is absent', () => {
    const target: Record<string, unknown> = { a: 1 }
    adopt(target, { b: undefined })
    expect(Object.entries(target)).toEqual([['b', undefined]])
  })

  it('takes __proto__ for a key, and pollutes nothing', () => {
    const target: Record<string, unknown> = { prefs: {} }
    adopt(target, JSON.parse('{ "prefs": { "__proto__": { "polluted": true } } }') as object)
    expect(Object.keys(target['prefs'] as object)).toEqual(['__proto__'])
    expect({}).not.toHaveProperty('polluted')
  })
})

/** Objects and lists by their path, as far as objects lead to them: a list's elements have no place of their own. */
function objectsByPath(value: unknown, path = ''): Map<string, object> {
  const found = new Map<string, object>()
  if (!Array.isArray(value) && !isObject(value)) return found
  found.set(path, value)
  if (isObject(value))
    for (const key of Object.keys(value)) for (const entry of objectsByPath(value[key], `${path}/${key}`)) found.set(...entry)
  return found
}
