import express from 'express'
import { describe, expect, test } from 'vitest'
import { session } from '../../src/adapters/express.ts'
import { withSession } from '../../src/adapters/node.ts'
import type { Sessions } from '../../src/core/sessions.ts'
import type { Session } from '../../src/core/session.ts'
import type { Maybe, SessionRecord } from '../../src/core/store.ts'
import { createSessions } from '../../src/sessions.ts'
import { memory } from '../../src/stores/memory.ts'
import { HttpVisitor, serve } from './http-visitor.ts'
import { grace, renew, Site } from './site.ts'
import { StoreOver, turn } from './store-over.ts'
import { Visitor } from './visitor.ts'

interface Data {
  count: number
}

/** A store that can be away: each read and write fails, at once or later. */
class Away extends StoreOver {
  isAway = false
  puts = 0
  readonly #later: boolean

  constructor(later: boolean) {
    super(memory())
    this.#later = later
  }

  #answer<T>(verb: () => Maybe<T>): Maybe<T> {
    const act = () => {
      if (this.isAway) throw new Error('connection refused')
      return verb()
    }
    return this.#later ? turn().then(act) : act()
  }

  override get(id: string): Maybe<SessionRecord | null> {
    return this.#answer(() => super.get(id))
  }

  override put(record: SessionRecord, expected: number): Maybe<boolean> {
    this.puts++
    return this.#answer(() => super.put(record, expected))
  }

  /** What is stored, whether it is away or not. */
  async records(): Promise<SessionRecord[]> {
    const records: SessionRecord[] = []
    for await (const record of this.next.list()) records.push(record)
    return records
  }
}

const begin = async (later: boolean, onStoreError?: 'refuse' | 'anonymous') => {
  const store = new Away(later)
  const sessions = createSessions<Data>({ store, onStoreError, initial: () => ({ count: 0 }) })
  const errors: string[] = []
  sessions.on('error', ({ error }) => errors.push(error.code))
  const visitor = new Visitor(sessions)
  await visitor.visit(async (opened) => {
    await opened.login('ada')
    opened.data.count = 7
  })
  return { store, sessions, errors, visitor }
}

type Handler = (opened: Session<Data>) => unknown

const adapters: Readonly<Record<string, (sessions: Sessions<Data>, handler: Handler) => Promise<string>>> = {
  withSession: async (sessions, handler) =>
    await serve(withSession(sessions, async (_, res, opened) => void res.end(JSON.stringify(await handler(opened))))),
  Express: async (sessions, handler) => {
    const app = express()
    app.set('env', 'test')
    app.use(session(sessions))
    app.use(async (req, res) => void res.end(JSON.stringify(await handler(sessions.of(req)))))
    return await serve(app)
  },
}

describe.each([
  ['at once', false],
  ['later', true],
])('a store that fails %s', (_, later) => {
  describe.each(Object.entries(adapters))('through %s', (__, start) => {
    test('by default a request whose session can’t be read is answered 503 with Retry-After, until the store is back', async () => {
      const { store, sessions, visitor } = await begin(later)
      let calls = 0
      const url = await start(sessions, (opened) => {
        calls++
        return opened.userId
      })
      store.isAway = true
      const response = await fetch(url, { headers: { cookie: visitor.cookie! } })
      expect(response.status).toBe(503)
      expect(response.headers.get('retry-after')).toBe('1')
      expect(response.headers.getSetCookie()).toEqual([])
      expect(await response.text()).not.toContain(visitor.cookie!.slice(-32))
      expect(calls).toBe(0)
      expect((await fetch(url)).status).toBe(200)
      store.isAway = false
      expect((await new HttpVisitor(url, visitor.cookie).get('/')).body).toBe('"ada"')
    })

    test('anonymous: the request goes on as for a new visitor, keeps nothing, and leaves the cookie alone', async () => {
      const { store, sessions, errors, visitor } = await begin(later, 'anonymous')
      const url = await start(sessions, (opened) => [opened.userId, opened.id, opened.isNew, ++opened.data.count])
      const [before, puts] = [await store.records(), store.puts]
      store.isAway = true
      const browser = new HttpVisitor(url, visitor.cookie)
      const answer = await browser.get('/')
      expect(answer).toEqual({ status: 200, body: '[null,null,true,1]', setCookies: [] })
      // That it could not be read, and that what it wrote was not stored.
      expect(errors).toEqual(['ERR_SOJOURN_STORE', 'ERR_SOJOURN_STORE'])
      expect(store.puts).toBe(puts)
      store.isAway = false
      expect(await store.records()).toEqual(before)
      expect((await browser.get('/')).body).toMatch(/^\["ada","[\w-]{16}",false,8\]$/)
      expect(errors).toHaveLength(2)
    })
  })

  describe('an anonymous request', () => {
    test('that only reads is told of once', async () => {
      const { store, errors, visitor } = await begin(later, 'anonymous')
      store.isAway = true
      expect(await visitor.visit(({ data }) => data.count)).toBe(0)
      expect(errors).toEqual(['ERR_SOJOURN_STORE'])
    })

    test('can’t update, save or log out: each rejects, also once the store is back, and the session is as it was', async () => {
      const { store, visitor } = await begin(later, 'anonymous')
      const failure = { code: 'ERR_SOJOURN_STORE', status: 503 }
      store.isAway = true
      const opened = await visitor.open()
      for (const isAway of [true, false]) {
        store.isAway = isAway
        let runs = 0
        await expect(opened.update(() => void runs++)).rejects.toMatchObject(failure)
        expect(runs).toBe(0)
        opened.data.count++
        await expect(opened.save()).rejects.toMatchObject(failure)
        await expect(opened.logout()).rejects.toMatchObject(failure)
      }
      opened.renew()
      opened.touch()
      expect((await opened.commit()).getSetCookie()).toEqual([])
      expect(await visitor.visit(({ userId, data }) => [userId, data.count])).toEqual(['ada', 7])
    })

    test('can’t log in, once the store is back neither: the session that it could not read would stay; the next request can', async () => {
      const { store, visitor } = await begin(later, 'anonymous')
      const { cookie } = visitor
      store.isAway = true
      const opened = await visitor.open()
      await expect(opened.login('alan')).rejects.toMatchObject({ status: 503 })
      expect((await opened.commit()).getSetCookie()).toEqual([])
      store.isAway = false
      await expect(opened.login('alan')).rejects.toMatchObject({ status: 503 })
      await visitor.visit(async (next) => {
        await next.login('alan')
        next.data.count++
      })
      expect(visitor.cookie).not.toBe(cookie)
      expect(await visitor.visit(({ userId, data }) => [userId, data.count])).toEqual(['alan', 1])
    })

    test('is one too where the store fails while an outdated secret is looked into', async () => {
      const store = new Away(later)
      const site = new Site({ store, onStoreError: 'anonymous' })
      const owner = await site.member()
      const { token } = owner
      site.clock.advance(renew)
      await owner.visit()
      await owner.visit()
      site.clock.advance(2 * grace)
      const put = store.put.bind(store)
      store.put = () => {
        store.isAway = true
        throw new Error('connection refused')
      }
      const late = site.browser(undefined, token)
      expect(await late.send(({ userId, isNew }) => [userId, isNew])).toEqual([null, true])
      expect(late.setCookie).toBeNull()
      expect(site.errors).toHaveLength(1)
      expect(site.suspected).toEqual([])
      Object.assign(store, { put, isAway: false })
      expect(await owner.visit()).toBe('ada')
    })
  })
})

test.each(['ignore', null, true, ''])('onStoreError %j is refused', (onStoreError) => {
  expect(() => createSessions({ onStoreError: onStoreError as never })).toThrow(
    expect.objectContaining({ code: 'ERR_SOJOURN_OPTION', message: expect.stringContaining("'anonymous'") }),
  )
})
