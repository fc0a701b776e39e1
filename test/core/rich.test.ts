import { isDeepStrictEqual } from 'node:util'
import fc from 'fast-check'
import { describe, expect, it, test } from 'vitest'
import { rich } from '../../src/codecs/rich.ts'
import type { SessionRecord } from '../../src/core/store.ts'
import { createSessions } from '../../src/index.ts'
import { memory } from '../../src/stores/memory.ts'
import { richer } from './plain-data.ts'
import { Recorder } from './recorder.ts'
import { Visitor } from './visitor.ts'

const codec = rich()

describe('what the rich codec carries', () => {
  it('comes back as it was, any text and any nesting', () => {
    fc.assert(
      fc.property(richer, (value) => {
        const text = codec.encode(value)
        expect(Buffer.from(text).toString()).toBe(text)
        expect(isDeepStrictEqual(codec.decode(text), value)).toBe(true)
      }),
      { numRuns: 2000 },
    )
  })

  it.each([
    ['a Date', new Date(5)],
    ['an invalid Date', new Date(Number.NaN)],
    ['a Map with objects for keys', new Map([[{ a: 1 }, new Map([[1, new Set([2n])]])]])],
    ['a Set of Dates', new Set([new Date(1), new Date(2)])],
    ['a bigint beyond 2^64', -(2n ** 70n)],
    ['undefined, in lists and properties', { a: undefined, list: [undefined, null] }],
    ['numbers that JSON does not know', [Number.NaN, Infinity, -Infinity, -0]],
  ])('%s', (_what, value) => {
    expect(codec.decode(codec.encode({ value }))).toStrictEqual({ value })
  })

  it('may have keys that are the names of what objects inherit', () => {
    const value = { constructor: new Map(), prototype: 1, toString: 2n }
    expect(isDeepStrictEqual(codec.decode(codec.encode(value)), value)).toBe(true)
  })
})

class Point {
  x = 1
}

const cycle = new Map<string, unknown>()
cycle.set('self', [cycle])

const refused: [what: string, value: unknown, says: string][] = [
  ['a function', new Map([['run', () => {}]]), 'data[1] is a function'],
  ['a symbol', { s: Symbol('s') }, 'data.s is a symbol'],
  ['an object of a class', { deep: new Set([new Point()]) }, 'data.deep[0] is a Point'],
  ['a RegExp', { re: /x/ }, 'data.re is a RegExp'],
  ['a URL', { url: new URL('http://localhost') }, 'data.url is a URL'],
  ['bytes', { bytes: new Uint8Array(1) }, 'data.bytes is a Uint8Array'],
  ['a cycle', { map: cycle }, 'is a cycle'],
  // oxlint-disable-next-line no-sparse-arrays
  ['a hole', { list: [, 1] }, 'data.list[0] is a hole'],
  ['a key __proto__', { a: JSON.parse('{ "__proto__": 1 }') as unknown }, 'data.a.__proto__ is under a key'],
  ['a promise', { p: Promise.resolve() }, 'data.p is a Promise'],
]

test.each(refused)('the rich codec can not carry %s, and the error names its path', (_what, value, says) => {
  expect(() => codec.encode(value)).toThrow(
    expect.objectContaining({ code: 'ERR_SOJOURN_DATA_UNENCODABLE', message: expect.stringContaining(says) as unknown }),
  )
})

interface Data {
  seen?: Date | undefined
  tags?: Set<string>
  prices?: Map<string, bigint>
  list: unknown[]
}

function site() {
  const store = memory()
  const sessions = createSessions<Data>({ store, codec: rich(), initial: () => ({ list: [] }) })
  return { store, sessions, told: new Recorder(sessions), visitor: new Visitor(sessions) }
}

describe('sessions with the rich codec', () => {
  it('notice what was changed inside of a Date, a Set or a Map', async () => {
    const { visitor } = site()
    await visitor.visit(({ data }) => void Object.assign(data, { seen: new Date(5), tags: new Set(['a']), prices: new Map([['tea', 1n]]) }))
    await visitor.visit(({ data }) => void data.seen?.setTime(6))
    await visitor.visit(({ data }) => void data.tags?.add('b'))
    await visitor.visit(({ data }) => void data.prices?.set('tea', 2n))
    expect(await visitor.read()).toStrictEqual({ seen: new Date(6), tags: new Set(['a', 'b']), prices: new Map([['tea', 2n]]), list: [] })
  })

  it('keep a property that was set to undefined, and one that update() set so', async () => {
    const { visitor } = site()
    await visitor.visit((session) => void (session.data.seen = undefined))
    expect(Object.keys(await visitor.read())).toContain('seen')
    const other = new Visitor(site().sessions)
    await other.visit(async (session) => {
      session.data.list.push(1)
      await session.update((data) => void (data.seen = undefined))
      session.data.list.push(2)
    })
    expect(await other.read()).toStrictEqual({ list: [1, 2], seen: undefined })
  })

  it('merge lists of rich values, and take a Date, a Map or a Set for one value', async () => {
    const { visitor, told } = site()
    await visitor.visit(({ data }) => void Object.assign(data, { seen: new Date(5), tags: new Set(['a']), list: [1n] }))
    const [one, other] = [await visitor.open(), await visitor.open()]
    one.data.list.push(new Date(1))
    one.data.tags?.add('one')
    one.data.prices = new Map([['tea', 1n]])
    other.data.list.push(undefined)
    other.data.tags?.add('other')
    other.data.seen = new Date(7)
    await one.commit()
    await other.commit()
    expect(told.conflicts).toEqual([['tags']])
    expect(await visitor.read()).toStrictEqual({
      seen: new Date(7),
      tags: new Set(['a', 'other']),
      prices: new Map([['tea', 1n]]),
      list: [1n, new Date(1), undefined],
    })
  })

  it.each([
    ['a key __proto__', '[{"__proto__":1},{"isAdmin":2},true]'],
    ['a key __proto__, written with an escape', '[{"\\u005f_proto__":1},{"isAdmin":2},true]'],
    ['a cycle', '[{"list":1},[0]]'],
    ['a type that is not data', '[["RegExp","x","g"]]'],
    ['plain JSON', '{"list":[]}'],
    ['no end', '[{"list":1}'],
  ])('set stored text with %s aside', async (_what, text) => {
    const { visitor, store, sessions, told } = site()
    await visitor.visit((session) => void session.data.list.push(1))
    const { id } = await visitor.open()
    const record = store.get(id!) as SessionRecord
    await store.put({ ...record, version: record.version + 1, data: `1\n${text}` }, record.version)
    const data = await visitor.read()
    expect(data).toStrictEqual({ list: [] })
    expect(data).not.toHaveProperty('isAdmin')
    expect(told.errors).toEqual(['ERR_SOJOURN_DATA_UNREADABLE'])
    expect(await sessions.setAside(id!)).toBe(`1\n${text}`)
  })
})
