import { describe, expect, it } from 'vitest'
import { withSession } from '../../src/adapters/node.ts'
import type { Session } from '../../src/core/session.ts'
import type { Store } from '../../src/core/store.ts'
import { createSessions } from '../../src/index.ts'
import { memory } from '../../src/stores/memory.ts'
import { fakeClock } from '../../src/testing/fake-clock.ts'
import { DelayedStore } from './delayed-store.ts'
import { HttpVisitor, serve } from './http-visitor.ts'
import { Recorder } from './recorder.ts'

interface Data {
  list: string[]
}

const minutes = 60_000

/** A door that a slow request waits at. */
class Door {
  readonly reached: Promise<void>
  readonly opened: Promise<void>
  open!: () => void
  arrive!: () => void

  constructor() {
    this.reached = new Promise((resolve) => (this.arrive = resolve))
    this.opened = new Promise((resolve) => (this.open = resolve))
  }
}

async function site(store: Store) {
  const clock = fakeClock()
  const sessions = createSessions<Data>({ store, clock, initial: () => ({ list: [] }) })
  const door = new Door()
  const slow = async (): Promise<void> => {
    door.arrive()
    await door.opened
  }
  const handlers: Record<string, (session: Session<Data>, item: string) => unknown> = {
    '/add': ({ data }, item) => void data.list.push(item),
    '/login': async (session, user) => await session.login(user),
    '/logout': async (session) => await session.logout(),
    '/flash': (session) => session.flash('info', 'hi'),
    '/read': () => {},
    '/slow/add': async ({ data }, item) => (await slow(), void data.list.push(item)),
    '/slow/read': async ({ data }) => (data.list.at(0), await slow()),
    '/slow/save': async (session, item) => (await slow(), session.data.list.push(item), await session.save()),
    '/slow/update': async (session, item) => (await slow(), await session.update((data) => data.list.push(item))),
    '/slow/login': async (session, user) => (await slow(), await session.login(user)),
    '/slow/handled': async (session, item) => {
      await slow()
      await session.update((data) => data.list.push(item)).catch((error: Error) => (session.flash('info', 'too late'), error))
    },
  }
  const listener = withSession(sessions, async (req, res, session) => {
    const { pathname, search } = new URL(req.url!, 'http://localhost')
    await handlers[pathname]!(session, search.slice(1))
    res.setHeader('Content-Type', 'application/json')
    res.end(JSON.stringify({ id: session.id, userId: session.userId, list: session.data.list }))
  })
  const url = await serve(listener)
  return { sessions, clock, door, told: new Recorder(sessions), visitor: () => new HttpVisitor(url) }
}

type Site = Awaited<ReturnType<typeof site>>

const read = async (visitor: HttpVisitor): Promise<Data & { id: string | null; userId: string | null }> =>
  JSON.parse((await visitor.get('/read')).body) as never

async function member(at: Site): Promise<HttpVisitor> {
  const visitor = at.visitor()
  await visitor.post('/add?tea')
  await visitor.post('/login?ada')
  return visitor
}

const nobody = { id: null, userId: null, list: [] }

describe.each<[name: string, open: () => Store]>([
  ['a store that answers at once', () => memory()],
  ['a store that answers later', () => new DelayedStore()],
])('with %s', (_name, open) => {
  describe('a slow request in flight over a logout', () => {
    it.each(['/slow/add', '/slow/save', '/slow/update'])('by POST %s gets 409, no cookie, and the session stays dead', async (path) => {
      const at = await site(open())
      const visitor = await member(at)
      const late = visitor.copy()
      const answer = late.post(`${path}?late`)
      await at.door.reached
      await visitor.post('/logout')
      at.door.open()
      expect(await answer).toMatchObject({
        status: 409,
        body: expect.stringContaining('ended while this request had it open') as unknown,
        setCookies: [],
      })
      expect(await read(late)).toEqual(nobody)
      expect(visitor.cookie).toBeNull()
      expect(at.told.of('created')).toHaveLength(1)
    })

    it('by POST is told of', async () => {
      const at = await site(open())
      const visitor = await member(at)
      const answer = visitor.copy().post('/slow/add?late')
      await at.door.reached
      const { id } = await read(visitor)
      await visitor.post('/logout')
      at.door.open()
      await answer
      expect(at.told.of('error')).toMatchObject([{ id, error: { code: 'ERR_SOJOURN_ENDED', status: 409 } }])
    })

    it('by GET passes, stores nothing, and is told of', async () => {
      const at = await site(open())
      const visitor = await member(at)
      const late = visitor.copy()
      const answer = late.get('/slow/add?late')
      await at.door.reached
      await visitor.post('/logout')
      at.door.open()
      expect(await answer).toMatchObject({ status: 200, setCookies: [] })
      expect(await read(late)).toEqual(nobody)
      expect(at.told.errors).toEqual(['ERR_SOJOURN_ENDED'])
    })

    it('that only reads passes, and there is nothing to tell', async () => {
      const at = await site(open())
      const visitor = await member(at)
      const answer = visitor.copy().post('/slow/read')
      await at.door.reached
      await visitor.post('/logout')
      at.door.open()
      expect(await answer).toMatchObject({ status: 200, setCookies: [] })
      expect(at.told.errors).toEqual([])
    })

    it('that deals with the loss itself answers as it likes', async () => {
      const at = await site(open())
      const visitor = await member(at)
      const answer = visitor.copy().post('/slow/handled?late')
      await at.door.reached
      await visitor.post('/logout')
      at.door.open()
      expect(await answer).toMatchObject({ status: 200, setCookies: [] })
      expect(at.told.errors).toEqual([])
    })

    it('that wants to log the same user in is refused', async () => {
      const at = await site(open())
      const visitor = await member(at)
      const late = visitor.copy()
      const answer = late.post('/slow/login?ada')
      await at.door.reached
      await visitor.post('/logout')
      at.door.open()
      expect(await answer).toMatchObject({ status: 409, setCookies: [] })
      expect(await read(late)).toEqual(nobody)
      for await (const { id } of at.sessions.listByUser('ada')) expect.unreachable(id)
    })
  })

  describe('a slow request in flight over a login', () => {
    it.each(['/slow/add', '/slow/save', '/slow/update'])(
      'by POST %s gets 409; nobody is logged out, and no cookie is clobbered',
      async (path) => {
        const at = await site(open())
        const visitor = at.visitor()
        await visitor.post('/add?tea')
        const late = visitor.copy()
        const answer = late.post(`${path}?late`)
        await at.door.reached
        await visitor.post('/login?ada')
        at.door.open()
        expect(await answer).toMatchObject({ status: 409, body: expect.stringContaining('new ID by a login') as unknown, setCookies: [] })
        expect(await read(visitor)).toMatchObject({ userId: 'ada', list: ['tea'] })
        expect(await read(late)).toEqual(nobody)
      },
    )

    it('by GET passes, stores nothing, and is told of', async () => {
      const at = await site(open())
      const visitor = at.visitor()
      await visitor.post('/add?tea')
      const answer = visitor.copy().get('/slow/add?late')
      await at.door.reached
      await visitor.post('/login?ada')
      at.door.open()
      expect(await answer).toMatchObject({ status: 200, setCookies: [] })
      expect(await read(visitor)).toMatchObject({ userId: 'ada', list: ['tea'] })
      expect(at.told.errors).toEqual(['ERR_SOJOURN_MOVED'])
    })

    it('that only reads goes on reading what it had', async () => {
      const at = await site(open())
      const visitor = at.visitor()
      await visitor.post('/add?tea')
      const answer = visitor.copy().post('/slow/read')
      await at.door.reached
      await visitor.post('/login?ada')
      await visitor.post('/add?secret gift')
      at.door.open()
      const { status, body, setCookies } = await answer
      expect([status, JSON.parse(body), setCookies]).toEqual([200, { id: expect.any(String) as unknown, userId: null, list: ['tea'] }, []])
      expect((await read(visitor)).userId).toBe('ada')
    })

    it('that is a login itself, works', async () => {
      const at = await site(open())
      const visitor = at.visitor()
      await visitor.post('/add?tea')
      const late = visitor.copy()
      const answer = late.post('/slow/login?ada')
      await at.door.reached
      await visitor.post('/login?ada')
      await visitor.post('/add?mug')
      at.door.open()
      expect(await answer).toMatchObject({ status: 200, setCookies: [expect.stringMatching(/^sid=/) as unknown] })
      for (const one of [visitor, late]) expect(await read(one)).toMatchObject({ userId: 'ada', list: ['tea', 'mug'] })
    })
  })

  describe('a request that comes with the old token after a login', () => {
    it.each(['/add?late', '/flash'])('and writes (%s) gets 409 and no cookie; by GET it passes, and is told of', async (path) => {
      const at = await site(open())
      const visitor = at.visitor()
      await visitor.post('/add?tea')
      const late = visitor.copy()
      await visitor.post('/login?ada')
      await visitor.post('/add?secret gift')
      expect(await late.post(path)).toMatchObject({ status: 409, body: expect.not.stringContaining('gift') as unknown, setCookies: [] })
      const answer = await late.get(path)
      expect(answer).toMatchObject({ status: 200, setCookies: [] })
      expect(answer.body).not.toContain('gift')
      expect(at.told.errors).toEqual(['ERR_SOJOURN_MOVED', 'ERR_SOJOURN_MOVED'])
      expect(await read(visitor)).toMatchObject({ userId: 'ada', list: ['tea', 'secret%20gift'] })
    })

    it('and only reads sees a new visitor, and gets no cookie', async () => {
      const at = await site(open())
      const visitor = await member(at)
      const late = visitor.copy()
      await visitor.post('/login?ada')
      const { status, body, setCookies } = await late.post('/read')
      expect([status, JSON.parse(body), setCookies]).toEqual([200, nobody, []])
      expect(at.told.errors).toEqual([])
    })
  })

  describe('a slow request in flight over a renewal', () => {
    it('lands, is given no cookie, and logs nobody out', async () => {
      const at = await site(open())
      const visitor = await member(at)
      const late = visitor.copy()
      const answer = late.post('/slow/add?late')
      await at.door.reached
      at.clock.advance(16 * minutes)
      // The first is given a new secret, the second shows it, so that the old one begins to close.
      const [given, shown] = [await visitor.get('/read'), await visitor.get('/read')]
      expect([given.setCookies.length, shown.setCookies.length, at.told.of('renewed').length]).toEqual([1, 0, 1])
      expect(visitor.cookie).not.toBe(late.cookie)
      at.door.open()
      expect(await answer).toMatchObject({ status: 200, setCookies: [] })
      for (const one of [visitor, late]) expect(await read(one)).toMatchObject({ userId: 'ada', list: ['tea', 'late'] })
      expect([at.told.errors, at.told.of('suspected')]).toEqual([[], []])
    })

    it('and a client that missed the answer goes on with the old one', async () => {
      const at = await site(open())
      const visitor = await member(at)
      at.clock.advance(16 * minutes)
      const missed = visitor.copy()
      expect((await visitor.copy().post('/add?mug')).setCookies).toHaveLength(1)
      const { cookie } = missed
      expect(await missed.post('/add?tent')).toMatchObject({ status: 200, setCookies: [] })
      expect(missed.cookie).toBe(cookie)
      expect(await read(missed)).toMatchObject({ userId: 'ada', list: ['tea', 'mug', 'tent'] })
    })
  })

  it('a slow request in flight over end(id) gets 409, and its client starts anew with the next', async () => {
    const at = await site(open())
    const visitor = await member(at)
    const answer = visitor.post('/slow/add?late')
    await at.door.reached
    const { id } = await read(visitor.copy())
    expect(await at.sessions.end(id!)).toBe(true)
    at.door.open()
    expect(await answer).toMatchObject({ status: 409, setCookies: [] })
    expect(await visitor.post('/add?anew')).toMatchObject({ status: 200, setCookies: [expect.stringMatching(/^sid=/) as unknown] })
    expect(await read(visitor)).toMatchObject({ userId: null, list: ['anew'] })
  })

  it('a slow request in flight over the idle timeout gets 409', async () => {
    const at = await site(open())
    const visitor = await member(at)
    const answer = visitor.post('/slow/add?late')
    await at.door.reached
    at.clock.advance(60 * minutes)
    at.door.open()
    expect(await answer).toMatchObject({ status: 409, setCookies: [] })
    expect(await read(visitor)).toEqual(nobody)
  })
})
