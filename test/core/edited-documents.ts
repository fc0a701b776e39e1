import fc from 'fast-check'

type Json = null | boolean | number | string | Json[] | { [key: string]: Json }

interface Step {
  /** Which child to go down to, at each level, as a fraction of the children. */
  readonly where: readonly number[]
  readonly what: 'set' | 'remove' | 'push' | 'unshift' | 'pop' | 'replace'
  readonly key: string
  readonly value: Json
}

// Few keys and few values, so that two sides meet often.
const key = fc.constantFrom('a', 'b', 'c', 'd e')
const { json } = fc.letrec<{ json: Json; leaf: Json }>((tie) => ({
  leaf: fc.constantFrom<Json>(0, 1, 2, 'x', 'y', true, null),
  json: fc.oneof(
    { depthSize: 'small', withCrossShrink: true },
    { arbitrary: tie('leaf'), weight: 3 },
    { arbitrary: fc.array(tie('json'), { maxLength: 3 }), weight: 2 },
    { arbitrary: fc.dictionary(key, tie('json'), { maxKeys: 3, noNullPrototype: true }), weight: 3 },
  ),
}))

const step: fc.Arbitrary<Step> = fc.record({
  where: fc.array(fc.nat(3), { maxLength: 4 }),
  what: fc.constantFrom('set', 'remove', 'push', 'unshift', 'pop', 'replace'),
  key,
  value: json,
})

/** A document and what two sides made of it; at times they did some of it alike. */
export const threeDocuments = fc
  .record({
    base: fc.dictionary(key, json, { minKeys: 1, maxKeys: 4, noNullPrototype: true }),
    both: fc.array(step, { maxLength: 2 }),
    theirs: fc.array(step, { maxLength: 4 }),
    mine: fc.array(step, { maxLength: 4 }),
  })
  .map(({ base, both, theirs, mine }) => ({ base, theirs: edited(base, [...both, ...theirs]), mine: edited(base, [...both, ...mine]) }))

/** Documents that were made apart: what they have in common is chance. */
export const anyDocuments = fc.record({ base: json, theirs: json, mine: json })

const item = fc.record({ sku: fc.constantFrom('a', 'b', 'c', 'd'), qty: fc.nat(2) }, { requiredKeys: ['sku'] })
const cart = fc.uniqueArray(item, { selector: ({ sku }) => sku, maxLength: 4 })

/** Documents with a list whose elements have keys. */
export const threeCarts = fc.record({ base: cart, theirs: cart, mine: cart })

function edited(document: Json, steps: readonly Step[]): Json {
  const copy = structuredClone(document)
  for (const one of steps) edit(copy, one)
  return copy
}

function edit(document: Json, { where, what, key, value }: Step): void {
  let at = document
  for (const turn of where) {
    const children = Object.values(at as object) as Json[]
    const next = children[turn % Math.max(1, children.length)]
    if (typeof next !== 'object' || next === null) break
    at = next
  }
  if (Array.isArray(at)) editList(at, what, value)
  else if (what === 'remove' || what === 'pop') delete (at as Record<string, Json>)[key]
  else (at as Record<string, Json>)[key] = structuredClone(value)
}

function editList(list: Json[], what: Step['what'], value: Json): void {
  if (what === 'pop' || what === 'remove') list.pop()
  else if (what === 'unshift') list.unshift(structuredClone(value))
  else if (what === 'replace' && list.length > 0) list[0] = structuredClone(value)
  else list.push(structuredClone(value))
}
