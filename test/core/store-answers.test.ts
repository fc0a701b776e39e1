import express from 'express'
import { inspect } from 'node:util'
import { describe, expect, test } from 'vitest'
import { session } from '../../src/adapters/express.ts'
import { withSession } from '../../src/adapters/node.ts'
import type { Sessions } from '../../src/core/sessions.ts'
import type { Session } from '../../src/core/session.ts'
import type { Maybe, SessionRecord } from '../../src/core/store.ts'
import { createSessions, type SessionsOptions } from '../../src/sessions.ts'
import { memory } from '../../src/stores/memory.ts'
import { collect } from '../../src/testing/store-cases/rule.ts'
import { HttpVisitor, serve } from './http-visitor.ts'
import { StoreOver, turn } from './store-over.ts'
import { Visitor } from './visitor.ts'

/*
 * A cache or a proxy in front of a store, or a client that resolves with an error instead of rejecting, brings answers that the
 * contract does not know. Taken for "yes" such an answer lets somebody in, or acknowledges what was not done (CVE-2026-73421).
 */

interface Data {
  count: number
}

/** A store whose reads, writes or lists can be made to answer something else: at once or later. */
class Odd extends StoreOver {
  answers: { get?: (record: SessionRecord) => unknown; put?: unknown; list?: unknown } = {}
  readonly #later: boolean

  constructor(later: boolean) {
    super(memory())
    this.#later = later
  }

  #answer<T>(answer: T): Maybe<T> {
    return this.#later ? turn().then(() => answer) : answer
  }

  override get(id: string): Maybe<SessionRecord | null> {
    const record = this.next.get(id) as SessionRecord
    const { get } = this.answers
    return this.#answer(get === undefined ? record : (get(record) as SessionRecord))
  }

  override put(record: SessionRecord, expected: number): Maybe<boolean> {
    return this.#answer('put' in this.answers ? (this.answers.put as boolean) : (this.next.put(record, expected) as boolean))
  }

  override async *list(userId?: string): AsyncGenerator<SessionRecord> {
    if ('list' in this.answers) yield this.answers.list as SessionRecord
    yield* this.next.list(userId)
  }
}

type Handler = (opened: Session<Data>, path: string | undefined) => unknown

const adapters: Readonly<Record<string, (sessions: Sessions<Data>, handler: Handler) => Promise<string>>> = {
  withSession: async (sessions, handler) =>
    await serve(withSession(sessions, async (req, res, opened) => void res.end(JSON.stringify(await handler(opened, req.url))))),
  Express: async (sessions, handler) => {
    const app = express()
    app.set('env', 'test')
    app.use(session(sessions))
    app.use(async (req, res) => void res.end(JSON.stringify(await handler(sessions.of(req), req.url))))
    return await serve(app)
  },
}

const handler: Handler = async (opened, path) => {
  if (path === '/add') opened.data.count++
  if (path === '/login') await opened.login('alan')
  if (path === '/logout') await opened.logout()
  return opened.userId
}

async function begin(later: boolean, options: Partial<SessionsOptions<Data>> = {}) {
  const store = new Odd(later)
  const sessions = createSessions<Data>({ ...options, store, initial: () => ({ count: 0 }) })
  const errors: string[] = []
  sessions.on('error', ({ error }) => errors.push(error.code))
  const member = new Visitor(sessions)
  await member.visit(async (opened) => await opened.login('ada'))
  return { store, sessions, errors, cookie: member.cookie! }
}

const noRecords: [what: string, answer: (record: SessionRecord) => unknown][] = [
  ['an Error', () => new Error('connection lost')],
  ['an object that tells of an error', () => ({ error: 'timeout' })],
  ['undefined', () => undefined],
  ['true', () => true],
  ['a text', () => 'ERR max number of clients reached'],
  ['an empty list', () => []],
  ['a record as text', (record) => JSON.stringify(record)],
  ['the record of another session', (record) => ({ ...record, id: 'A'.repeat(16) })],
  ['a record without a head', (record) => ({ ...record, head: undefined })],
  ['a record whose user is no text', (record) => ({ ...record, userId: { isAdmin: true } })],
  ['a record that never expires', (record) => ({ ...record, expiresAt: Infinity })],
  ['a record whose expiry is no number', (record) => ({ ...record, expiresAt: Number.NaN })],
  ['a record whose beginning is no number', (record) => ({ ...record, createdAt: '2026-01-01' })],
  ['a record without a version', (record) => ({ ...record, version: null })],
]

const noWrites: [what: string, answer: unknown][] = [
  ['an Error', new Error('READONLY')],
  ['an object that tells of an error', { ok: false, error: 'READONLY' }],
  ['a text', 'OK'],
  ['1', 1],
  ['undefined', undefined],
  ['null', null],
]

describe.each([
  ['at once', false],
  ['later', true],
])('a store that answers %s', (_, later) => {
  describe.each(Object.entries(adapters))('through %s', (__, start) => {
    test.each(noRecords)('a read with %s lets nobody in: the request is answered 503', async (_what, answer) => {
      const { store, sessions, cookie } = await begin(later)
      let calls = 0
      const url = await start(sessions, (opened, path) => (calls++, handler(opened, path)))
      store.answers.get = answer
      const response = await fetch(url, { headers: { cookie } })
      expect([response.status, response.headers.get('retry-after'), response.headers.getSetCookie()]).toEqual([503, '1', []])
      expect(calls).toBe(0)
      store.answers = {}
      expect((await new HttpVisitor(url, cookie).get('/')).body).toBe('"ada"')
    })

    test.each(noWrites)('a write with %s is not taken for one that landed', async (_what, answer) => {
      const { store, sessions, cookie } = await begin(later)
      const url = await start(sessions, handler)
      const before = await collect(store.next.list())
      store.answers.put = answer
      for (const path of ['/add', '/login', '/logout']) {
        for (const shown of [cookie, null]) {
          if (shown === null && path === '/logout') continue
          const { status, setCookies } = await new HttpVisitor(url, shown).post(path)
          expect([status, setCookies], path).toEqual([503, []])
        }
      }
      expect(await collect(store.next.list())).toEqual(before)
      store.answers = {}
      expect((await new HttpVisitor(url, cookie).get('/')).body).toBe('"ada"')
    })
  })

  test.each([
    ['an Error', new Error('connection lost')],
    ['undefined', undefined],
    ['a record without a head', { id: 'A'.repeat(16), userId: 'ada', expiresAt: 1e15 }],
  ])('a list with %s in it ends nobody’s sessions in name only, and counts for no limit', async (_what, answer) => {
    const { store, sessions, cookie } = await begin(later, { maxPerUser: { count: 5, beyond: 'refuse' } })
    store.answers.list = answer
    const failed = { code: 'ERR_SOJOURN_STORE', status: 503 }
    await expect(sessions.endUser('ada')).rejects.toMatchObject(failed)
    const list = async (): Promise<void> => {
      for await (const info of sessions.listByUser('ada')) expect(info.userId).toBe('ada')
    }
    await expect(list()).rejects.toMatchObject(failed)
    await expect(new Visitor(sessions).visit(async (opened) => await opened.login('ada'))).rejects.toMatchObject(failed)
    store.answers = {}
    expect(await new Visitor(sessions, cookie).visit(({ userId }) => userId)).toBe('ada')
    expect(await sessions.endUser('ada')).toBe(1)
  })

  test('what is told of it names the store and the verb, and holds nothing of the answer', async () => {
    const { store, sessions, cookie } = await begin(later)
    store.answers.get = (record) => ({ ...record, version: 'a secret' })
    const error = await sessions.open(new Headers({ cookie })).catch((failure: unknown) => failure)
    expect(error).toMatchObject({ code: 'ERR_SOJOURN_STORE', message: expect.stringMatching(/a test's, over memory.*'get'/) as unknown })
    expect(inspect(error, { depth: 9 })).not.toMatch(/a secret|ada/)
  })

  test('with onStoreError: anonymous the request goes on without the session, and it is told', async () => {
    const { store, sessions, errors, cookie } = await begin(later, { onStoreError: 'anonymous' })
    store.answers.get = () => ({ userId: 'ada' })
    expect(await new Visitor(sessions, cookie).visit(({ userId }) => userId)).toBeNull()
    expect(errors).toEqual(['ERR_SOJOURN_STORE'])
  })
})
