import fc from 'fast-check'
import { describe, expect, it, test } from 'vitest'
import { type Collision, merge } from '../../src/core/merge.ts'
import { anyDocuments, threeCarts, threeDocuments } from './edited-documents.ts'
import { expectedMerge } from './merge-oracle.ts'

const runs = { numRuns: 3000 }

function merged(base: unknown, theirs: unknown, mine: unknown): { value: unknown; collisions: string[] } {
  const { value, collisions } = merge(base, theirs, mine)
  return { value, collisions: collisions.toSorted() }
}

describe('the merge does what the oracle says', () => {
  it('for documents that two sides edited', () => {
    let collided = 0
    fc.assert(
      fc.property(threeDocuments, ({ base, theirs, mine }) => {
        const expected = expectedMerge({ base, theirs, mine })
        if (expected.collisions.length > 0) collided++
        expect(merged(base, theirs, mine)).toEqual(expected)
      }),
      runs,
    )
    // Neither all of them nor none: else the documents were badly chosen.
    expect(collided).toBeGreaterThan(runs.numRuns / 10)
    expect(collided).toBeLessThan((runs.numRuns * 9) / 10)
  })

  it('for documents that have nothing in common but chance', () => {
    fc.assert(
      fc.property(anyDocuments, ({ base, theirs, mine }) => {
        expect(merged(base, theirs, mine)).toEqual(expectedMerge({ base, theirs, mine }))
      }),
      runs,
    )
  })

  it('with an application that decides collisions', () => {
    const decide = (path: string, base: unknown, theirs: unknown, mine: unknown): unknown =>
      path.length % 3 === 0 ? undefined : [path, base ?? 'none', theirs ?? 'none', mine ?? 'none']
    fc.assert(
      fc.property(threeDocuments, ({ base, theirs, mine }) => {
        const resolve = (collision: Collision) => decide(collision.path, collision.base, collision.theirs, collision.mine)
        const { value, collisions } = merge(base, theirs, mine, { resolve })
        expect({ value, collisions: collisions.toSorted() }).toEqual(expectedMerge({ base, theirs, mine }, decide))
      }),
      runs,
    )
  })

  it('for lists whose elements have keys, as for an object of those keys', () => {
    const byKey = (cart: unknown) => ({ cart: Object.fromEntries((cart as { sku: string }[]).map((item) => [item.sku, item])) })
    fc.assert(
      fc.property(threeCarts, ({ base, theirs, mine }) => {
        const { value, collisions } = merge({ cart: base }, { cart: theirs }, { cart: mine }, { keys: { cart: 'sku' } })
        const expected = expectedMerge({ base: byKey(base), theirs: byKey(theirs), mine: byKey(mine) })
        expect(byKey((value as { cart: unknown }).cart)).toEqual(expected.value)
        expect(collisions.toSorted()).toEqual(expected.collisions)
      }),
      runs,
    )
  })
})

describe('the laws of the merge', () => {
  it('what one side alone changed is the result, with no collision', () => {
    fc.assert(
      fc.property(anyDocuments, ({ base, mine }) => {
        expect(merge(base, base, mine)).toEqual({ value: mine, collisions: [] })
        expect(merge(base, mine, structuredClone(base))).toEqual({ value: mine, collisions: [] })
      }),
      runs,
    )
  })

  it('nothing that is handed in is changed, nor is a frozen document a hindrance', () => {
    fc.assert(
      fc.property(threeDocuments, ({ base, theirs, mine }) => {
        const before = structuredClone({ base, theirs, mine })
        merge(deepFreeze(base), deepFreeze(theirs), deepFreeze(mine))
        expect({ base, theirs, mine }).toEqual(before)
      }),
      { numRuns: 1000 },
    )
  })

  it('the sides collide at the same paths, whichever of them came first', () => {
    fc.assert(
      fc.property(threeDocuments, ({ base, theirs, mine }) => {
        expect(merged(base, mine, theirs).collisions).toEqual(merged(base, theirs, mine).collisions)
      }),
      { numRuns: 1000 },
    )
  })
})

describe('by path', () => {
  const cases: [what: string, base: object, theirs: object, mine: object, value: object, collisions: string[]][] = [
    ['changes at different paths are both kept', { a: 1, b: 1 }, { a: 2, b: 1 }, { a: 1, b: 2 }, { a: 2, b: 2 }, []],
    [
      'nested too',
      { a: { b: { c: 1, d: 1 } } },
      { a: { b: { c: 2, d: 1 } } },
      { a: { b: { c: 1, d: 2 } } },
      { a: { b: { c: 2, d: 2 } } },
      [],
    ],
    ['additions are both kept', {}, { a: 1 }, { b: 2 }, { a: 1, b: 2 }, []],
    ['a removal of one side alone is taken', { a: 1, b: 1 }, { b: 1 }, { a: 1, b: 2 }, { b: 2 }, []],
    ['a removal by both collides, and what it removed stays away', { a: 1, b: 1 }, { b: 1 }, { b: 1 }, { b: 1 }, ['a']],
    ['a value that both changed collides, and the later one stays', { a: 1 }, { a: 2 }, { a: 3 }, { a: 3 }, ['a']],
    ['a value that both changed collides even when they agree', { n: 1 }, { n: 2 }, { n: 2 }, { n: 2 }, ['n']],
    [
      'a removal against an edit beneath it collides at the upper path',
      { a: { b: { c: 1 } } },
      { a: {} },
      { a: { b: { c: 2 } } },
      { a: { b: { c: 2 } } },
      ['a.b'],
    ],
    ['and the other way round', { a: { b: { c: 1 } } }, { a: { b: { c: 2 } } }, { a: {} }, { a: {} }, ['a.b']],
    [
      'a change of type against an edit beneath it collides at the upper path',
      { a: { b: 1, c: 1 } },
      { a: 'text' },
      { a: { b: 2, c: 1 } },
      { a: { b: 2, c: 1 } },
      ['a'],
    ],
    ['an object against a list collides as a whole', { a: { b: 1 } }, { a: [1] }, { a: { b: 2 } }, { a: { b: 2 } }, ['a']],
    ['null against an object is a change of type', { a: { b: 1 } }, { a: null }, { a: { b: 2 } }, { a: { b: 2 } }, ['a']],
    ['tails of a list are both kept, theirs first', { l: [1] }, { l: [1, 2, 3] }, { l: [1, 4] }, { l: [1, 2, 3, 4] }, []],
    ['equal tails are both kept: two adds of one thing are two', { l: [] }, { l: ['tea'] }, { l: ['tea'] }, { l: ['tea', 'tea'] }, []],
    ['a list changed at its beginning is one value', { l: [1, 2] }, { l: [0, 1, 2] }, { l: [1, 2, 3] }, { l: [1, 2, 3] }, ['l']],
    ['a list shortened against one appended to is one value', { l: [1, 2] }, { l: [1] }, { l: [1, 2, 3] }, { l: [1, 2, 3] }, ['l']],
    [
      'an edit within a list makes it one value',
      { l: [{ q: 1 }] },
      { l: [{ q: 2 }] },
      { l: [{ q: 1 }, { q: 9 }] },
      { l: [{ q: 1 }, { q: 9 }] },
      ['l'],
    ],
    ['an object that both made is merged as if it had been empty', {}, { o: { a: 1 } }, { o: { b: 2 } }, { o: { a: 1, b: 2 } }, []],
    [
      'an object that both made collides where both filled it',
      {},
      { o: { a: 1, b: 1 } },
      { o: { a: 1, c: 1 } },
      { o: { a: 1, b: 1, c: 1 } },
      ['o.a'],
    ],
    ['a list that both made keeps both tails', {}, { l: [1] }, { l: [2] }, { l: [1, 2] }, []],
    ['a list in an object that both made as well', {}, { o: { l: [1] } }, { o: { l: [2] } }, { o: { l: [1, 2] } }, []],
    ['containers of two kinds that both made collide', {}, { x: [] }, { x: {} }, { x: {} }, ['x']],
    [
      'each collision is told at its own path',
      { a: 1, b: { c: 1 }, d: 1 },
      { a: 2, b: { c: 2 }, d: 2 },
      { a: 3, b: { c: 3 }, d: 1 },
      { a: 3, b: { c: 3 }, d: 2 },
      ['a', 'b.c'],
    ],
    [
      'paths are told as a person writes them',
      { 'to do': { 'x.y': 1 } },
      { 'to do': { 'x.y': 2 } },
      { 'to do': { 'x.y': 3 } },
      { 'to do': { 'x.y': 3 } },
      ['["to do"]["x.y"]'],
    ],
    ['numbers differ from the text that looks like them', { a: 1 }, { a: '1' }, { a: 1, b: 1 }, { a: '1', b: 1 }, []],
    [
      'constructor, prototype and toString are keys like any other',
      { constructor: 1, prototype: 1 },
      { constructor: 2, prototype: 1 },
      { constructor: 1, prototype: 2, toString: 3 },
      { constructor: 2, prototype: 2, toString: 3 },
      [],
    ],
  ]
  test.each(cases)('%s', (_what, base, theirs, mine, value, collisions) => {
    const result = merged(base, theirs, mine)
    expect(result.value).toStrictEqual(value)
    expect(result.collisions).toEqual(collisions)
    expect(expectedMerge({ base, theirs, mine })).toEqual({ value, collisions })
  })

  it('a key __proto__ is merged as data, and changes no object', () => {
    const evil = JSON.parse('{ "__proto__": { "polluted": true }, "a": 1 }') as object
    const { value } = merge({ a: 1 }, { a: 2 }, evil)
    expect(Object.getPrototypeOf(value)).toBe(Object.prototype)
    expect(Object.keys(value as object).toSorted()).toEqual(['__proto__', 'a'])
    expect({}).not.toHaveProperty('polluted')
  })
})

describe('resolve', () => {
  it('decides a collision: the value that it returns is kept', () => {
    const asked: Collision[] = []
    const resolve = (collision: Collision) => {
      asked.push(collision)
      return Math.max(collision.theirs as number, collision.mine as number)
    }
    expect(merge({ high: 1, low: 5 }, { high: 9, low: 5 }, { high: 3, low: 4 }, { resolve })).toEqual({
      value: { high: 9, low: 4 },
      collisions: ['high'],
    })
    expect(asked).toEqual([{ path: 'high', base: 1, theirs: 9, mine: 3 }])
  })

  it('is told of what is absent by undefined, and removes by it', () => {
    const asked: Collision[] = []
    const resolve = (collision: Collision) => void asked.push(collision)
    expect(merge({ a: { b: 1 } }, {}, { a: { b: 2 } }, { resolve })).toEqual({ value: {}, collisions: ['a'] })
    expect(asked).toEqual([{ path: 'a', base: { b: 1 }, theirs: undefined, mine: { b: 2 } }])
  })

  it('is not asked where nothing collides', () => {
    const resolve = () => expect.unreachable()
    expect(merge({ a: 1, l: [] }, { a: 2, l: [1] }, { a: 1, l: [2] }, { resolve })).toEqual({ value: { a: 2, l: [1, 2] }, collisions: [] })
  })
})

describe('keys', () => {
  const rules = { keys: { cart: 'sku' } }

  it('elements are merged one by one, in the order of what is stored, new ones behind', () => {
    const base = {
      cart: [
        { sku: 'tea', qty: 1 },
        { sku: 'mug', qty: 1 },
      ],
    }
    const theirs = {
      cart: [
        { sku: 'tent', qty: 1 },
        { sku: 'mug', qty: 1 },
        { sku: 'tea', qty: 1 },
      ],
    }
    const mine = {
      cart: [
        { sku: 'tea', qty: 5 },
        { sku: 'lamp', qty: 1 },
      ],
    }
    expect(merge(base, theirs, mine, rules)).toEqual({
      value: {
        cart: [
          { sku: 'tent', qty: 1 },
          { sku: 'tea', qty: 5 },
          { sku: 'lamp', qty: 1 },
        ],
      },
      collisions: [],
    })
  })

  it('collisions are told with the key in their path', () => {
    const cart = (qty: number, sku: string | number = 'tea') => ({ cart: [{ sku, qty }] })
    expect(merge(cart(1), cart(2), cart(3), rules)).toEqual({ value: cart(3), collisions: ['cart.tea.qty'] })
    expect(merge(cart(1, 'a b'), cart(2, 'a b'), cart(3, 'a b'), rules).collisions).toEqual(['cart["a b"].qty'])
    expect(merge(cart(1, 7), cart(2, 7), cart(3, 7), rules).collisions).toEqual(['cart[7].qty'])
  })

  it('a removal against an edit of the element collides at the element', () => {
    const base = { cart: [{ sku: 'tea', qty: 1 }] }
    expect(merge(base, { cart: [{ sku: 'tea', qty: 2 }] }, { cart: [] }, rules)).toEqual({ value: { cart: [] }, collisions: ['cart.tea'] })
  })

  it('a number and the text that looks like it are two keys; a bigint is one too', () => {
    const list = (...skus: unknown[]) => ({ cart: skus.map((sku) => ({ sku })) })
    expect(merge(list(1), list(1, '1'), list(1, 1n), rules)).toEqual({ value: list(1, '1', 1n), collisions: [] })
  })

  it.each([
    ['an element has no key', [{ qty: 1 }]],
    ['an element is no object', ['tea']],
    [
      'two elements have the same',
      [
        { sku: 'tea', qty: 1 },
        { sku: 'tea', qty: 2 },
      ],
    ],
    ['a key is neither text nor a number', [{ sku: { id: 1 } }]],
    ['the key is inherited', [Object.create(null, { qty: { value: 1, enumerable: true } })]],
  ])('where %s, the list is one value', (_why, cart) => {
    const [base, theirs] = [{ cart: [{ sku: 'tea', qty: 1 }] }, { cart: [{ sku: 'tea', qty: 9 }] }]
    expect(merge(base, theirs, { cart }, rules)).toEqual({ value: { cart }, collisions: ['cart'] })
  })

  it('a list that is not named stays one value', () => {
    const list = (qty: number) => ({ cart: { items: [{ sku: 'tea', qty }] } })
    expect(merge(list(1), list(2), list(3), rules).collisions).toEqual(['cart.items'])
    expect(merge(list(1), list(2), list(3), { keys: { 'cart.items': 'sku' } }).collisions).toEqual(['cart.items.tea.qty'])
  })
})

function deepFreeze<T>(value: T): T {
  if (typeof value === 'object' && value !== null) Object.values(Object.freeze(value)).forEach(deepFreeze)
  return value
}
