import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import type { PolicyName } from '../../src/core/presets.ts'
import type { TimeoutOptions } from '../../src/core/policy.ts'
import { createSessions } from '../../src/index.ts'
import { memory } from '../../src/stores/memory.ts'
import type { Browser } from './browser.ts'
import { type Data, days, hours, minutes, Site, start } from './site.ts'

// The last uses are noted in batches, each second; these tests move that second on.
beforeEach(() => void vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] }))
afterEach(() => void vi.useRealTimers())

const rows: { policy: PolicyName; idle: number | null; absolute: number }[] = [
  { policy: 'nist-aal1', idle: null, absolute: 30 * days },
  { policy: 'nist-aal2', idle: hours, absolute: 24 * hours },
  { policy: 'nist-aal3', idle: 15 * minutes, absolute: 12 * hours },
  { policy: 'owasp-low-risk', idle: 30 * minutes, absolute: 8 * hours },
  { policy: 'owasp-high-value', idle: 5 * minutes, absolute: 4 * hours },
]
const withIdle = rows.filter((row): row is (typeof rows)[number] & { idle: number } => row.idle !== null)
const both = [false, true]

function pass(site: Site, ms: number): void {
  vi.advanceTimersByTime(1000)
  site.clock.advance(ms)
}

const isLive = async (browser: Browser<Data>): Promise<boolean> => await browser.send((session) => !session.isNew)

describe.each(withIdle)('$policy', ({ policy, idle, absolute }) => {
  test.each(both)('serves nobody a millisecond after its idle timeout, remembered: %s', async (remember) => {
    for (const [unused, live] of [
      [idle - 1, true],
      [idle, false],
    ] as const) {
      const site = new Site({ policy })
      const owner = await site.member('ada', { remember })
      pass(site, unused)
      expect([unused, await isLive(owner)]).toEqual([unused, live])
    }
  })

  test.each(both)('nor however it was used before, and ends none by more than a slice too early, remembered: %s', async (remember) => {
    const slice = Math.min(idle / 10, 5 * minutes)
    for (const use of [1, slice / 2, slice, slice + 1, idle / 2, idle - slice - 1]) {
      for (const writes of both) {
        const site = new Site({ policy })
        const owner = await site.member('ada', { remember })
        for (let i = 0; i < 5; i++) {
          pass(site, use)
          await owner.send((session) => void (writes && session.data.visits++))
        }
        pass(site, idle - slice - 1)
        expect([use, writes, await isLive(owner)]).toEqual([use, writes, true])
        pass(site, idle)
        expect([use, writes, await isLive(owner)]).toEqual([use, writes, false])
      }
    }
  })
  test('touch() cannot get more out of it', async () => {
    const site = new Site({ policy })
    const owner = await site.member()
    pass(site, 1000)
    await owner.send((session) => session.touch())
    pass(site, idle - 1)
    expect(await isLive(owner)).toBe(true)
    pass(site, idle)
    expect(await isLive(owner)).toBe(false)
    expect(absolute).toBeGreaterThan(idle)
  })
})

describe.each(rows)('$policy', ({ policy, idle, absolute }) => {
  test.each(both)('serves nobody after its overall timeout, however it is used, remembered: %s', async (remember) => {
    const site = new Site({ policy })
    const owner = await site.member('ada', { remember })
    const step = (idle ?? 30 * minutes) * 0.7
    let passed = 0
    for (; passed + step < absolute; passed += step) {
      expect([passed, await isLive(owner)]).toEqual([passed, true])
      pass(site, step)
    }
    await owner.send((session) => session.touch())
    pass(site, absolute - passed - 1)
    expect(await isLive(owner)).toBe(true)
    pass(site, 1)
    expect(await isLive(owner)).toBe(false)
  })

  test('has the cookie of a remembered login kept no longer than the session can last', async () => {
    const owner = await new Site({ policy }).member('ada', { remember: true })
    expect(owner.setCookie).toContain(`; Max-Age=${absolute / 1000};`)
  })

  test('holds by the server alone: a cookie that the client keeps for ever is worth nothing', async () => {
    const site = new Site({ policy })
    const owner = await site.member('ada', { remember: true })
    const { token } = owner
    pass(site, absolute)
    expect(await isLive(site.browser(undefined, token))).toBe(false)
  })

  test('holds for sessions that were stored under longer timeouts, in lists too', async () => {
    const store = memory()
    const before = new Site({ store, timeouts: { idle: '60d', absolute: '90d', remembered: { idle: '60d', absolute: '90d' } } })
    const owner = await before.member('ada', { remember: true })
    const visitor = await before.visitor()
    const site = new Site({ store, policy, clock: before.clock })
    const [same, other] = [site.browser(undefined, owner.token), site.browser(undefined, visitor.token)]
    expect([await isLive(same), await isLive(other)]).toEqual([true, true])
    before.clock.advance(idle ?? absolute)
    expect([await isLive(same), await isLive(other)]).toEqual([false, false])
    for await (const { id } of site.sessions.listByUser('ada')) expect.fail(`${id} was listed`)
    expect(await isLive(before.browser(undefined, owner.token))).toBe(true)
  })

  test('lets those go on who only read, in sessions of before as in its own', async () => {
    const store = memory()
    const before = new Site({ store, timeouts: { idle: '60d', absolute: '90d', remembered: { idle: '60d', absolute: '90d' } } })
    const owner = await before.member('ada', { remember: true })
    const visitor = await before.visitor()
    const site = new Site({ store, policy, clock: before.clock })
    const tabs = [site.browser(undefined, owner.token), site.browser(undefined, visitor.token)]
    const idleTime = idle ?? 30 * minutes
    for (let step = 0; step < 12; step++) {
      pass(before, idleTime / 4)
      if (before.clock.now() - start >= absolute) break
      for (const tab of tabs) expect(await isLive(tab), `step ${step}`).toBe(true)
    }
  })

  const tighter: TimeoutOptions = { idle: '4m', absolute: '1h', remembered: { idle: '2m', absolute: '30m' } }
  test('is tightened by timeouts, which are then held to the millisecond as well', async () => {
    for (const [remember, idle] of [
      [false, 4 * minutes],
      [true, 2 * minutes],
    ] as const) {
      // Where the policy sets no idle timeout, one's own has its slice beyond it, as without a policy.
      const over = policy === 'nist-aal1' ? idle / 10 : 0
      const site = new Site({ policy, timeouts: tighter })
      const [used, unused] = [await site.member('ada', { remember }), await site.member('ada', { remember })]
      expect(await used.send(({ expiresAt }) => expiresAt! - start)).toBe(idle + over)
      pass(site, idle + over - 1)
      expect(await isLive(used)).toBe(true)
      pass(site, 1)
      expect([await isLive(used), await isLive(unused)]).toEqual([true, false])
    }
  })

  const longer: [TimeoutOptions, string, number][] = [
    [{ absolute: absolute + 1 }, 'absolute', absolute],
    [{ remembered: { absolute: '90d' } }, 'remembered.absolute', absolute],
    ...(idle === null
      ? []
      : ([
          [{ idle: idle + 1 }, 'idle', idle],
          [{ remembered: { idle: '14d' } }, 'remembered.idle', idle],
        ] satisfies [TimeoutOptions, string, number][])),
  ]
  test.each(longer)('refuses to be loosened at start: %j', (timeouts, option, cap) => {
    expect(() => createSessions({ policy, timeouts })).toThrow(
      expect.objectContaining({
        code: 'ERR_SOJOURN_OPTION',
        message: expect.stringMatching(
          new RegExp(`^timeouts\\.${option} is \\d+ ms, and the policy '${policy}' allows ${cap} ms at most; shorten it`),
        ) as unknown,
      }),
    )
  })
})

test('nist-aal1 sets no idle timeout, so that the default ones stay, or longer ones up to its overall limit', async () => {
  const expiresAfter = async (timeouts: TimeoutOptions, remember = false) =>
    (await (await new Site({ policy: 'nist-aal1', timeouts }).member('ada', { remember })).send(({ expiresAt }) => expiresAt))! - start
  expect(await expiresAfter({})).toBe(33 * minutes)
  expect(await expiresAfter({}, true)).toBe(14 * days + 5 * minutes)
  expect(await expiresAfter({ idle: '7d' })).toBe(7 * days + 5 * minutes)
  expect(await expiresAfter({ idle: '60d' })).toBe(30 * days)
})

test('a slice that would leave nothing of a policy’s idle timeout is refused', () => {
  expect(() => createSessions({ policy: 'nist-aal3', timeouts: { slice: '8m' } })).toThrow(
    expect.objectContaining({
      code: 'ERR_SOJOURN_OPTION',
      message:
        'timeouts.slice (480000 ms) is longer than half of an idle timeout (900000 ms), which would then not hold; shorten the slice.',
    }),
  )
})

test.each(['nist-aal4', 'NIST-AAL2', '', 'toString', null, 2, {}])('there is no policy %j', (policy) => {
  expect(() => createSessions({ policy: policy as PolicyName })).toThrow(
    expect.objectContaining({
      code: 'ERR_SOJOURN_OPTION',
      message: expect.stringMatching(/^policy is .*one of nist-aal1, nist-aal2/) as unknown,
    }),
  )
})
