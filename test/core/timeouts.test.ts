import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import type { Browser } from './browser.ts'
import { absolute, type Data, days, hours, idle, minutes, renew, seconds, Site, slice, start } from './site.ts'

// The last uses are noted in batches, each second; these tests move that second on.
beforeEach(() => void vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] }))
afterEach(() => void vi.useRealTimers())

/** Lets time pass, for the clock and for what waits to be noted. */
function pass(site: Site, ms: number): void {
  vi.advanceTimersByTime(1000)
  site.clock.advance(ms)
}

async function isLive(browser: Browser<Data>): Promise<boolean> {
  return await browser.send((session) => !session.isNew)
}

/** A random whole number below another, the same ones for one seed. */
function dice(seed: number): (below: number) => number {
  let state = seed
  return (below) => {
    state = (state * 1664525 + 1013904223) >>> 0
    return Math.floor((state / 2 ** 32) * below)
  }
}

describe('the idle timeout', () => {
  test('ends a session that is not used: not before its time, and a slice after it at most', async () => {
    for (const [unused, live] of [
      [idle - 1, true],
      [idle + slice - 1, true],
      [idle + slice, false],
    ] as const) {
      const site = new Site()
      const owner = await site.member()
      pass(site, unused)
      expect([unused, await isLive(owner)]).toEqual([unused, live])
    }
  })

  test('never ends one early, and never more than a slice late, however it was used', async () => {
    for (let seed = 1; seed <= 150; seed++) {
      const roll = dice(seed)
      const site = new Site()
      const owner = await site.member()
      for (let uses = roll(20); uses > 0; uses--) {
        // Some within a slice, some at the last moment.
        pass(site, [roll(slice), roll(idle), idle - 1 - roll(slice), idle - 1][roll(4)]!)
        const writes = roll(3) === 0
        const live = await owner.send((session) => {
          if (writes) session.data.visits++
          return !session.isNew
        })
        expect([seed, live]).toEqual([seed, true])
      }
      const unused = idle - 1 + roll(2) * (slice + 1)
      pass(site, unused)
      expect([seed, unused, await isLive(owner)]).toEqual([seed, unused, unused < idle])
    }
  })

  test('ends none that is used, even where the client never takes a new secret', async () => {
    const site = new Site({ timeouts: { idle: '5m', renew: '15m' } })
    const owner = await site.member()
    const fixed = owner.token
    for (let passed = 0; passed < 6 * hours; passed += minutes) {
      pass(site, minutes)
      owner.token = fixed
      expect([passed / minutes, await isLive(owner)]).toEqual([passed / minutes, true])
    }
  })

  test('counts from a use that confirmed a secret, and from one with an old secret', async () => {
    const site = new Site()
    const owner = await site.member()
    const old = site.browser(undefined, owner.token)
    pass(site, renew)
    await owner.visit()
    pass(site, idle - 1)
    expect(await isLive(old)).toBe(true)
    pass(site, idle - 1)
    expect(await isLive(owner)).toBe(true)
    pass(site, idle - 1)
    expect(await isLive(owner)).toBe(true)
  })

  test('takes its slice from the options; a tenth of idle, five minutes at most, otherwise', async () => {
    const expiresAfter = async (timeouts: object, remember = false): Promise<number> => {
      const site = new Site({ timeouts })
      return (await (await site.member('ada', { remember })).send((session) => session.expiresAt))! - start
    }
    expect(await expiresAfter({})).toBe(33 * minutes)
    expect(await expiresAfter({ idle: '10s' })).toBe(11 * seconds)
    expect(await expiresAfter({ idle: '2h' })).toBe(125 * minutes)
    expect(await expiresAfter({ idle: '2h', slice: '1s' })).toBe(2 * hours + seconds)
    expect(await expiresAfter({ idle: 4000, slice: 4000 })).toBe(8 * seconds)
    expect(await expiresAfter({}, true)).toBe(14 * days + 5 * minutes)
    expect(await expiresAfter({ slice: '1h' }, true).catch((error: { code: string }) => error.code)).toBe('ERR_SOJOURN_OPTION')
  })
})

describe('the absolute timeout', () => {
  test('ends a session whatever its use', async () => {
    const site = new Site()
    const owner = await site.member()
    for (let passed = 0; passed < absolute; passed += minutes) {
      expect(await owner.send((session) => session.data.visits++)).toBe(passed / minutes)
      pass(site, minutes)
    }
    expect(await isLive(owner)).toBe(false)
  })

  test('holds to the millisecond', async () => {
    for (const [left, live] of [
      [1, true],
      [0, false],
    ] as const) {
      const site = new Site({ timeouts: { idle: '12h', absolute: '12h' } })
      const owner = await site.member()
      pass(site, 6 * hours)
      await owner.visit()
      pass(site, 6 * hours - left)
      expect(await isLive(owner)).toBe(live)
    }
  })

  test('counts from the login, not from the visit before it', async () => {
    const site = new Site({ timeouts: { idle: '12h', absolute: '12h' } })
    const visitor = await site.visitor()
    pass(site, 11 * hours)
    await visitor.send(async (session) => await session.login('ada'))
    pass(site, 11 * hours)
    expect(await isLive(visitor)).toBe(true)
    pass(site, hours)
    expect(await isLive(visitor)).toBe(false)
  })

  test('may be shorter than the idle timeout', async () => {
    const site = new Site({ timeouts: { idle: '1h', absolute: '10m' } })
    const owner = await site.member()
    expect(await owner.send((session) => session.expiresAt)).toBe(start + 10 * minutes)
    pass(site, 10 * minutes)
    expect(await isLive(owner)).toBe(false)
  })
})

describe('a remembered login', () => {
  test('has an idle timeout of its own, which the server holds, and a cookie for as long as it can last', async () => {
    for (const [unused, live] of [
      [14 * days - 1, true],
      [14 * days + 5 * minutes, false],
    ] as const) {
      const site = new Site()
      const owner = await site.member('ada', { remember: true })
      expect(owner.setCookie).toMatch(/; Max-Age=7776000;/)
      pass(site, unused)
      expect(await isLive(owner)).toBe(live)
    }
  })

  test('ends at its absolute timeout, whatever the client keeps and however it is used', async () => {
    const site = new Site({ timeouts: { remembered: { idle: '14d', absolute: '90d' } } })
    const owner = await site.member('ada', { remember: true })
    for (let day = 0; day < 90; day++) {
      expect([day, await isLive(owner)]).toEqual([day, true])
      pass(site, days)
    }
    expect(await isLive(owner)).toBe(false)
  })

  test('goes by the options', async () => {
    const site = new Site({ timeouts: { remembered: { idle: '1h', absolute: '2h' } } })
    const owner = await site.member('ada', { remember: true })
    expect(owner.setCookie).toMatch(/; Max-Age=7200;/)
    pass(site, hours + 6 * minutes)
    expect(await isLive(owner)).toBe(false)
  })

  test('is one no longer when the user logs in again without', async () => {
    const site = new Site()
    const owner = await site.member('ada', { remember: true })
    await owner.send(async (session) => await session.login('ada'))
    expect(owner.setCookie).not.toMatch(/Max-Age/)
    pass(site, idle + slice)
    expect(await isLive(owner)).toBe(false)
  })
})

describe('the times of a session', () => {
  test('are null until it is stored', async () => {
    const visitor = new Site().browser()
    const times = await visitor.send(({ createdAt, lastSeenAt, expiresAt }) => [createdAt, lastSeenAt, expiresAt])
    expect(times).toEqual([null, null, null])
  })

  test('say when it was created, when it was last used to within a slice, and when it will end', async () => {
    const site = new Site()
    const owner = await site.member()
    const times = () =>
      owner.send(({ createdAt, lastSeenAt, expiresAt }) => [createdAt, lastSeenAt, expiresAt].map((time) => time! - start))
    expect(await times()).toEqual([0, 0, idle + slice])
    pass(site, slice)
    await owner.visit()
    pass(site, 0)
    expect(await times()).toEqual([0, 0, idle + slice])
    pass(site, 1)
    await owner.visit()
    pass(site, 0)
    expect(await times()).toEqual([0, slice + 1, slice + 1 + idle + slice])
    pass(site, 10 * minutes)
    await owner.send((session) => void session.data.visits++)
    expect(await times()).toEqual([0, slice + 1 + 10 * minutes, slice + 1 + 10 * minutes + idle + slice])
  })

  test('end with the absolute timeout', async () => {
    const site = new Site({ timeouts: { idle: '12h', absolute: '12h' } })
    const owner = await site.member()
    pass(site, hours)
    await owner.send((session) => void session.data.visits++)
    expect(await owner.send(({ expiresAt }) => expiresAt)).toBe(start + 12 * hours)
  })
})

describe('an expired session', () => {
  test('is no session: a new visitor, with the initial data, and another ID at the first write', async () => {
    const site = new Site()
    const owner = await site.member()
    const { id, token } = owner
    await owner.send((session) => void session.data.cart.push('tea'))
    pass(site, idle + slice)
    expect(await owner.send(({ isNew, id, userId, data }) => [isNew, id, userId, data.cart])).toEqual([true, null, null, []])
    expect(owner.setCookie).toBeNull()
    expect(await site.store.get(id!)).not.toBeNull()
    await owner.send((session) => void session.data.cart.push('cup'))
    expect(owner.id).not.toBe(id)
    expect(await isLive(site.browser(undefined, token))).toBe(false)
  })

  test('takes no write of a request that opened it before, and is not listed', async () => {
    const site = new Site()
    const owner = await site.member()
    const slow = await owner.open()
    slow.data.cart.push('tea')
    pass(site, idle + slice)
    await expect(slow.commit()).rejects.toMatchObject({ code: 'ERR_SOJOURN_ENDED', status: 409 })
    expect((await site.record(owner))!.data).not.toContain('tea')
    for await (const { id } of site.sessions.listByUser('ada')) expect.fail(`${id} was listed`)
    expect(await site.sessions.end(owner.id!)).toBe(false)
  })
})
