import { describe, expect, onTestFinished, test } from 'vitest'
import type { Maybe, SessionRecord, Store } from '../../src/core/store.ts'
import { type RevocableSealedSessions, sealed, type SealedOptions } from '../../src/sealed.ts'
import { memory } from '../../src/stores/memory.ts'
import { fakeClock } from '../../src/testing/fake-clock.ts'
import { absolute, type Data, days, idle, initial, minutes, newKey, site, start, Visitor } from './site.ts'

/** A memory store that answers at once or later, that counts reads, and that can be away. */
class List {
  readonly #memory = memory()
  readonly #later: boolean
  reads: string[] = []
  /** How many of them asked for what is there now, past any cache. */
  fresh = 0
  isAway = false
  readonly store: Store

  constructor(later: boolean) {
    this.#later = later
    const answer = <T>(work: () => Maybe<T>): Maybe<T> => {
      if (!this.isAway) return this.#later ? Promise.resolve().then(work) : work()
      if (this.#later) return Promise.reject(new Error('connection lost'))
      throw new Error('connection lost')
    }
    const { list, sweep, touch } = this.#memory
    this.store = {
      ...this.#memory,
      name: 'list',
      list: list.bind(this.#memory),
      sweep: sweep.bind(this.#memory),
      touch: touch.bind(this.#memory),
      delete: (id) => this.#memory.delete(id),
      close: () => this.#memory.close(),
      get: (id, options) => {
        this.reads.push(id)
        if (options?.fresh === true) this.fresh++
        return answer(() => this.#memory.get(id, options))
      },
      put: (record, expected) => answer(() => this.#memory.put(record, expected)),
    }
  }

  async records(): Promise<SessionRecord[]> {
    const records: SessionRecord[] = []
    for await (const record of this.#memory.list()) records.push(record)
    return records
  }
}

interface Site extends Omit<ReturnType<typeof site>, 'sessions'> {
  readonly sessions: RevocableSealedSessions<Data>
  readonly list: List
}

function revocable(later: boolean, options: Partial<Omit<SealedOptions<Data>, 'initial'>> = {}): Site {
  const list = new List(later)
  const clock = fakeClock(start)
  const keys = [newKey()]
  const sessions = sealed<Data>({ keys, initial, clock, ...options, revocations: list.store })
  onTestFinished(() => sessions.close())
  const events: { name: string; event: unknown }[] = []
  for (const name of ['created', 'loggedIn', 'ended', 'error'] as const) sessions.on(name, (event) => events.push({ name, event }))
  const told = ((name: string) => events.filter((event) => event.name === name).map(({ event }) => event)) as Site['told']
  return {
    list,
    clock,
    keys,
    sessions,
    told,
    errors: () => told('error').map(({ error }) => error.code),
    visitor: () => new Visitor(sessions),
  }
}

const member = async ({ visitor }: Pick<Site, 'visitor'>, userId = 'ada', remember = false): Promise<Visitor> => {
  const ada = visitor()
  await ada.visit((session) => session.login(userId, { remember }))
  return ada
}

test('without a list a copy of the cookie is good after logout, as the documentation says', async () => {
  const ada = await member(site())
  const thief = ada.copy()
  await ada.visit((session) => session.logout())
  expect(await thief.user()).toBe('ada')
})

describe.each([
  ['at once', false],
  ['later', true],
])('with a list in a store that answers %s', (_how, later) => {
  test('a logout is real: a copy of the cookie opens nothing any more', async () => {
    const at = revocable(later)
    const ada = await member(at)
    const thief = ada.copy()
    const { id } = await ada.open()
    await ada.visit((session) => session.logout())
    expect([await ada.user(), await thief.user()]).toEqual([null, null])
    expect(at.told('ended')).toEqual([{ id, userId: 'ada', reason: 'logout' }])
  })

  test('a login ends the old ID', async () => {
    const at = revocable(later)
    const ada = at.visitor()
    await ada.visit(({ data }) => void data.cart.push('tea'))
    const before = ada.copy()
    await ada.visit((session) => session.login('ada'))
    expect((await before.open()).data.cart).toEqual([])
    expect((await ada.open()).data.cart).toEqual(['tea'])
  })

  test('an open costs one read, of a logged-in session two; without a session none', async () => {
    const at = revocable(later)
    const ada = at.visitor()
    await ada.open()
    expect(at.list.reads).toEqual([])
    await ada.visit(({ data }) => void data.cart.push('tea'))
    at.list.reads = []
    const { id } = await ada.open()
    expect(at.list.reads).toEqual([id])

    await ada.visit((session) => session.login('ada'))
    at.list.reads = []
    await ada.user()
    expect(at.list.reads).toHaveLength(2)
  })

  test('an entry stays until no seal of its session can open any more, and is swept then', async () => {
    const at = revocable(later)
    const [ada, bob] = [await member(at), await member(at, 'bob', true)]
    at.clock.advance(20 * minutes)
    for (const visitor of [ada, bob]) {
      await visitor.user()
      await visitor.visit((session) => session.logout())
    }
    const entries = (await at.list.records()).map(({ expiresAt, userId, data }) => ({ expiresAt, userId, data }))
    expect(entries.sort((one, other) => one.expiresAt - other.expiresAt)).toEqual([
      { expiresAt: start + absolute, userId: null, data: '' },
      { expiresAt: start + 90 * days, userId: null, data: '' },
    ])
    at.clock.set(start + absolute)
    expect(await at.sessions.sweep()).toBe(1)
    at.clock.set(start + 90 * days)
    expect(await at.sessions.sweep()).toBe(1)
    expect(await at.list.records()).toEqual([])
  })

  test('a slow request can not bring a session back that was logged out meanwhile: its write is refused', async () => {
    const at = revocable(later)
    const ada = await member(at)
    const slow = await ada.open()
    const reading = await ada.open()
    await ada.visit((session) => session.logout())

    slow.data.note = 'late'
    at.list.fresh = 0
    await expect(slow.commit()).rejects.toMatchObject({ code: 'ERR_SOJOURN_ENDED', status: 409 })
    expect(at.list.fresh, 'by what stands in the list now').toBe(2)
    expect((await slow.commit()).getSetCookie()).toEqual([])
    expect([slow.id, slow.userId]).toEqual([null, null])

    reading.touch()
    expect((await reading.commit()).getSetCookie(), 'nor does one that only reads').toEqual([])
  })

  test('a slow request can not write over the cookie of a login, nor take it back', async () => {
    const at = revocable(later)
    const ada = at.visitor()
    await ada.visit(({ data }) => void data.cart.push('tea'))
    const [writing, leaving] = [await ada.open(), await ada.open()]
    await ada.visit((session) => session.login('ada'))

    writing.data.cart.push('milk')
    await expect(writing.commit()).rejects.toMatchObject({ code: 'ERR_SOJOURN_ENDED' })
    await leaving.logout()
    expect((await leaving.commit()).getSetCookie()).toEqual([])
    expect(await ada.user()).toBe('ada')
  })

  test('what a refused request can do is log in', async () => {
    const at = revocable(later)
    const ada = await member(at)
    const slow = await ada.open()
    await ada.visit((session) => session.logout())
    slow.data.note = 'late'
    await expect(slow.commit()).rejects.toMatchObject({ code: 'ERR_SOJOURN_ENDED' })
    await slow.login('ada')
    ada.jar.take(await slow.commit())
    expect([await ada.user(), (await ada.open()).data.note]).toEqual(['ada', ''])
  })

  test('the login button pressed twice works', async () => {
    const at = revocable(later)
    const ada = at.visitor()
    await ada.visit(({ data }) => void data.cart.push('tea'))
    const [one, two] = [await ada.open(), await ada.open()]
    await one.login('ada')
    await two.login('ada')
    ada.jar.take(await one.commit())
    ada.jar.take(await two.commit())
    expect([await ada.user(), (await ada.open()).data.cart]).toEqual(['ada', ['tea']])
  })

  test('a session is ended by its ID', async () => {
    const at = revocable(later)
    const ada = await member(at)
    const { id } = await ada.open()
    await at.sessions.end(id!)
    await at.sessions.end(id!)
    expect(await ada.user()).toBeNull()
    expect(at.told('ended')).toEqual([{ id, userId: null, reason: 'ended' }])
    for (const odd of ['', 'x', `${id}x`, '../../etc/passwd', null]) await at.sessions.end(odd as string)
    expect(await at.list.records()).toHaveLength(1)
  })

  test("all of a user's sessions are cut off by one entry, but the one that is excepted, and but other users'", async () => {
    const at = revocable(later)
    const [phone, laptop, bob] = [await member(at), await member(at, 'ada', true), await member(at, 'bob')]
    const here = await laptop.open()
    await at.sessions.endUser('ada', { except: here.id })
    expect([await phone.user(), await laptop.user(), await bob.user()]).toEqual([null, 'ada', 'bob'])

    await at.sessions.endUser('ada')
    expect([await laptop.user(), await bob.user()]).toEqual([null, 'bob'])
    expect(
      (await at.list.records()).filter(({ createdAt }) => createdAt > start),
      'one entry',
    ).toHaveLength(1)
  })

  test("who hands the place of a user's cut-off to end() ends nobody, and it can be cut off all the same", async () => {
    const at = revocable(later)
    await at.sessions.endUser('ada')
    const [{ id: place } = { id: '' }] = await at.list.records()
    const other = revocable(later)
    const ada = await member(other)
    await other.sessions.end(place)
    expect(await ada.user()).toBe('ada')
    await other.sessions.endUser('ada')
    expect(await ada.user()).toBeNull()
  })

  test('who logs in after a cut-off is in, also in the same millisecond and by a clock that is behind', async () => {
    const at = revocable(later)
    await at.sessions.endUser('ada')
    expect(await (await member(at)).user()).toBe('ada')
    at.clock.advance(-5000)
    const ada = await member(at)
    expect(await ada.user()).toBe('ada')
    await at.sessions.endUser('ada')
    expect(await ada.user(), 'a cut-off by a clock that is behind cuts all the same').toBeNull()
  })

  test('a session that another process began by a clock that is a little ahead is cut off too', async () => {
    const at = revocable(later)
    at.clock.advance(5000)
    const ada = await member(at)
    at.clock.advance(-5000)
    await at.sessions.endUser('ada')
    at.clock.advance(5000)
    expect(await ada.user()).toBeNull()
  })

  test('a use after the cut-off does not bring a session back', async () => {
    const at = revocable(later)
    const ada = await member(at)
    const slow = await ada.open()
    at.clock.advance(idle / 2)
    await at.sessions.endUser('ada')
    slow.data.note = 'late'
    await expect(slow.commit()).rejects.toMatchObject({ code: 'ERR_SOJOURN_ENDED' })
  })

  test('a list that can not be read lets nobody in, and no logout or login is acknowledged', async () => {
    const at = revocable(later)
    const [ada, bob] = [await member(at), at.visitor()]
    const [writing, reading, leaving, entering] = [await ada.open(), await ada.open(), await ada.open(), await bob.open()]
    at.list.isAway = true

    const failure = { code: 'ERR_SOJOURN_STORE', status: 503 }
    await expect(ada.open()).rejects.toMatchObject(failure)
    writing.data.note = 'x'
    await expect(writing.commit()).rejects.toMatchObject(failure)
    await expect(leaving.logout()).rejects.toMatchObject(failure)
    expect([leaving.userId, (await leaving.commit()).getSetCookie()]).toEqual(['ada', []])
    await expect(entering.login('bob')).rejects.toMatchObject(failure)
    expect([entering.userId, (await entering.commit()).getSetCookie()]).toEqual([null, []])
    await expect(at.sessions.end('a'.repeat(16))).rejects.toMatchObject(failure)
    await expect(at.sessions.endUser('ada')).rejects.toMatchObject(failure)
    expect((await at.visitor().open()).isNew, 'who brings no session needs no list').toBe(true)

    expect(at.errors()).toEqual([])
    reading.touch()
    expect((await reading.commit()).getSetCookie()).toEqual([])
    expect(at.errors(), 'a use that can not be noted is told, and the request served').toEqual(['ERR_SOJOURN_STORE'])

    at.list.isAway = false
    expect(await ada.user()).toBe('ada')
  })
})

test('a list that does not answer is an error after storeTimeout', async () => {
  const { store } = new List(false)
  const sessions = sealed<Data>({
    keys: [newKey()],
    initial,
    revocations: { ...store, get: () => new Promise<null>(() => {}) },
    storeTimeout: '20ms',
  })
  onTestFinished(() => sessions.close())
  const ada = new Visitor(sessions)
  await ada.visit(({ data }) => void data.cart.push('tea'))
  await expect(ada.open()).rejects.toMatchObject({ code: 'ERR_SOJOURN_STORE', message: expect.stringContaining('within 20 ms') as string })
})

test('a store that drops an entry for want of room is told of', async () => {
  const { sessions, visitor, errors } = site({ revocations: memory({ maxBytes: '10 KB' }) })
  onTestFinished(() => sessions.close())
  for (let i = 0; i < 100; i++) {
    const ada = visitor()
    await ada.visit((session) => session.login('ada'))
    await ada.visit((session) => session.logout())
  }
  expect(new Set(errors())).toEqual(new Set(['ERR_SOJOURN_STORE_FULL']))
})

test('closing closes the store, once', async () => {
  const { store } = new List(false)
  let closed = 0
  const sessions = sealed({
    keys: [newKey()],
    revocations: {
      ...store,
      close() {
        closed++
      },
    },
  })
  await Promise.all([sessions.close(), sessions.close()])
  expect(closed).toBe(1)
})
