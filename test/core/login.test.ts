import { setTimeout as delay } from 'node:timers/promises'
import { describe, expect, it } from 'vitest'
import type { SessionRecord, Store } from '../../src/core/store.ts'
import { createSessions, type SessionsOptions } from '../../src/index.ts'
import { memory } from '../../src/stores/memory.ts'
import { fakeClock } from '../../src/testing/fake-clock.ts'
import { DelayedStore } from './delayed-store.ts'
import { Recorder } from './recorder.ts'
import { Visitor } from './visitor.ts'

interface Data {
  cart: string[]
  theme: string
}

const minutes = 60_000
const days = 24 * 60 * minutes

function site(store: Store = memory(), options: Omit<SessionsOptions<Data>, 'initial' | 'store' | 'clock'> = {}) {
  const clock = fakeClock()
  const sessions = createSessions<Data>({ ...options, store, clock, initial: () => ({ cart: [], theme: 'light' }) })
  return { clock, store, sessions, told: new Recorder(sessions), visitor: () => new Visitor(sessions) }
}

type Site = ReturnType<typeof site>

/** A visitor who put something into the cart; logged in, if a user is named. */
async function shopper(at: Site, userId?: string): Promise<Visitor<Data>> {
  const visitor = at.visitor()
  await visitor.visit(async (session) => {
    session.data.cart.push('tea')
    if (userId !== undefined) await session.login(userId)
  })
  return visitor
}

async function logIn(visitor: Visitor<Data>, userId = 'ada'): Promise<void> {
  await visitor.visit(async (session) => await session.login(userId))
}

async function who(visitor: Visitor<Data>): Promise<{ userId: string | null; cart: string[] }> {
  const { userId, data } = await visitor.open()
  return { userId, cart: data.cart }
}

async function recordsIn(store: Store): Promise<SessionRecord[]> {
  const records: SessionRecord[] = []
  for await (const record of store.list()) records.push(record)
  return records
}

async function liveOf({ sessions }: Site, userId: string): Promise<string[]> {
  const ids: string[] = []
  for await (const { id } of sessions.listByUser(userId)) ids.push(id)
  return ids
}

const add =
  (item: string) =>
  ({ data }: { data: Data }) =>
    void data.cart.push(item)

const stores: [name: string, open: () => Store][] = [
  ['a store that answers at once', () => memory()],
  ['a store that answers later', () => new DelayedStore()],
]

describe.each(stores)('a login, with %s', (_name, open) => {
  it('gives another ID, another secret and a new start, and the data come along', async () => {
    const at = site(open())
    const visitor = await shopper(at)
    const before = await visitor.open()
    const { cookie } = visitor
    at.clock.advance(5 * minutes)
    await visitor.visit(async (session) => {
      session.data.cart.push('mug')
      await session.login('ada')
      expect(session).toMatchObject({ userId: 'ada', createdAt: at.clock.now(), data: { cart: ['tea', 'mug'] } })
      session.data.cart.push('tent')
    })
    const after = await visitor.open()
    expect(after).toMatchObject({ userId: 'ada', isNew: false, data: { cart: ['tea', 'mug', 'tent'], theme: 'light' } })
    expect(after.id).not.toBe(before.id)
    expect(visitor.cookie!.slice(-32)).not.toBe(cookie!.slice(-32))
    expect(at.told.of('loggedIn')).toEqual([{ id: after.id, userId: 'ada', previousId: before.id }])
    expect([at.told.errors, at.told.conflicts, at.told.of('ended')]).toEqual([[], [], []])
  })

  it('makes a session of a new visitor', async () => {
    const at = site(open())
    const visitor = at.visitor()
    await visitor.visit(async (session) => {
      session.data.theme = 'dark'
      await session.login('ada')
    })
    expect(await visitor.open()).toMatchObject({ userId: 'ada', data: { cart: [], theme: 'dark' } })
    expect([at.told.of('loggedIn').length, at.told.of('loggedIn')[0]!.previousId, at.told.of('created')]).toEqual([1, null, []])
    expect(await recordsIn(at.store)).toHaveLength(1)
  })

  it('leaves the old token nothing to read', async () => {
    const at = site(open())
    const visitor = await shopper(at)
    const old = visitor.copy()
    await logIn(visitor)
    await visitor.visit(add('secret gift'))
    expect(await old.open()).toMatchObject({ id: null, userId: null, isNew: true, createdAt: null, data: { cart: [], theme: 'light' } })
    await expect(old.visit(add('lost'))).rejects.toMatchObject({ code: 'ERR_SOJOURN_MOVED', status: 409 })
    expect(await who(visitor)).toEqual({ userId: 'ada', cart: ['tea', 'secret gift'] })
  })

  it('sent again because its answer was lost works, with the data of the first, which stays', async () => {
    const at = site(open())
    const lost = await shopper(at)
    const visitor = lost.copy()
    await logIn(lost)
    await lost.visit(add('mug'))
    await logIn(visitor)
    expect(await who(visitor)).toEqual({ userId: 'ada', cart: ['tea', 'mug'] })
    expect(await who(lost)).toEqual({ userId: 'ada', cart: ['tea', 'mug'] })
    expect(await liveOf(at, 'ada')).toHaveLength(2)
    expect([at.told.errors, at.told.conflicts]).toEqual([[], []])
  })

  it('sent again brings what that request changed before it', async () => {
    const at = site(open())
    const lost = await shopper(at)
    const visitor = lost.copy()
    await logIn(lost)
    await visitor.visit(async (session) => {
      session.data.theme = 'dark'
      session.data.cart.push('mug')
      await session.login('ada')
    })
    expect(await visitor.read()).toEqual({ cart: ['tea', 'mug'], theme: 'dark' })
  })

  it('pressed twice at once works', async () => {
    const at = site(open())
    const visitor = await shopper(at)
    const twin = visitor.copy()
    await Promise.all([logIn(visitor), logIn(twin)])
    for (const one of [visitor, twin]) expect(await who(one)).toEqual({ userId: 'ada', cart: ['tea'] })
    expect(at.told.errors).toEqual([])
  })

  it('pressed ten times at once by a visitor works, and by a user who logs in anew', async () => {
    const at = site(open())
    for (const userId of [undefined, 'ada']) {
      const tabs = Array.from({ length: 10 }, () => null)
      const visitor = await shopper(at, userId)
      const twins = tabs.map(() => visitor.copy())
      await Promise.all(twins.map(async (twin) => await logIn(twin)))
      for (const twin of twins) expect(await who(twin)).toEqual({ userId: 'ada', cart: ['tea'] })
    }
    expect(at.told.errors).toEqual([])
  })

  it('follows the logins of the same user to the last', async () => {
    const at = site(open())
    const first = await shopper(at)
    const again = first.copy()
    await logIn(first)
    for (const item of ['mug', 'tent']) {
      await first.visit(add(item))
      await logIn(first)
    }
    await logIn(again)
    expect(await who(again)).toEqual({ userId: 'ada', cart: ['tea', 'mug', 'tent'] })
  })

  it('by the same user, as a step up, gives a new token and keeps the data', async () => {
    const at = site(open())
    const visitor = await shopper(at, 'ada')
    const [old, { id }] = [visitor.copy(), await visitor.open()]
    await logIn(visitor)
    expect(await who(visitor)).toEqual({ userId: 'ada', cart: ['tea'] })
    expect(await who(old)).toEqual({ userId: null, cart: [] })
    expect(await liveOf(at, 'ada')).toEqual([(await visitor.open()).id])
    expect(await at.sessions.end(id!)).toBe(false)
  })

  it('by another user starts from the initial data, also when what was there moved to the first user since', async () => {
    const at = site(open())
    const visitor = await shopper(at, 'ada')
    await visitor.visit(async (session) => {
      session.data.cart.push('of ada')
      session.flash('info', 'for ada')
      await session.login('alan')
      expect(session.data).toEqual({ cart: [], theme: 'light' })
      expect(session.flash('info')).toEqual([])
    })
    expect(await who(visitor)).toEqual({ userId: 'alan', cart: [] })

    const anonymous = await shopper(at)
    const other = anonymous.copy()
    await logIn(anonymous)
    await logIn(other, 'alan')
    expect(await who(other)).toEqual({ userId: 'alan', cart: [] })
    expect(await who(anonymous)).toEqual({ userId: 'ada', cart: ['tea'] })
  })

  it('by another user finds the data of that user’s login before it, and leaves what this request made of the first user’s', async () => {
    const at = site(open())
    const visitor = await shopper(at, 'ada')
    const session = await visitor.open()
    session.data.cart.push('of ada')
    const twin = visitor.copy()
    await logIn(twin, 'alan')
    await twin.visit(add('of alan'))
    await session.login('alan')
    expect(session.data.cart).toEqual(['of alan'])
    visitor.take(await session.commit())
    expect(await who(visitor)).toEqual({ userId: 'alan', cart: ['of alan'] })
  })

  it('by another user takes nothing that the handler changes while it is on its way', async () => {
    const at = site(open())
    const visitor = await shopper(at, 'ada')
    await visitor.visit(async (session) => {
      const login = session.login('alan')
      session.data.cart.push('of ada')
      await login
      expect(session.data.cart).toEqual([])
    })
    expect(await who(visitor)).toEqual({ userId: 'alan', cart: [] })
  })

  it('by two users at once leaves each of them with data that is no other user’s', async () => {
    const at = site(open())
    const visitor = await shopper(at)
    const twin = visitor.copy()
    await Promise.all([logIn(visitor, 'ada'), logIn(twin, 'alan')])
    const both = [await who(visitor), await who(twin)]
    expect(both.map(({ userId }) => userId)).toEqual(['ada', 'alan'])
    // The cart came along with whoever was first.
    expect(both.map(({ cart }) => cart.join()).toSorted()).toEqual(['', 'tea'])
  })

  it('merges what other requests changed since this one opened the session', async () => {
    const at = site(open())
    const visitor = await shopper(at)
    const session = await visitor.open()
    session.data.cart.push('mine')
    await visitor.copy().visit(({ data }) => void (data.cart.push('other'), (data.theme = 'dark')))
    await session.login('ada')
    expect(session.data).toEqual({ cart: ['tea', 'other', 'mine'], theme: 'dark' })
    visitor.take(await session.commit())
    expect(await visitor.read()).toEqual({ cart: ['tea', 'other', 'mine'], theme: 'dark' })
  })

  it('tells what collided there', async () => {
    const at = site(open())
    const visitor = await shopper(at)
    const session = await visitor.open()
    session.data.theme = 'mine'
    await visitor.copy().visit(({ data }) => void (data.theme = 'other'))
    await session.login('ada')
    expect([at.told.conflicts, session.data.theme]).toEqual([[['theme']], 'mine'])
  })

  it('keeps the objects that the handler holds', async () => {
    const at = site(open())
    const visitor = await shopper(at)
    await visitor.visit(async (session) => {
      const { data } = session
      const { cart } = data
      await visitor.copy().visit(add('other'))
      await session.login('ada')
      cart.push('mine')
      expect([session.data === data, data.cart === cart]).toEqual([true, true])
    })
    expect(await who(visitor)).toEqual({ userId: 'ada', cart: ['tea', 'other', 'mine'] })
  })
})

it('a change at the moment of a login either comes along or is refused; never is it answered and lost', async () => {
  for (let round = 0; round < 20; round++) {
    const at = site(new DelayedStore(memory(), 2))
    const visitor = await shopper(at)
    const twin = visitor.copy()
    const [login, change] = await Promise.allSettled([
      delay(round / 2).then(async () => await logIn(visitor)),
      delay(5).then(async () => await twin.visit(add('mug'))),
    ])
    expect(login.status).toBe('fulfilled')
    if (change.status === 'rejected') expect(change.reason).toMatchObject({ code: 'ERR_SOJOURN_MOVED' })
    const { cart } = await who(visitor)
    expect(cart).toEqual(change.status === 'fulfilled' ? ['tea', 'mug'] : ['tea'])
  }
})

describe('what comes along at a login', () => {
  it('is what `carry` chooses, of the merged data', async () => {
    const at = site()
    const visitor = await shopper(at)
    const session = await visitor.open()
    session.data.theme = 'dark'
    await visitor.copy().visit(add('mug'))
    await session.login('ada', { carry: ({ cart }) => ({ cart, theme: 'user' }) })
    visitor.take(await session.commit())
    expect(await visitor.read()).toEqual({ cart: ['tea', 'mug'], theme: 'user' })
  })

  it('is not asked of `carry` for another user', async () => {
    const at = site()
    const visitor = await shopper(at, 'ada')
    await visitor.visit(async (session) => await session.login('alan', { carry: () => expect.unreachable() }))
    expect(await who(visitor)).toEqual({ userId: 'alan', cart: [] })
  })

  it('is a copy in the hands of `carry`', async () => {
    const at = site()
    const visitor = await shopper(at)
    const held: Data[] = []
    await visitor.visit(async (session) => {
      const carry = (data: Data): Data => {
        held.push(data)
        return data
      }
      await session.login('ada', { carry })
      held[0]!.cart.push('never')
    })
    expect(await who(visitor)).toEqual({ userId: 'ada', cart: ['tea'] })
  })

  it.each([
    ['a function', { carry: () => ({ cart: [(() => {}) as never], theme: '' }) }, 'ERR_SOJOURN_DATA_UNENCODABLE'],
    [
      'an error that `carry` throws',
      {
        carry: () => {
          throw new RangeError('no')
        },
      },
      undefined,
    ],
  ])('is not %s: nobody is logged in then', async (_what, options, code) => {
    const at = site()
    const visitor = await shopper(at)
    await expect(visitor.visit(async (session) => await session.login('ada', options))).rejects.toMatchObject(
      code === undefined ? { message: 'no' } : { code },
    )
    expect(await who(visitor)).toEqual({ userId: null, cart: ['tea'] })
    expect(await recordsIn(at.store)).toHaveLength(1)
  })
})

describe('`remember`', () => {
  it('keeps the cookie over the browser’s end, and the session by the timeouts of remembered logins', async () => {
    const at = site()
    const visitor = at.visitor()
    const session = await visitor.open()
    await session.login('ada', { remember: true })
    const headers = await session.commit()
    expect(headers.getSetCookie()).toEqual([expect.stringContaining(`; Max-Age=${(90 * days) / 1000};`)])
    visitor.take(headers)
    at.clock.advance(13 * days)
    expect(await who(visitor)).toEqual({ userId: 'ada', cart: [] })
    at.clock.advance(15 * days)
    expect(await who(visitor)).toEqual({ userId: null, cart: [] })
  })

  it('ends with the absolute timeout, on the server, however busy', async () => {
    const at = site()
    const visitor = at.visitor()
    await visitor.visit(async (session) => await session.login('ada', { remember: true }))
    for (let day = 0; day < 90; day += 10) {
      expect((await visitor.open()).userId).toBe('ada')
      await visitor.visit((session) => session.touch())
      at.clock.advance(10 * days)
    }
    expect((await visitor.open()).userId).toBeNull()
  })

  it('is forgotten by a login without it, which ends as any visit does', async () => {
    const at = site()
    const visitor = at.visitor()
    await visitor.visit(async (session) => await session.login('ada', { remember: true }))
    const session = await visitor.open()
    await session.login('ada')
    const headers = await session.commit()
    expect(headers.getSetCookie()[0]).not.toContain('Max-Age')
    visitor.take(headers)
    at.clock.advance(40 * minutes)
    expect((await visitor.open()).userId).toBeNull()
  })
})

describe('`epoch`', () => {
  it.each([
    [1, 1],
    ['b', 'b'],
  ])('%j lets in where it is still the user’s', async (given, current) => {
    const at = site(memory(), { epoch: async () => await delay(1, current) })
    const visitor = await shopper(at)
    await visitor.visit(async (session) => await session.login('ada', { epoch: given }))
    expect(await who(visitor)).toEqual({ userId: 'ada', cart: ['tea'] })
  })

  it.each([
    [1, 2],
    [1, '1'],
    [1, null],
    ['a', 'b'],
  ])('%j is refused where it is %j by now: nothing is left in the store, and the old session stays', async (given, current) => {
    const at = site(new DelayedStore(), { epoch: () => current })
    const visitor = await shopper(at)
    const before = await recordsIn(at.store)
    const { cookie } = visitor
    await visitor.visit(async (session) => {
      await expect(session.login('ada', { epoch: given })).rejects.toMatchObject({ code: 'ERR_SOJOURN_LOGIN_REFUSED', status: 403 })
      expect(session.userId).toBeNull()
    })
    expect(await recordsIn(at.store)).toEqual(before)
    expect([visitor.cookie, at.told.of('loggedIn')]).toEqual([cookie, []])
    expect(await who(visitor)).toEqual({ userId: null, cart: ['tea'] })
  })

  it('is compared after the new session was stored, so that whoever ends the user’s sessions after raising it finds this one', async () => {
    const at = site(memory(), { epoch: async () => ((await liveOf(at, 'ada')).length === 1 ? 'stored' : 'not yet') })
    const visitor = await shopper(at)
    await visitor.visit(async (session) => await session.login('ada', { epoch: 'stored' }))
    expect((await visitor.open()).userId).toBe('ada')
  })

  it('whose look-up fails logs nobody in', async () => {
    const at = site(memory(), { epoch: async () => await Promise.reject(new Error('database down')) })
    const visitor = await shopper(at)
    await expect(visitor.visit(async (session) => await session.login('ada', { epoch: 1 }))).rejects.toThrow('database down')
    expect(await who(visitor)).toEqual({ userId: null, cart: ['tea'] })
    expect(await recordsIn(at.store)).toHaveLength(1)
  })

  it('without a look-up to compare it with is a mistake that is told', async () => {
    const at = site()
    const visitor = await shopper(at)
    await expect(visitor.visit(async (session) => await session.login('ada', { epoch: 1 }))).rejects.toMatchObject({
      code: 'ERR_SOJOURN_OPTION',
      message: expect.stringContaining('`epoch: (userId) => …`') as unknown,
    })
    expect(await recordsIn(at.store)).toHaveLength(1)
  })
})

describe('a login on a session that is no more', () => {
  it('that had expired is that of a new visitor', async () => {
    const at = site()
    const visitor = await shopper(at)
    at.clock.advance(60 * minutes)
    await logIn(visitor)
    expect(await who(visitor)).toEqual({ userId: 'ada', cart: [] })
  })

  it('that had no user and ended meanwhile starts from the initial data', async () => {
    const at = site()
    const visitor = await shopper(at)
    const session = await visitor.open()
    session.data.cart.push('mug')
    await at.sessions.end(session.id!)
    await session.login('ada')
    visitor.take(await session.commit())
    expect(await who(visitor)).toEqual({ userId: 'ada', cart: [] })
  })

  it.each(['logged out', 'ended'])('that was the user’s own and was %s meanwhile fails, and leaves nothing in the store', async (how) => {
    const at = site(new DelayedStore())
    const visitor = await shopper(at, 'ada')
    const session = await visitor.open()
    if (how === 'ended') await at.sessions.end(session.id!)
    else await visitor.copy().visit(async (twin) => await twin.logout())
    await expect(session.login('ada')).rejects.toMatchObject({ code: 'ERR_SOJOURN_ENDED', status: 409 })
    expect([await liveOf(at, 'ada'), at.told.of('loggedIn').length]).toEqual([[], 1])
    expect((await session.commit()).getSetCookie()).toEqual([])
  })

  it('that this request found to be gone is that of a new visitor', async () => {
    const at = site()
    const visitor = await shopper(at, 'ada')
    await visitor.visit(async (session) => {
      await at.sessions.end(session.id!)
      session.data.cart.push('mug')
      await expect(session.save()).rejects.toMatchObject({ code: 'ERR_SOJOURN_ENDED' })
      await session.login('ada')
    })
    expect(await who(visitor)).toEqual({ userId: 'ada', cart: [] })
  })

  it('does not follow a login of the same user whose session was logged out since', async () => {
    const at = site()
    const first = await shopper(at)
    const again = first.copy()
    await logIn(first)
    await first.visit(async (session) => await session.logout())
    await logIn(again)
    expect(await who(again)).toEqual({ userId: 'ada', cart: [] })
  })
})

describe('the user of a login', () => {
  it.each(['', undefined, null, 5, {}])('is not %j', async (userId) => {
    const visitor = site().visitor()
    await expect(visitor.visit(async (session) => await session.login(userId as string))).rejects.toMatchObject({
      code: 'ERR_SOJOURN_OPTION',
    })
    expect(visitor.cookie).toBeNull()
  })

  it.each(['__proto__', 'constructor', 'o’brien', '用户', 'a'.repeat(500), ' '])('may be called %s', async (userId) => {
    const at = site()
    const visitor = await shopper(at, userId)
    const old = visitor.copy()
    await logIn(visitor, userId)
    await logIn(old, userId)
    expect(await who(visitor)).toEqual({ userId, cart: ['tea'] })
    expect(await liveOf(at, userId)).toHaveLength(2)
    expect(await at.sessions.endUser(userId)).toBe(2)
  })
})
