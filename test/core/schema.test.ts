import { type } from 'arktype'
import * as v from 'valibot'
import { describe, expect, it } from 'vitest'
import * as z from 'zod'
import { validate, type StandardSchema } from '../../src/core/schema.ts'
import type { SessionRecord } from '../../src/core/store.ts'
import { createSessions, type SessionsOptions } from '../../src/index.ts'
import { memory } from '../../src/stores/memory.ts'
import { DelayedStore } from './delayed-store.ts'
import { Recorder } from './recorder.ts'
import { Visitor } from './visitor.ts'

interface Data {
  cart: { sku: string; qty: number }[]
  theme: 'light' | 'dark'
}

const libraries: [name: string, schema: StandardSchema<Data>][] = [
  [
    'zod',
    z.object({
      cart: z.array(z.object({ sku: z.string(), qty: z.int().min(1) })).max(3),
      theme: z.enum(['light', 'dark']).default('light'),
    }),
  ],
  [
    'valibot',
    v.object({
      cart: v.pipe(v.array(v.object({ sku: v.string(), qty: v.pipe(v.number(), v.integer(), v.minValue(1)) })), v.maxLength(3)),
      theme: v.optional(v.picklist(['light', 'dark']), 'light'),
    }),
  ],
  [
    'arktype',
    type({ cart: type({ sku: 'string', qty: 'number.integer >= 1' }).array().atMostLength(3), theme: "'light' | 'dark' = 'light'" }),
  ],
]

const tea = { sku: 'tea', qty: 1 }

function site(options: Omit<SessionsOptions<Data>, 'initial'> = {}) {
  const store = options.store ?? new DelayedStore(memory(), 0)
  const sessions = createSessions<Data>({ initial: () => ({ cart: [], theme: 'light' }), ...options, store })
  return { store: store as DelayedStore, sessions, told: new Recorder(sessions), visitor: new Visitor(sessions) }
}

/** Replaces the stored text of a visitor's session, as another release or program would have written it. */
async function plant({ store }: { store: DelayedStore }, visitor: Visitor<Data>, text: string): Promise<string> {
  const id = visitor.cookie!.slice(4, 20)
  const record = (await store.get(id)) as SessionRecord
  await store.put({ ...record, version: record.version + 1, data: text }, record.version)
  return id
}

async function textOf({ store }: { store: DelayedStore }, id: string): Promise<string> {
  return (await store.get(id))!.data
}

describe.each(libraries)('a schema of %s', (_library, schema) => {
  async function withCart() {
    const at = site({ schema })
    await at.visitor.visit((session) => void session.data.cart.push({ ...tea }))
    return at
  }

  it('fills in defaults, which are no change: reading writes nothing', async () => {
    const at = await withCart()
    await plant(at, at.visitor, `1\n${JSON.stringify({ cart: [tea] })}`)
    const before = at.store.puts
    expect(await at.visitor.visit((session) => ({ ...session.data }))).toEqual({ cart: [tea], theme: 'light' })
    const stranger = new Visitor(at.sessions)
    expect(await stranger.visit((session) => session.data.theme)).toBe('light')
    expect([at.store.puts - before, stranger.cookie]).toEqual([0, null])
  })

  it('fills in defaults that are no collision either', async () => {
    const at = await withCart()
    await plant(at, at.visitor, `1\n${JSON.stringify({ cart: [tea] })}`)
    const [one, other] = [await at.visitor.open(), await at.visitor.open()]
    one.data.cart.push({ sku: 'mug', qty: 1 })
    other.data.theme = 'dark'
    await one.commit()
    await other.commit()
    expect(await at.visitor.read()).toEqual({ cart: [tea, { sku: 'mug', qty: 1 }], theme: 'dark' })
    expect(at.told.conflicts).toEqual([])
  })

  it('refuses data that does not fit, naming the path, and what was stored stays', async () => {
    const { visitor, store } = await withCart()
    const before = store.puts
    const refused = { code: 'ERR_SOJOURN_DATA_INVALID', status: 500, message: expect.stringContaining('at cart[1].qty: ') as unknown }
    await expect(visitor.visit((session) => void session.data.cart.push({ sku: 'mug', qty: 0 }))).rejects.toMatchObject(refused)
    await expect(
      visitor.visit(async (session) => await session.update((data) => data.cart.push({ sku: 'mug', qty: 0 }))),
    ).rejects.toMatchObject(refused)
    await expect(
      visitor.visit(async (session) => {
        session.data.cart.push({ sku: 'mug', qty: 0 })
        await session.login('ada')
      }),
    ).rejects.toMatchObject(refused)
    expect(store.puts).toBe(before)
    expect(await visitor.read()).toEqual({ cart: [tea], theme: 'light' })
  })

  it('refuses them from a new visitor, who gets no session', async () => {
    const { visitor, store } = site({ schema })
    await expect(visitor.visit((session) => void (session.data.theme = 'blue' as 'dark'))).rejects.toMatchObject({
      code: 'ERR_SOJOURN_DATA_INVALID',
      message: expect.stringContaining('at theme: ') as unknown,
    })
    expect([visitor.cookie, store.puts]).toEqual([null, 0])
  })

  it('judges the merged data before they are written', async () => {
    const { visitor, told } = await withCart()
    const open = await Promise.all(Array.from({ length: 4 }, () => visitor.open()))
    open.forEach((session, i) => session.data.cart.push({ sku: `item ${i}`, qty: 1 }))
    const outcomes = await Promise.allSettled(open.map(async (session) => await session.commit()))
    // Three things fit into a cart, and one is in it.
    expect(outcomes.map(({ status }) => status)).toEqual(['fulfilled', 'fulfilled', 'rejected', 'rejected'])
    expect(outcomes[2]).toMatchObject({
      reason: { code: 'ERR_SOJOURN_DATA_INVALID', message: expect.stringContaining('at cart: ') as unknown },
    })
    expect((await visitor.read()).cart.map(({ sku }) => sku)).toEqual(['tea', 'item 0', 'item 1'])
    expect(told.conflicts).toEqual([])
  })

  it('that the initial data does not fit is told at the start', () => {
    expect(() => createSessions<Data>({ schema, initial: () => ({ cart: [{ sku: 'tea', qty: -1 }], theme: 'light' }) })).toThrow(
      expect.objectContaining({ code: 'ERR_SOJOURN_DATA_INVALID', message: expect.stringContaining('at cart[0].qty: ') as unknown }),
    )
  })

  it('sets stored data aside that does not fit: they are told of, kept over later writes, and can be read', async () => {
    const at = await withCart()
    const planted = `1\n${JSON.stringify({ cart: [{ sku: 5 }] })}`
    const id = await plant(at, at.visitor, planted)
    const before = at.store.puts

    expect(await at.visitor.visit((session) => ({ ...session.data }))).toEqual({ cart: [], theme: 'light' })
    expect(at.store.puts).toBe(before)
    expect(await textOf(at, id)).toBe(planted)
    expect(at.told.of('error')).toMatchObject([
      { id, error: { code: 'ERR_SOJOURN_DATA_UNREADABLE', message: expect.stringContaining('at cart[0]') as unknown } },
    ])
    expect(await at.sessions.setAside(id)).toBe(planted)

    await at.visitor.visit((session) => void session.data.cart.push(tea))
    await at.visitor.visit(async (session) => await session.update((data) => void (data.theme = 'dark')))
    await at.visitor.visit(async (session) => await session.login('ada'))
    expect(await at.visitor.read()).toEqual({ cart: [tea], theme: 'dark' })
    // By each request that read them, until they were written over.
    expect(at.told.errors).toEqual(['ERR_SOJOURN_DATA_UNREADABLE', 'ERR_SOJOURN_DATA_UNREADABLE'])
    expect(await at.sessions.setAside((await at.visitor.open()).id!)).toBe(planted)
  })
})

describe('a schema that answers later', () => {
  const later: [name: string, schema: StandardSchema<{ n: number }>][] = [
    ['zod', z.object({ n: z.number().refine(async () => await Promise.resolve(true)) })],
    [
      'valibot',
      v.objectAsync({
        n: v.pipeAsync(
          v.number(),
          v.checkAsync(async () => await Promise.resolve(true)),
        ),
      }),
    ],
    [
      'its own',
      { '~standard': { version: 1, vendor: 'own', validate: async () => await Promise.reject(new Error('nobody waits for this')) } },
    ],
  ]

  it.each(later)('of %s is an error at the start', (_library, schema) => {
    expect(() => createSessions<{ n: number }>({ schema, initial: () => ({ n: 1 }) })).toThrow(
      expect.objectContaining({ code: 'ERR_SOJOURN_SCHEMA_ASYNC', message: expect.stringContaining('asynchronous') as unknown }),
    )
  })

  it('for some data only is an error at the commit of such data', async () => {
    const schema = z.object({ list: z.array(z.number().refine(async () => await Promise.resolve(true))) })
    const visitor = new Visitor(createSessions({ schema, initial: () => ({ list: [] as number[] }) }))
    await expect(visitor.visit((session) => void session.data.list.push(1))).rejects.toMatchObject({ code: 'ERR_SOJOURN_SCHEMA_ASYNC' })
    expect(visitor.cookie).toBeNull()
  })
})

describe('stored data that cannot be read', () => {
  const unreadable = ['', 'no line', 'PHPSESSID|s:1:"a"', '1\n{"cart":[', '1\nundefined', '1{"flash":\n{"cart":[]}']

  it.each(unreadable)('%j is set aside', async (text) => {
    const at = site()
    await at.visitor.visit((session) => void session.data.cart.push(tea))
    const id = await plant(at, at.visitor, text)
    expect(await at.visitor.read()).toEqual({ cart: [], theme: 'light' })
    expect(at.told.of('error')).toMatchObject([{ id, error: { code: 'ERR_SOJOURN_DATA_UNREADABLE' } }])
    expect(await at.sessions.setAside(id)).toBe(text)
    await at.visitor.visit((session) => void (session.data.theme = 'dark'))
    expect(await at.sessions.setAside(id)).toBe(text)
  })

  it('are the affair of that session alone; with others, and none at all, nothing is set aside', async () => {
    const { sessions, visitor } = site()
    await visitor.visit((session) => void session.data.cart.push(tea))
    expect(await sessions.setAside((await visitor.open()).id!)).toBeNull()
    expect(await sessions.setAside('AAAAAAAAAAAAAAAA')).toBeNull()
    expect(await sessions.setAside('not an ID')).toBeNull()
  })

  it('stay set aside where several requests go on at once', async () => {
    const at = site()
    await at.visitor.visit((session) => void session.data.cart.push(tea))
    const id = await plant(at, at.visitor, '1\nbroken')
    const open = await Promise.all(Array.from({ length: 5 }, () => at.visitor.open()))
    open.forEach((session, i) => session.data.cart.push({ sku: `item ${i}`, qty: 1 }))
    await Promise.all(open.map(async (session) => await session.commit()))
    expect((await at.visitor.read()).cart).toHaveLength(5)
    expect(await at.sessions.setAside(id)).toBe('1\nbroken')
  })
})

describe('a release with another schema version', () => {
  /** A deployment's releases, on one store. */
  function releases() {
    const store = new DelayedStore(memory(), 0)
    const asked: unknown[] = []
    const old = createSessions<{ basket: string[] }>({ store, initial: () => ({ basket: [] }) })
    const migrate = (data: unknown, version: number): unknown => {
      asked.push(version)
      return { cart: (data as { basket: string[] }).basket.map((sku) => ({ sku, qty: 1 })) }
    }
    const [schema] = [libraries[0]![1]]
    const next = site({ store, schema, schemaVersion: 2, migrate })
    return { store, asked, old: new Visitor(old), next }
  }

  it('migrates data of the older one when they are read, before they are validated, and writes nothing for that', async () => {
    const { store, asked, old, next } = releases()
    await old.visit((session) => void session.data.basket.push('tea'))
    const visitor = new Visitor(next.sessions, old.cookie)
    const before = store.puts
    expect(await visitor.visit((session) => ({ ...session.data }))).toEqual({ cart: [tea], theme: 'light' })
    expect([store.puts - before, asked]).toEqual([0, [1]])
    expect(next.told.errors).toEqual([])
  })

  it('writes its own version at the first change, and migrates no more', async () => {
    const { asked, old, next } = releases()
    await old.visit((session) => void session.data.basket.push('tea'))
    const visitor = new Visitor(next.sessions, old.cookie)
    await visitor.visit((session) => void (session.data.theme = 'dark'))
    asked.length = 0
    expect(await visitor.read()).toEqual({ cart: [tea], theme: 'dark' })
    expect(await textOf(next, visitor.cookie!.slice(4, 20))).toMatch(/^2\n/)
    expect(asked).toEqual([])
  })

  it('is unknown to the older one, which refuses to read or replace its data, and says so', async () => {
    const { store, next } = releases()
    await next.visitor.visit((session) => void session.data.cart.push(tea))
    const late = new Visitor(sessionsOf(store), next.visitor.cookie)
    const text = await textOf(next, next.visitor.cookie!.slice(4, 20))
    const newer = { code: 'ERR_SOJOURN_DATA_NEWER', status: 503 }
    await expect(late.visit((session) => session.data)).rejects.toMatchObject(newer)
    await expect(late.visit((session) => void (session.data = { basket: [] }))).rejects.toMatchObject(newer)
    await expect(late.visit(async (session) => await session.update(() => {}))).rejects.toMatchObject(newer)
    await expect(late.visit((session) => session.flash('info', 'hi'))).rejects.toMatchObject(newer)
    await expect(late.visit(async (session) => await session.login('ada'))).rejects.toMatchObject(newer)
    expect(await textOf(next, next.visitor.cookie!.slice(4, 20))).toBe(text)
    expect(await next.visitor.read()).toEqual({ cart: [tea], theme: 'light' })
  })

  it('leaves the older one its requests that never look, and its logouts', async () => {
    const { store, next } = releases()
    await next.visitor.visit(async (session) => await session.login('ada'))
    const late = new Visitor(sessionsOf(store), next.visitor.cookie)
    expect(await late.visit((session) => [session.userId, session.isNew])).toEqual(['ada', false])
    await late.visit(async (session) => await session.logout())
    expect([late.cookie, (await next.visitor.open()).userId]).toEqual([null, null])
  })

  it('whose migration fails sets the data aside', async () => {
    const { store, old } = releases()
    await old.visit((session) => void session.data.basket.push('tea'))
    const migrate = (): never => {
      throw new Error('a mistake')
    }
    const broken = site({ store, schemaVersion: 2, migrate })
    const visitor = new Visitor(broken.sessions, old.cookie)
    expect(await visitor.read()).toEqual({ cart: [], theme: 'light' })
    expect(broken.told.of('error')).toMatchObject([{ error: { code: 'ERR_SOJOURN_DATA_UNREADABLE', cause: { message: 'a mistake' } } }])
    expect(await broken.sessions.setAside(old.cookie!.slice(4, 20))).toBe('1\n{"basket":["tea"]}')
  })

  function sessionsOf(store: DelayedStore) {
    return createSessions<{ basket: string[] }>({ store, initial: () => ({ basket: [] }) })
  }
})

describe('the path in an error about data', () => {
  const failing = (path: readonly (PropertyKey | { key: PropertyKey })[] | undefined, message = 'Wrong'): StandardSchema<object> => ({
    '~standard': { version: 1, vendor: 'own', validate: () => ({ issues: [{ message, ...(path !== undefined && { path }) }] }) },
  })

  it.each([
    [undefined, 'Session data does not fit the schema: Wrong.'],
    [[], 'Session data does not fit the schema: Wrong.'],
    [['cart', 0, { key: 'qty' }], 'Session data does not fit the schema at cart[0].qty: Wrong.'],
    [[{ key: 'a b' }, Symbol('s')], 'Session data does not fit the schema at ["a b"]["Symbol(s)"]: Wrong.'],
  ])('of %j is told as %s', (path, message) => {
    expect(() => validate(failing(path), {})).toThrow(expect.objectContaining({ code: 'ERR_SOJOURN_DATA_INVALID', message }))
  })

  it('is left out where the schema gives no issue at all', () => {
    const silent: StandardSchema<object> = { '~standard': { version: 1, vendor: 'own', validate: () => ({ issues: [] }) } }
    expect(() => validate(silent, {})).toThrow(
      expect.objectContaining({ message: 'Session data does not fit the schema: no reason given.' }),
    )
  })
})
