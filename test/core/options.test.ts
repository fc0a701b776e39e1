import { randomBytes } from 'node:crypto'
import { createServer } from 'node:http'
import { describe, expect, it, test } from 'vitest'
import { session as expressSession } from '../../src/adapters/express.ts'
import { withSession } from '../../src/adapters/node.ts'
import { parseDuration } from '../../src/core/duration.ts'
import type { Sessions } from '../../src/core/sessions.ts'
import { resolvePolicy, type TimeoutOptions } from '../../src/core/policy.ts'
import { createSessions, type SessionsOptions } from '../../src/index.ts'
import { memory } from '../../src/stores/memory.ts'
import { fakeClock } from '../../src/testing/fake-clock.ts'
import { Visitor } from './visitor.ts'

const [seconds, minutes, hours] = [1000, 60_000, 3_600_000]
const days = 24 * hours

const refusal = (message: RegExp): unknown =>
  expect.objectContaining({ name: 'SojournError', code: 'ERR_SOJOURN_OPTION', message: expect.stringMatching(message) as unknown })

describe('a duration', () => {
  test.each([
    [1, 1],
    [1500, 1500],
    [1.4, 1],
    ['500ms', 500],
    ['2s', 2 * seconds],
    ['30m', 30 * minutes],
    ['12h', 12 * hours],
    ['14d', 14 * days],
    ['1.5h', 90 * minutes],
    [' 30m ', 30 * minutes],
    ['250', 250],
  ])('%j is %i ms', (value, ms) => expect(parseDuration(value, 'x')).toBe(ms))

  test.each(['', 'soon', '30 m', '-5m', '0s', '0', 'm', '1h30m', '1e3', '0x10', 'Infinity', '30M', '१m', 0, -1, 0.5, Number.NaN, Infinity])(
    '%j is none',
    (value) => {
      expect(() => parseDuration(value, 'timeouts.idle')).toThrow(
        refusal(/^timeouts\.idle is .*no length of time; write milliseconds \(1800000\) or '30m'/),
      )
    },
  )

  test.each([true, {}, []])('%j is none, whatever the types say', (value) => {
    expect(() => createSessions({ timeouts: { idle: value as never } })).toThrow(refusal(/^timeouts\.idle is/))
  })
})

describe('the timeouts', () => {
  it('have safe defaults', () => {
    expect(resolvePolicy()).toEqual({
      visit: { idle: 30 * minutes, absolute: 12 * hours, slice: 3 * minutes },
      remembered: { idle: 14 * days, absolute: 90 * days, slice: 5 * minutes },
      renew: 15 * minutes,
      grace: 60 * seconds,
      strict: false,
    })
  })

  it('are each what was asked for', () => {
    const timeouts: TimeoutOptions = {
      idle: '10m',
      absolute: 3_600_000,
      renew: '1m',
      grace: '20s',
      slice: '30s',
      remembered: { idle: '1d', absolute: '2d' },
    }
    expect(resolvePolicy(timeouts)).toEqual({
      visit: { idle: 10 * minutes, absolute: hours, slice: 30 * seconds },
      remembered: { idle: days, absolute: 2 * days, slice: 30 * seconds },
      renew: minutes,
      grace: 20 * seconds,
      strict: false,
    })
  })

  it.each([
    [{ idle: '2s' }, 200],
    [{ idle: '5ms' }, 1],
    [{ idle: '1ms' }, 1],
  ])('have a slice of a tenth of idle: %j', (timeouts, slice) => expect(resolvePolicy(timeouts).visit.slice).toBe(slice))

  it.each<[TimeoutOptions, RegExp]>([
    [{ idle: 'x' }, /^timeouts\.idle is "x"/],
    [{ absolute: 'x' }, /^timeouts\.absolute is "x"/],
    [{ renew: 'x' }, /^timeouts\.renew is "x"/],
    [{ grace: 'x' }, /^timeouts\.grace is "x"/],
    [{ slice: 'x' }, /^timeouts\.slice is "x"/],
    [{ remembered: { idle: 'x' } }, /^timeouts\.remembered\.idle is "x"/],
    [{ remembered: { absolute: 'x' } }, /^timeouts\.remembered\.absolute is "x"/],
    [{ idle: '1m', slice: '2m' }, /^timeouts\.slice \(120000 ms\) is longer than an idle timeout \(60000 ms\)/],
    [{ slice: '20m', remembered: { idle: '10m' } }, /^timeouts\.slice \(1200000 ms\) is longer than an idle timeout \(600000 ms\)/],
  ])('that can not be are refused by createSessions, by name: %j', (timeouts, message) => {
    expect(() => createSessions({ timeouts })).toThrow(refusal(message))
  })

  it('hold', async () => {
    const clock = fakeClock()
    const sessions = createSessions<{ n?: number }>({ clock, timeouts: { idle: '10m', absolute: '1h', slice: '1m' } })
    const visitor = new Visitor(sessions)
    await visitor.visit((session) => void (session.data.n = 1))
    const start = clock.now()
    for (let i = 1; i <= 6; i++) {
      clock.advance(9.9 * minutes)
      expect(await visitor.visit((session) => (session.touch(), [session.isNew, session.createdAt]))).toEqual([false, start])
    }
    clock.advance(minutes)
    expect((await visitor.open()).isNew).toBe(true)
    await visitor.visit((session) => void (session.data.n = 2))
    clock.advance(11 * minutes)
    expect((await visitor.open()).isNew).toBe(true)
  })
})

describe('createSessions()', () => {
  it('needs no option: sessions in memory, of any data', async () => {
    const visitor = new Visitor(createSessions())
    await visitor.visit((session) => void (session.data['anything'] = [1]))
    expect(await visitor.read()).toEqual({ anything: [1] })
  })

  it('makes the initial data anew for each visitor, and never changes what the option gave', async () => {
    const shared = { cart: ['gift'], prefs: { theme: 'light' } }
    const sessions = createSessions({ initial: () => shared })
    const [one, other] = [new Visitor(sessions), new Visitor(sessions)]
    await one.visit(async (session) => {
      session.data.cart.push('tea')
      await session.update((data) => void (data.prefs.theme = 'dark'))
      await session.logout()
      expect(session.data).toEqual({ cart: ['gift'], prefs: { theme: 'light' } })
      session.data.cart.push('tea')
    })
    expect(await other.read()).toEqual({ cart: ['gift'], prefs: { theme: 'light' } })
    expect(shared).toEqual({ cart: ['gift'], prefs: { theme: 'light' } })
  })

  it.each([-1, 1.5, Number.NaN, Infinity, 2 ** 53, '1', null])('refuses the schema version %j', (schemaVersion) => {
    expect(() => createSessions({ schemaVersion: schemaVersion as number })).toThrow(refusal(/^schemaVersion is .*whole number from 0 up/))
  })

  it.each(['often', 0])('refuses the sweep interval %j', (sweepInterval) => {
    expect(() => createSessions({ sweepInterval })).toThrow(refusal(/^sweepInterval is/))
  })

  it.each<[SessionsOptions<object>['cookie'], RegExp]>([
    [{ name: 'a b' }, /^cookie\.name "a b"/],
    [{ sameSite: 'none' }, /^cookie\.sameSite 'none'/],
    [{ partitioned: true }, /^cookie\.partitioned/],
    [{ domain: 'a;b' }, /^cookie\.domain "a;b"/],
    [{ path: 'x' }, /^cookie\.path "x"/],
  ])('refuses cookies that browsers would drop: %j', (cookie, message) => {
    expect(() => createSessions({ cookie })).toThrow(refusal(message))
  })

  it.each([performance, { now: () => Number.NaN }, { now: () => '1' as unknown as number }])(
    'needs a clock of whole milliseconds',
    (clock) => {
      expect(() => createSessions({ clock })).toThrow(expect.objectContaining({ code: 'ERR_SOJOURN_OPTION' }))
    },
  )

  it('is told of a shared session that no client could open', () => {
    const encryption = { keys: [randomBytes(32).toString('base64url')], bind: 'client' as const }
    expect(() => createSessions({ limits: { crawlers: 'share' }, encryption })).toThrow(
      expect.objectContaining({ code: 'ERR_SOJOURN_OPTION', message: expect.stringContaining('exclude each other') as unknown }),
    )
  })

  it('lets the initial data fail with its own error', () => {
    const initial = (): never => {
      throw new RangeError('no config')
    }
    expect(() => createSessions({ initial })).toThrow(new RangeError('no config'))
  })
})

describe('what is misused', () => {
  it('is told by the adapters, which need what createSessions() or sealed() returned', () => {
    const stranger = {} as Sessions<object>
    const message = /^An adapter needs what createSessions\(\) or sealed\(\) returned/
    expect(() => withSession(stranger, () => {})).toThrow(refusal(message))
    expect(() => expressSession(stranger)).toThrow(refusal(message))
  })

  it('is told by of(), where no adapter opened a session', () => {
    expect(() => createSessions().of({})).toThrow(
      expect.objectContaining({
        code: 'ERR_SOJOURN_NO_SESSION',
        message: expect.stringContaining('app.use(session(sessions))') as unknown,
      }),
    )
  })

  it('is told by open() after close(), which may be called twice', async () => {
    const sessions = createSessions({ store: memory() })
    await Promise.all([sessions.close(), sessions.close()])
    await expect(sessions.open(new Headers())).rejects.toMatchObject({ code: 'ERR_SOJOURN_CLOSED', status: 503 })
  })

  it('keeps no process alive: neither timers nor what waits', () => {
    const server = createServer()
    const active = (): number => process.getActiveResourcesInfo().filter((resource) => resource === 'Timeout').length
    const before = active()
    createSessions()
    expect(active()).toBe(before)
    server.close()
  })
})
