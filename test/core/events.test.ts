import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import { setImmediate as tick } from 'node:timers/promises'
import { inspect } from 'node:util'
import { describe, expect, it, onTestFinished, vi } from 'vitest'
import { SojournError } from '../../src/core/errors.ts'
import { eventNames, Events, type EventName } from '../../src/core/events.ts'
import type { Store } from '../../src/core/store.ts'
import { createSessions } from '../../src/index.ts'
import { memory } from '../../src/stores/memory.ts'
import { fakeClock } from '../../src/testing/fake-clock.ts'
import { Recorder } from './recorder.ts'
import { Visitor } from './visitor.ts'

interface Data {
  cart: string[]
}

const [seconds, minutes] = [1000, 60_000]

function site(store: Store = memory()) {
  const clock = fakeClock()
  const sessions = createSessions<Data>({ store, clock, initial: () => ({ cart: [] }) })
  return { clock, sessions, told: new Recorder(sessions), visitor: () => new Visitor(sessions) }
}

type Site = ReturnType<typeof site>

const add =
  (item: string) =>
  ({ data }: { data: Data }) =>
    void data.cart.push(item)
const logIn = async (visitor: Visitor<Data>, userId = 'ada'): Promise<void> =>
  await visitor.visit(async (session) => await session.login(userId))

async function shopper(at: Site): Promise<{ visitor: Visitor<Data>; id: string }> {
  const visitor = at.visitor()
  await visitor.visit(add('tea'))
  return { visitor, id: visitor.cookie!.slice(4, 20) }
}

/** A member whose secret was renewed, and the cookie from before. */
async function renewed(at: Site): Promise<{ visitor: Visitor<Data>; old: Visitor<Data>; id: string }> {
  const visitor = at.visitor()
  await logIn(visitor)
  const old = visitor.copy()
  at.clock.advance(16 * minutes)
  await visitor.visit(() => {})
  await visitor.visit(() => {})
  return { visitor, old, id: visitor.cookie!.slice(4, 20) }
}

const happenings: [name: EventName, what: string, happen: (at: Site) => Promise<unknown>][] = [
  ['created', 'a new visitor’s first write', async (at) => ({ id: (await shopper(at)).id, userId: null })],
  [
    'loggedIn',
    'a login',
    async (at) => {
      const { visitor, id } = await shopper(at)
      await logIn(visitor)
      return { id: visitor.cookie!.slice(4, 20), userId: 'ada', previousId: id }
    },
  ],
  ['renewed', 'the first showing of a new secret', async (at) => ({ id: (await renewed(at)).id, userId: 'ada' })],
  [
    'ended',
    'a logout',
    async (at) => {
      const { visitor, id } = await shopper(at)
      await visitor.visit(async (session) => await session.logout())
      return { id, userId: null, reason: 'logout' }
    },
  ],
  [
    'ended',
    'end(id)',
    async (at) => {
      const { id } = await shopper(at)
      await at.sessions.end(id)
      return { id, userId: null, reason: 'ended' }
    },
  ],
  [
    'ended',
    'a second use of a secret that is past its grace',
    async (at) => {
      const { old, id } = await renewed(at)
      for (let i = 0; i < 2; i++) {
        at.clock.advance(90 * seconds)
        await old.visit(() => {})
      }
      return { id, userId: 'ada', reason: 'reuse' }
    },
  ],
  [
    'expired',
    'a sweep after the session’s time',
    async (at) => {
      const { id } = await shopper(at)
      at.clock.advance(60 * minutes)
      expect([await at.sessions.sweep(), await at.sessions.sweep()]).toEqual([1, 0])
      return { id, userId: null }
    },
  ],
  [
    'conflict',
    'two changes of one thing',
    async (at) => {
      const { visitor, id } = await shopper(at)
      const [one, other] = [await visitor.open(), await visitor.open()]
      one.data.cart = ['one']
      other.data.cart = ['other']
      await one.commit()
      await other.commit()
      return { id, userId: null, paths: ['cart'] }
    },
  ],
  [
    'suspected',
    'the use of a secret that is past its grace',
    async (at) => {
      const { old, id } = await renewed(at)
      at.clock.advance(90 * seconds)
      await old.visit(() => {})
      return { id, userId: 'ada', reason: 'late' }
    },
  ],
  [
    'error',
    'a loss that a safe request passed over',
    async (at) => {
      const { visitor, id } = await shopper(at)
      await visitor.visit((session) => {
        const { report } = session as unknown as { report: (error: unknown) => void }
        report.call(session, new Error('the disk is full'))
      })
      return {
        id,
        error: expect.objectContaining({
          code: 'ERR_SOJOURN_STORE',
          message: expect.stringContaining('the disk is full') as unknown,
        }) as unknown,
      }
    },
  ],
]

describe('events', () => {
  it.each(happenings)(
    '%s is told of %s, with the session’s ID, to listeners and on the diagnostics channel alike',
    async (name, _what, happen) => {
      const at = site()
      const published: unknown[] = []
      const listener = (message: unknown): void => void published.push(message)
      subscribe(`sojourn:${name}`, listener)
      onTestFinished(() => void unsubscribe(`sojourn:${name}`, listener))
      const event = await happen(at)
      expect(at.told.of(name)).toEqual([event])
      expect(published).toEqual(at.told.of(name))
      expect(published[0]).toBe(at.told.of(name)[0])
    },
  )

  it('ended is told of a session that a full store gave up', async () => {
    const at = site(memory({ maxSessions: 2 }))
    const first = await shopper(at)
    await shopper(at)
    await shopper(at)
    expect(at.told.of('ended')).toEqual([{ id: first.id, userId: null, reason: 'evicted' }])
  })

  it('ended, and not expired, is told of a session that ended before its time, and nothing of its tombstone', async () => {
    const at = site()
    const { visitor } = await shopper(at)
    await visitor.visit(async (session) => await session.logout())
    at.clock.advance(60 * minutes)
    await at.sessions.sweep()
    expect(at.told.all.map(({ name }) => name)).toEqual(['created', 'ended'])
  })

  it('suspected is told when six new secrets were given to one client and none came back', async () => {
    const at = site()
    const visitor = at.visitor()
    await logIn(visitor)
    for (let i = 0; i < 8; i++) {
      at.clock.advance(16 * minutes)
      await visitor.copy().visit(() => {})
    }
    expect(at.told.of('suspected')[0]).toEqual({ id: visitor.cookie!.slice(4, 20), userId: 'ada', reason: 'unshown' })
  })

  it('never hold a secret or session data, nor do the errors in them', async () => {
    const at = site()
    const secrets = new Set<string>()
    const keep = (visitor: Visitor<Data>): void => {
      if (visitor.cookie !== null) secrets.add(visitor.cookie.slice(-32))
    }
    const { visitor } = await shopper(at)
    keep(visitor)
    const tab = visitor.copy()
    await visitor.visit(add('a secret gift'))
    await logIn(visitor)
    keep(visitor)
    await expect(tab.visit(add('a secret gift'))).rejects.toMatchObject({ code: 'ERR_SOJOURN_MOVED' })
    const [one, other] = [await visitor.open(), await visitor.open()]
    one.data.cart = ['a secret gift']
    other.data.cart = ['another secret gift']
    await one.commit()
    await other.commit()
    await visitor.visit(async (session) => await session.logout())
    for (const { old } of [await renewed(at), await renewed(at)]) {
      keep(old)
      at.clock.advance(90 * seconds)
      await old.visit(() => {})
      at.clock.advance(90 * seconds)
      await old.visit(() => {})
    }
    await shopper(at)
    at.clock.advance(60 * minutes)
    await at.sessions.sweep()

    expect(new Set(at.told.all.map(({ name }) => name))).toEqual(
      new Set(['created', 'loggedIn', 'renewed', 'suspected', 'ended', 'conflict', 'expired']),
    )
    const text = inspect(at.told.all, { depth: Infinity, showHidden: true })
    expect(secrets.size).toBeGreaterThanOrEqual(4)
    for (const secret of secrets) expect(text).not.toContain(secret)
    expect(text).not.toContain('gift')
  })
})

describe('a listener', () => {
  it('hears until it is taken off, however often that is done', async () => {
    const at = site()
    const heard = vi.fn<(event: { id: string }) => void>()
    const off = at.sessions.on('created', heard)
    const { id } = await shopper(at)
    off()
    off()
    await shopper(at)
    expect(heard.mock.calls).toEqual([[{ id, userId: null }]])
  })

  it('may take itself or another off, or add one, while it is told', async () => {
    const at = site()
    const heard: string[] = []
    const first = at.sessions.on('created', () => {
      heard.push('first')
      first()
      second()
      at.sessions.on('created', () => heard.push('third'))
    })
    const second = at.sessions.on('created', () => heard.push('second'))
    await shopper(at)
    heard.push('then')
    await shopper(at)
    expect(heard.slice(heard.indexOf('then'))).toEqual(['then', 'third'])
    expect(heard).not.toContain('second')
  })

  it.each([
    [
      'throws',
      () => {
        throw new Error('broken listener')
      },
    ],
    ['rejects', async () => await Promise.reject(new Error('broken listener'))],
    [
      'throws what is no error',
      () => {
        throw 'broken listener'
      },
    ],
  ])('that %s breaks neither the request nor the listeners after it, and is told of', async (_how, listener) => {
    const at = site()
    const heard = vi.fn<() => void>()
    at.sessions.on('loggedIn', listener)
    at.sessions.on('loggedIn', heard)
    const { visitor } = await shopper(at)
    await logIn(visitor)
    await tick()
    expect([(await visitor.open()).userId, heard.mock.calls.length]).toEqual(['ada', 1])
    expect(at.told.of('error')).toMatchObject([
      {
        id: null,
        error: {
          code: 'ERR_SOJOURN_LISTENER',
          message: "A listener of the event 'loggedIn' failed: broken listener",
          cause: expect.anything() as unknown,
        },
      },
    ])
  })

  it('of errors that fails itself is warned of, and calls nothing forth', async () => {
    const warnings = heardWarnings()
    const events = new Events()
    const listener = vi.fn<() => void>(() => {
      throw new Error('broken listener')
    })
    events.on('error', listener)
    events.emit('error', { error: new SojournError('ERR_SOJOURN_STORE', 'down'), id: null })
    expect(await warnings()).toEqual([['ERR_SOJOURN_LISTENER', "A listener of the event 'error' failed: broken listener"]])
    expect(listener).toHaveBeenCalledTimes(1)
  })

  it('hears of its own manager alone; the diagnostics channel tells of all', async () => {
    const [here, there] = [site(), site()]
    const published = vi.fn<(message: unknown) => void>()
    subscribe('sojourn:created', published)
    onTestFinished(() => void unsubscribe('sojourn:created', published))
    await shopper(here)
    await shopper(there)
    expect([here.told.of('created').length, there.told.of('created').length, published.mock.calls.length]).toEqual([1, 1, 2])
  })
})

describe('an error that nobody listens for', () => {
  it('is warned of once for each code, and how to hear of all', async () => {
    const warnings = heardWarnings()
    const events = new Events()
    const codes = ['ERR_SOJOURN_STORE', 'ERR_SOJOURN_STORE', 'ERR_SOJOURN_LATE_CHANGE', 'ERR_SOJOURN_STORE'] as const
    for (const [i, code] of codes.entries()) events.emit('error', { error: new SojournError(code, `failure ${i}`), id: null })
    expect(await warnings()).toEqual([
      ['ERR_SOJOURN_STORE', 'failure 0'],
      ['ERR_SOJOURN_LATE_CHANGE', 'failure 2'],
    ])
    expect(warnings.details).toEqual([
      "Listen with sessions.on('error', …) to see every one.",
      "Listen with sessions.on('error', …) to see every one.",
    ])
  })

  it('is no warning while somebody does, and one again when nobody does any more', async () => {
    const warnings = heardWarnings()
    const events = new Events()
    const off = events.on('error', () => {})
    events.emit('error', { error: new SojournError('ERR_SOJOURN_STORE', 'heard'), id: null })
    off()
    events.emit('error', { error: new SojournError('ERR_SOJOURN_STORE', 'unheard'), id: null })
    expect(await warnings()).toEqual([['ERR_SOJOURN_STORE', 'unheard']])
  })

  it('is the only event that warns', async () => {
    const warnings = heardWarnings()
    const events = new Events()
    for (const name of eventNames) if (name !== 'error') events.emit(name, { id: 'A', userId: 'ada' })
    expect(await warnings()).toEqual([])
  })
})

/** The warnings of sojourn that the process gives from here on, by code and message. */
function heardWarnings() {
  const heard: (Error & { code?: string; detail?: string })[] = []
  const listener = (warning: Error): void => {
    if (warning.name === 'SojournWarning') heard.push(warning)
  }
  process.on('warning', listener)
  onTestFinished(() => void process.off('warning', listener))
  const warnings = async () => (await tick(), heard.map(({ code, message }) => [code, message]))
  return Object.defineProperty(warnings, 'details', { get: () => heard.map(({ detail }) => detail) }) as typeof warnings & {
    details: string[]
  }
}
