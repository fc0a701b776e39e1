import { setTimeout as delay } from 'node:timers/promises'
import { describe, expect, it } from 'vitest'
import type { Store } from '../../src/core/store.ts'
import { isSessionId } from '../../src/core/token.ts'
import { createSessions, type SessionsOptions } from '../../src/index.ts'
import { memory } from '../../src/stores/memory.ts'
import { fakeClock } from '../../src/testing/fake-clock.ts'
import { DelayedStore } from './delayed-store.ts'
import { Recorder } from './recorder.ts'
import { Counted } from './store-over.ts'
import { Visitor } from './visitor.ts'

interface Data {
  cart: string[]
}

const minutes = 60_000

function site(store: Store = memory(), options: Omit<SessionsOptions<Data>, 'initial' | 'store' | 'clock'> = {}) {
  const clock = fakeClock()
  const sessions = createSessions<Data>({ ...options, store, clock, initial: () => ({ cart: [] }) })
  return { clock, store, sessions, told: new Recorder(sessions), visitor: () => new Visitor(sessions) }
}

type Site = ReturnType<typeof site>

async function member(at: Site, userId = 'ada'): Promise<Visitor<Data>> {
  const visitor = at.visitor()
  await visitor.visit(async (session) => {
    session.data.cart.push('tea')
    await session.login(userId)
  })
  return visitor
}

async function shopper(at: Site): Promise<Visitor<Data>> {
  const visitor = at.visitor()
  await visitor.visit(add('tea'))
  return visitor
}

const logIn = async (visitor: Visitor<Data>, userId = 'ada'): Promise<void> =>
  await visitor.visit(async (session) => await session.login(userId))
const logOut = async (visitor: Visitor<Data>): Promise<void> => await visitor.visit(async (session) => await session.logout())
const add =
  (item: string) =>
  ({ data }: { data: Data }) =>
    void data.cart.push(item)
const userOf = async (visitor: Visitor<Data>): Promise<string | null> => (await visitor.open()).userId

async function list({ sessions }: Site, userId: string): Promise<string[]> {
  const ids: string[] = []
  for await (const { id } of sessions.listByUser(userId)) ids.push(id)
  return ids
}

describe.each<[name: string, open: () => Store]>([
  ['a store that answers at once', () => memory()],
  ['a store that answers later', () => new DelayedStore()],
])('a logout, with %s', (_name, open) => {
  it.each(['logout', 'destroy'] as const)('by %s() ends the session, takes the cookie back and is told of', async (verb) => {
    const at = site(open())
    const visitor = await member(at)
    const old = visitor.copy()
    const session = await visitor.open()
    const { id } = session
    await session[verb]()
    expect(session).toMatchObject({ id: null, userId: null, createdAt: null, lastSeenAt: null, expiresAt: null, data: { cart: [] } })
    const headers = await session.commit()
    expect(headers.getSetCookie()).toEqual(['sid=; Max-Age=0; Path=/; HttpOnly; SameSite=Lax'])
    expect(await old.open()).toMatchObject({ id: null, userId: null, isNew: true, data: { cart: [] } })
    expect(at.told.of('ended')).toEqual([{ id, userId: 'ada', reason: 'logout' }])
    expect(await list(at, 'ada')).toEqual([])
  })

  it('drops what the request changed before it', async () => {
    const at = site(open())
    const visitor = await member(at)
    await visitor.visit(async (session) => {
      session.data.cart.push('mug')
      session.flash('info', 'never seen')
      await session.logout()
    })
    expect(visitor.cookie).toBeNull()
    expect(at.told.of('created')).toEqual([])
  })

  it('of a new visitor stores nothing, and drops what the request changed as well', async () => {
    const at = site(open())
    const visitor = at.visitor()
    const session = await visitor.open()
    session.data.cart.push('mug')
    await session.logout()
    expect([...(await session.commit()).keys()]).toEqual(['cache-control'])
    expect(session.data).toEqual({ cart: [] })
    expect(at.told.all).toEqual([])
  })

  it('leaves the request a new session, which it can write to', async () => {
    const at = site(open())
    const visitor = await member(at)
    const old = visitor.copy()
    await visitor.visit(async (session) => {
      await session.logout()
      session.data.cart.push('anew')
    })
    expect(await visitor.open()).toMatchObject({ userId: null, data: { cart: ['anew'] } })
    expect(visitor.cookie!.slice(4, 20)).not.toBe(old.cookie!.slice(4, 20))
    expect(await userOf(old)).toBeNull()
  })

  it('pressed twice at once ends the session once', async () => {
    const at = site(open())
    const visitor = await member(at)
    const twin = visitor.copy()
    await Promise.all([logOut(visitor), logOut(twin)])
    expect(at.told.of('ended')).toHaveLength(1)
    expect([at.told.errors, await list(at, 'ada')]).toEqual([[], []])
  })

  it('is not undone by the commits that are on their way', async () => {
    const at = site(open())
    const visitor = await member(at)
    const tabs = Array.from({ length: 20 }, () => visitor.copy())
    const [, ...outcomes] = await Promise.allSettled([
      logOut(visitor.copy()),
      ...tabs.map(async (tab, i) => {
        await delay(i % 10)
        await tab.visit(add(`item ${i}`))
      }),
    ])
    for (const outcome of outcomes) {
      if (outcome.status === 'rejected')
        expect(outcome.reason).toMatchObject({ code: expect.stringMatching(/_(?:ENDED|MOVED)$/) as unknown, status: 409 })
    }
    expect(await userOf(visitor)).toBeNull()
    expect(await list(at, 'ada')).toEqual([])
    // Not even a tab that had it open can bring it back.
    expect(at.told.of('created')).toEqual([])
  })

  it('leaves its token nothing but a login for a grace, and after that a new start', async () => {
    const at = site(open())
    const visitor = await member(at)
    const late = visitor.copy()
    await logOut(visitor)
    await expect(late.visit(add('lost'))).rejects.toMatchObject({ code: 'ERR_SOJOURN_MOVED', status: 409 })
    const session = await late.open()
    expect([...(await session.commit()).keys()]).toEqual([])
    const again = late.copy()
    await logIn(again)
    expect(await userOf(again)).toBe('ada')
    at.clock.advance(2 * minutes)
    await late.visit(add('anew'))
    expect(await late.open()).toMatchObject({ userId: null, data: { cart: ['anew'] } })
  })
})

describe('a logout that meets the login of another request', () => {
  it.each(['before it came', 'while it was open'])('of the same user %s, ends what the session was moved to', async (when) => {
    const at = site(new DelayedStore())
    const visitor = await member(at)
    const tab = visitor.copy()
    const early = await tab.open()
    await logIn(visitor)
    const session = when === 'before it came' ? await tab.open() : early
    await session.logout()
    expect(await userOf(visitor)).toBeNull()
    expect(await list(at, 'ada')).toEqual([])
    expect(at.told.of('ended')).toMatchObject([{ userId: 'ada', reason: 'logout' }])
  })

  it('of the same user several times over, ends the last', async () => {
    const at = site()
    const visitor = await member(at)
    const [tab, ids] = [visitor.copy(), [] as (string | null)[]]
    for (let i = 0; i < 4; i++) {
      await logIn(visitor)
      ids.push((await visitor.open()).id)
    }
    await logOut(tab)
    expect(await list(at, 'ada')).toEqual([])
    expect(at.told.of('ended')).toEqual([{ id: ids[3], userId: 'ada', reason: 'logout' }])
  })

  it('of an anonymous visitor, leaves the user logged in, and the cookie alone', async () => {
    const at = site()
    const visitor = await shopper(at)
    const [early, late] = [await visitor.open(), visitor.copy()]
    await logIn(visitor)
    for (const session of [early, await late.open()]) {
      await session.logout()
      expect((await session.commit()).getSetCookie()).toEqual([])
    }
    expect(await userOf(visitor)).toBe('ada')
    expect(at.told.of('ended')).toEqual([])
  })

  it('as another user, leaves that one logged in', async () => {
    const at = site()
    const visitor = await member(at, 'ada')
    const tab = visitor.copy()
    await logIn(visitor, 'alan')
    await logOut(tab)
    expect(await userOf(visitor)).toBe('alan')
  })

  it('takes no cookie back that came with the login', async () => {
    const at = site()
    const visitor = await member(at)
    const late = visitor.copy()
    await logIn(visitor)
    const session = await late.open()
    await session.logout()
    expect((await session.commit()).getSetCookie()).toEqual([])
  })
})

describe('end(id)', () => {
  it('ends the session, once, and tells of it', async () => {
    const at = site()
    const visitor = await member(at)
    const { id } = await visitor.open()
    expect([await at.sessions.end(id!), await at.sessions.end(id!)]).toEqual([true, false])
    expect(await userOf(visitor)).toBeNull()
    expect(at.told.of('ended')).toEqual([{ id, userId: 'ada', reason: 'ended' }])
  })

  it('lets whoever shows the old token start anew at once', async () => {
    const at = site()
    const visitor = await member(at)
    const { id } = await visitor.open()
    await at.sessions.end(id!)
    await visitor.visit(add('anew'))
    const session = await visitor.open()
    expect(session).toMatchObject({ userId: null, data: { cart: ['anew'] } })
    expect(session.id).not.toBe(id)
    expect(at.told.errors).toEqual([])
  })

  it.each(['', 'AAAAAAAAAAAAAAAA', '../../etc/passwd', 'A'.repeat(48), null, undefined, {}])(
    'of %j, which is no session, ends none, and asks the store for nothing that is no ID',
    async (id) => {
      const store = new Counted(memory())
      const { sessions } = site(store)
      expect([await sessions.end(id as string), await sessions.setAside(id as string)]).toEqual([false, null])
      expect(store.calls).toMatchObject({ get: isSessionId(id) ? 2 : 0, put: 0, delete: 0 })
    },
  )

  it('of a session that has expired ends none', async () => {
    const at = site()
    const { id } = await (await member(at)).open()
    at.clock.advance(60 * minutes)
    expect(await at.sessions.end(id!)).toBe(false)
    expect(at.told.of('ended')).toEqual([])
  })
})

describe('endUser()', () => {
  it('ends all sessions of the user, and no others', async () => {
    const at = site()
    const [ada, elsewhere, alan, visitor] = [await member(at), await member(at), await member(at, 'alan'), await shopper(at)]
    expect(await at.sessions.endUser('ada')).toBe(2)
    expect(await Promise.all([ada, elsewhere, alan].map(userOf))).toEqual([null, null, 'alan'])
    expect(await visitor.read()).toEqual({ cart: ['tea'] })
    expect(await at.sessions.endUser('ada')).toBe(0)
    expect(await at.sessions.endUser('nobody')).toBe(0)
  })

  it('leaves the one that is excepted', async () => {
    const at = site(new DelayedStore())
    const here = await member(at)
    const others = await Promise.all(Array.from({ length: 5 }, async () => await member(at)))
    const { id } = await here.open()
    expect(await at.sessions.endUser('ada', { except: id })).toBe(5)
    expect(await userOf(here)).toBe('ada')
    expect(await Promise.all(others.map(userOf))).toEqual([null, null, null, null, null])
    expect(await list(at, 'ada')).toEqual([id])
  })

  it('meets sessions that change while it is at work', async () => {
    const at = site(new DelayedStore())
    const visitors = await Promise.all(Array.from({ length: 4 }, async () => await member(at)))
    const writes = visitors.flatMap((visitor) =>
      Array.from({ length: 5 }, async (_, i) => (await delay(i * 2), await visitor.copy().visit(add('more')))),
    )
    const [ended] = await Promise.all([at.sessions.endUser('ada'), Promise.allSettled(writes)])
    expect([ended, await list(at, 'ada')]).toEqual([4, []])
  })

  it('after the epoch was raised leaves none of those that log in at the same time with the old password', async () => {
    let [refused, admitted] = [0, 0]
    for (let round = 0; round < 10; round++) {
      let epoch = 1
      const at = site(new DelayedStore(memory(), 2), { epoch: () => epoch })
      const logIns = Array.from({ length: 6 }, async (_, i) => {
        // Some so late that whoever ends the sessions has looked for the last time.
        await delay(i * 15)
        await at.visitor().visit(async (session) => await session.login('ada', { epoch: 1 }))
      })
      const outcomes = Promise.allSettled(logIns)
      await delay(round * 9)
      epoch = 2
      await at.sessions.endUser('ada')
      for (const outcome of await outcomes) {
        if (outcome.status === 'rejected') expect(outcome.reason).toMatchObject({ code: 'ERR_SOJOURN_LOGIN_REFUSED' })
        if (outcome.status === 'rejected') refused++
        else admitted++
      }
      expect(await list(at, 'ada')).toEqual([])
    }
    expect([refused > 0, admitted > 0]).toEqual([true, true])
  })
})

describe('endAll()', () => {
  it('ends the sessions of all users and visitors but the one that is excepted, and tells of each', async () => {
    const at = site(new DelayedStore())
    const here = await member(at, 'grace')
    const others = [...(await Promise.all([member(at), member(at), member(at, 'alan')])), await shopper(at)]
    const { id } = await here.open()
    expect(await at.sessions.endAll({ except: id })).toBe(4)
    expect(await userOf(here)).toBe('grace')
    for (const other of others) expect(await other.open()).toMatchObject({ isNew: true, userId: null, data: { cart: [] } })
    expect(at.told.of('ended').map(({ userId, reason }) => [userId, reason])).toEqual(
      expect.arrayContaining(['ada', 'ada', 'alan', null].map((userId) => [userId, 'ended'])),
    )
    expect(at.told.of('ended')).toHaveLength(4)
    expect(await at.sessions.endAll()).toBe(1)
    expect(await at.sessions.endAll()).toBe(0)
  })

  it('meets sessions that change or log in while it is at work, and leaves no old token good', async () => {
    const at = site(new DelayedStore())
    const visitors = await Promise.all(Array.from({ length: 6 }, async () => await member(at)))
    const old = visitors.map((visitor) => visitor.copy())
    const work = visitors.flatMap((visitor, i) =>
      Array.from({ length: 4 }, async (_, turn) => {
        await delay(turn * 2)
        if (i === 0 && turn === 2) await logIn(visitor)
        else await visitor.copy().visit(add('more'))
      }),
    )
    await Promise.all([at.sessions.endAll(), Promise.allSettled(work)])
    expect(await Promise.all(old.map(userOf))).toEqual([null, null, null, null, null, null])
  })

  it('ends what a process whose clock is a little ahead began before it, and none that begins long after', async () => {
    const store = memory()
    const [at, ahead] = [site(store), site(store)]
    ahead.clock.advance(5_000)
    const [before, later] = [await member(ahead), site(store)]
    later.clock.advance(10_000)
    const after = await member(later)
    expect(await at.sessions.endAll()).toBe(1)
    expect([await userOf(before), await userOf(after)]).toEqual([null, 'ada'])
  })

  it('comes to its end while new visitors come as fast as it ends them', async () => {
    const store = memory()
    const at = site(store)
    const late = site(store)
    late.clock.advance(60_000)
    await Promise.all([shopper(at), shopper(at), shopper(at)])
    let came = 0
    at.sessions.on('ended', () => {
      if (came++ < 50) void shopper(late)
    })
    expect(await at.sessions.endAll()).toBe(3)
    expect(came).toBe(3)
  })
})

describe('listByUser()', () => {
  it('tells of live sessions alone, each with its device and times', async () => {
    const at = site()
    const start = at.clock.now()
    const agent = 'Mozilla/5.0 (X11; Linux x86_64; rv:143.0) Gecko/20100101 Firefox/143.0'
    const session = await at.sessions.open(new Headers({ 'user-agent': agent }))
    await session.login('ada')
    at.clock.advance(20 * minutes)
    await member(at, 'alan')
    const ended = await member(at)
    await logOut(ended)
    await logIn(await member(at))

    const told: unknown[] = []
    for await (const info of at.sessions.listByUser('ada')) told.push(info)
    expect(told).toHaveLength(2)
    expect(told[0]).toEqual({
      id: session.id,
      userId: 'ada',
      device: 'Firefox on Linux',
      createdAt: start,
      lastSeenAt: start,
      expiresAt: start + 33 * minutes,
    })
    expect(told[1]).toMatchObject({ userId: 'ada', device: null, createdAt: start + 20 * minutes })
    expect(JSON.stringify(told)).not.toMatch(/[\w-]{32}/)

    at.clock.advance(20 * minutes)
    expect(await list(at, 'ada')).toHaveLength(1)
  })

  it('can be left early', async () => {
    const at = site(new DelayedStore())
    await Promise.all([member(at), member(at)])
    for await (const { userId } of at.sessions.listByUser('ada')) {
      expect(userId).toBe('ada')
      break
    }
    expect(await list(at, 'ada')).toHaveLength(2)
  })
})
