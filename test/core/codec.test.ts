import { isDeepStrictEqual } from 'node:util'
import fc from 'fast-check'
import { describe, expect, it, test } from 'vitest'
import { json } from '../../src/core/codec.ts'
import { SojournError } from '../../src/core/errors.ts'
import { createSessions } from '../../src/index.ts'
import type { SessionRecord } from '../../src/core/store.ts'
import { memory } from '../../src/stores/memory.ts'
import { plain } from './plain-data.ts'
import { Visitor } from './visitor.ts'

class Point {
  x = 1
}

const cycle: { list: unknown[] } = { list: [] }
cycle.list.push({ back: cycle })

function nested(depth: number): unknown {
  let value: unknown = 1
  for (let i = 0; i < depth; i++) value = { a: value }
  return value
}

const refused: [what: string, value: unknown, says: string][] = [
  ['a function', { a: { run: () => {} } }, 'data.a.run is a function'],
  ['a symbol', { a: [Symbol('s')] }, 'data.a[0] is a symbol'],
  ['a key that is a symbol', { a: { [Symbol('s')]: 1 } }, 'data.a["Symbol(s)"] is under a symbol'],
  ['a cycle', cycle, 'data.list[0].back is a cycle'],
  ['a Date', { when: new Date(0) }, 'data.when is a Date'],
  ['a Map', { map: new Map() }, 'data.map is a Map'],
  ['a Set', { set: new Set() }, 'data.set is a Set'],
  ['an object of a class', { 'a b': new Point() }, 'data["a b"] is a Point'],
  ['an object of a class without a name', { a: Object.create({ constructor: null }) as object }, 'data.a is an object of a class'],
  ['NaN', { n: Number.NaN }, 'data.n is NaN'],
  ['Infinity', [Infinity], 'data[0] is Infinity'],
  ['-Infinity', { n: -Infinity }, 'data.n is -Infinity'],
  ['a bigint', { n: 1n }, 'data.n is a bigint'],
  ['undefined', { a: undefined }, 'data.a is undefined'],
  ['undefined as the data', undefined, 'data is undefined'],
  // oxlint-disable-next-line no-sparse-arrays
  ['a hole', { list: [1, , 3] }, 'data.list[1] is a hole'],
  ['a key __proto__', { a: JSON.parse('{ "__proto__": 1 }') as unknown }, 'data.a.__proto__ is under a key'],
  ['what is too deep', { deep: nested(1000) }, 'nested more than 500 deep'],
  ['a toJSON of its own', { a: { toJSON: () => 'b' } }, 'data.a.toJSON is a function'],
  ['a toJSON of a class', { url: new URL('http://localhost') }, 'data.url is a URL'],
  ['a boxed number', { n: Object(1) as unknown }, 'data.n is a Number'],
  ['bytes', { bytes: Buffer.from('a') }, 'data.bytes is a Buffer'],
  ['an error', { e: new Error('no') }, 'data.e is a Error'],
]

test.each(refused)('JSON can not carry %s, and the error names its path', (_what, value, says) => {
  const error = errorOf(() => json.encode(value))
  expect(error.code).toBe('ERR_SOJOURN_DATA_UNENCODABLE')
  expect(error.message).toContain(says)
  expect(error.message).toContain('Delete it or store a plain value')
})

test.each([[new Date(0)], [new Map()], [new Set()], [1n], [undefined], [Number.NaN], [-Infinity]])(
  'the error about %s names the codec that carries it',
  (value) => {
    expect(errorOf(() => json.encode({ value })).message).toContain('`codec: rich()` of sojourn/codecs/rich')
  },
)

test.each([
  ['a function', () => {}],
  ['a class', new Point()],
])('the error about %s promises no codec', (_what, value) => {
  expect(errorOf(() => json.encode({ value })).message).not.toContain('rich')
})

describe('what JSON carries', () => {
  it('comes back as it was, any text and any nesting', () => {
    fc.assert(
      fc.property(plain, (value) => {
        const text = json.encode(value)
        expect(Buffer.from(text).toString()).toBe(text)
        expect(isDeepStrictEqual(json.decode(text), value)).toBe(true)
      }),
      { numRuns: 2000 },
    )
  })

  it('may hold one object in two places', () => {
    const shared = { a: 1 }
    expect(json.decode(json.encode({ x: shared, y: [shared, shared] }))).toEqual({ x: { a: 1 }, y: [{ a: 1 }, { a: 1 }] })
  })

  it('may be 499 deep, and an object without a prototype', () => {
    expect(json.decode(json.encode(nested(499)))).toEqual(nested(499))
    expect(json.encode(Object.assign(Object.create(null) as object, { a: 1 }))).toBe('{"a":1}')
  })

  it.each(['constructor', 'prototype', 'toString', 'hasOwnProperty', '__defineGetter__'])(
    'may have a key %s, which is data',
    async (key) => {
      const visitor = new Visitor(createSessions<Record<string, unknown>>())
      await visitor.visit((session) => void (session.data[key] = { prototype: { polluted: true } }))
      await visitor.visit((session) => void (session.data['other'] = 1))
      expect(Object.entries(await visitor.read())).toEqual([
        [key, { prototype: { polluted: true } }],
        ['other', 1],
      ])
      expect({}).not.toHaveProperty('polluted')
    },
  )
})

describe('a commit of what can not be carried', () => {
  interface Data {
    list: unknown[]
    extra?: unknown
  }

  function site() {
    const store = memory()
    const sessions = createSessions<Data>({ store, initial: () => ({ list: [] }) })
    return { store, visitor: new Visitor(sessions) }
  }

  it.each(refused.filter(([what]) => what !== 'undefined as the data'))(
    'fails for %s, and what was stored stays as it was',
    async (_what, value) => {
      const { visitor } = site()
      await visitor.visit((session) => void session.data.list.push('kept'))
      await expect(visitor.visit((session) => void session.data.list.push(value))).rejects.toMatchObject({
        code: 'ERR_SOJOURN_DATA_UNENCODABLE',
        message: expect.stringContaining('data.list[1]') as unknown,
      })
      expect(await visitor.read()).toEqual({ list: ['kept'] })
    },
  )

  // A key that is a symbol is in no copy.
  it.each(refused.filter(([what]) => what !== 'a key that is a symbol'))(
    'fails for %s where update() runs over it, for a new visitor and for a stored session',
    async (_what, value) => {
      const { visitor } = site()
      const attempt = async (): Promise<void> =>
        await visitor.visit(async (session) => {
          session.data.extra = value
          await session.update((data) => data.list.push('lost'))
        })
      await expect(attempt()).rejects.toMatchObject({ code: 'ERR_SOJOURN_DATA_UNENCODABLE' })
      expect(visitor.cookie).toBeNull()
      await visitor.visit((session) => void session.data.list.push('kept'))
      await expect(attempt()).rejects.toMatchObject({ code: 'ERR_SOJOURN_DATA_UNENCODABLE' })
      expect(await visitor.read()).toEqual({ list: ['kept'] })
      expect({}).not.toHaveProperty('polluted')
    },
  )

  it.each(refused)('fails for %s that update() puts in, and the request goes on without it', async (_what, value) => {
    const { visitor } = site()
    await visitor.visit((session) => void session.data.list.push('kept'))
    await visitor.visit(async (session) => {
      const put = (data: Data): void => {
        data.extra = value
      }
      await expect(session.update(put)).rejects.toMatchObject({ code: 'ERR_SOJOURN_DATA_UNENCODABLE' })
      expect(session.data).toEqual({ list: ['kept'] })
      session.data.list.push('and this')
    })
    expect(await visitor.read()).toEqual({ list: ['kept', 'and this'] })
  })

  it('fails at a login, and nobody is logged in', async () => {
    const { visitor, store } = site()
    await expect(
      visitor.visit(async (session) => {
        session.data.extra = () => {}
        await session.login('ada')
      }),
    ).rejects.toMatchObject({ code: 'ERR_SOJOURN_DATA_UNENCODABLE', message: expect.stringContaining('data.extra') as unknown })
    for await (const record of store.list()) expect.unreachable(record.id)
  })
})

describe('__proto__ in stored text', () => {
  it.each([
    ['plain', '{"__proto__":{"isAdmin":true},"a":1}'],
    ['nested', '{"a":{"b":[{"__proto__":{"isAdmin":true}}]}}'],
    ['written with an escape', '{"\\u005f_proto__":{"isAdmin":true},"a":1}'],
    ['written with an escape of another letter', '{"a":{"__pr\\u006Fto__":{"isAdmin":true}}}'],
    ['written in escapes alone', '{"\\u005f\\u005f\\u0070\\u0072\\u006f\\u0074\\u006f\\u005f\\u005f":{"isAdmin":true}}'],
    ['written with another', '{"_\\u005F\\u0070roto__":{"isAdmin":true},"a":1}'],
  ])('%s, is set aside: it changes neither the data nor any other object', async (_how, text) => {
    const store = memory()
    const sessions = createSessions<{ a?: unknown }>({ store })
    const errors: string[] = []
    sessions.on('error', ({ error }) => errors.push(error.code))
    const visitor = new Visitor(sessions)
    const id = await visitor.visit(async (session) => {
      session.data.a = 0
      await session.save()
      return session.id!
    })
    const record = store.get(id) as SessionRecord
    const planted = `1\n${text}`
    await store.put({ ...record, version: record.version + 1, data: planted }, record.version)

    const data = await visitor.read()
    expect(data).toStrictEqual({})
    expect(data).not.toHaveProperty('isAdmin')
    expect({}).not.toHaveProperty('isAdmin')
    expect(errors).toEqual(['ERR_SOJOURN_DATA_UNREADABLE'])
    expect(await sessions.setAside(id)).toBe(planted)
  })

  it('as part of a text is only text', () => {
    const value = { note: '__proto__ and \\u005f_proto__', list: ['__proto__'] }
    expect(json.decode(json.encode(value))).toEqual(value)
  })
})

function errorOf(run: () => unknown): SojournError {
  try {
    run()
  } catch (error) {
    if (error instanceof SojournError) return error
    throw error
  }
  throw new Error('it did not fail')
}
