import { randomBytes } from 'node:crypto'
import { describe, expect, test, vi } from 'vitest'
import { Events } from '../../src/core/events.ts'
import { type LimitOptions, resolveLimits, Strangers } from '../../src/core/limits.ts'
import type { ClientView } from '../../src/core/request.ts'
import { memory } from '../../src/stores/memory.ts'
import { type Browser, type Client, firefox } from './browser.ts'
import { type Data, idle, minutes, Site, slice } from './site.ts'
import { Counted } from './store-over.ts'

const from = (address: string): Client => ({ agent: firefox.agent, address })
const many = (i: number): string => `${10 + (i >> 16)}.${(i >> 8) & 255}.${i & 255}.7`
const window = idle + slice

async function flood(site: Site, count: number, address: (i: number) => string): Promise<void> {
  for (let i = 0; i < count; i++) await site.visitor(from(address(i)))
}

describe('a flood of anonymous sessions', () => {
  test.each<[what: string, address: (i: number) => string]>([
    ['one address', () => '203.0.113.5'],
    ['many addresses', many],
  ])('from %s pushes none that is logged in out of the memory store', async (_, address) => {
    const site = new Site({ store: memory({ maxSessions: 500 }) })
    const members: Browser<Data>[] = []
    for (let i = 0; i < 200; i++) members.push(await site.member(`user ${i}`))
    await flood(site, 10_000, address)
    for (const [i, member] of members.entries()) expect(await member.visit()).toBe(`user ${i}`)
    expect(site.told('ended').filter(({ userId }) => userId !== null)).toEqual([])
    expect(site.told('ended').length).toBeGreaterThan(9000)
  })

  test('from one address is stored up to the limit, and no login of anybody is refused', async () => {
    const store = new Counted(memory())
    const site = new Site({ store, limits: { anonymousPerAddress: 100 } })
    await flood(site, 10_000, (i) => `203.0.113.${i % 250}`)
    expect(store.calls.put).toBe(100)
    expect(site.told('created')).toHaveLength(100)
    expect(site.told('limited')).toEqual([{ limit: 'anonymousPerAddress', network: '203.0.113.0/24' }])
    const browser = site.browser(from('203.0.113.9'))
    await browser.send(async (session) => {
      session.data.cart.push('tea')
      await session.login('ada')
    })
    expect(await browser.send((session) => [session.userId, session.data.cart])).toEqual(['ada', ['tea']])
    expect((await site.visitor(from('198.51.100.1'))).token).not.toBeNull()
    expect(site.errors).toEqual([])
  })

  test('from many is stored up to the total, told once', async () => {
    const store = new Counted(memory())
    const site = new Site({ store, limits: { anonymousTotal: 1000 } })
    await flood(site, 10_000, many)
    expect(store.calls.put).toBe(1000)
    expect(site.told('limited')).toEqual([{ limit: 'anonymousTotal', network: null }])
    expect(await (await site.member()).visit()).toBe('ada')
  })

  test('is over a window after its last one was stored, and not before', async () => {
    const site = new Site({ limits: { anonymousPerAddress: 3 } })
    site.clock.set(Math.ceil(site.clock.now() / window) * window)
    const stored = async (): Promise<boolean> => (await site.visitor()).token !== null
    site.clock.advance(window - 1)
    expect([await stored(), await stored(), await stored(), await stored()]).toEqual([true, true, true, false])
    site.clock.advance(1)
    expect(await stored()).toBe(false)
    site.clock.advance(window - 1)
    expect(await stored()).toBe(false)
    site.clock.advance(1)
    expect(await stored()).toBe(true)
    expect(site.told('limited')).toHaveLength(2)
  })

  test('is counted in the total over the window before as well', async () => {
    const site = new Site({ limits: { anonymousTotal: 3 } })
    await flood(site, 3, many)
    site.clock.advance(window)
    expect((await site.visitor()).token).toBeNull()
  })

  test('is long forgotten after a quiet time', async () => {
    const site = new Site({ limits: { anonymousPerAddress: 3, anonymousTotal: 3 } })
    await flood(site, 3, () => firefox.address)
    site.clock.advance(2 * window)
    expect((await site.visitor()).token).not.toBeNull()
  })

  test('counts nobody whose address is not known, but in the total', async () => {
    const site = new Site({ limits: { anonymousPerAddress: 1, anonymousTotal: 5 } })
    const visit = async (): Promise<boolean> => {
      const session = await site.sessions.open(new Headers())
      session.data.visits = 1
      return (await session.commit()).has('set-cookie')
    }
    const visits: boolean[] = []
    for (let i = 0; i < 7; i++) visits.push(await visit())
    expect(visits).toEqual([true, true, true, true, true, false, false])
  })
})

describe('an anonymous session that is one too many', () => {
  async function excess(): Promise<{ site: Site; browser: Browser<Data> }> {
    const site = new Site({ limits: { anonymousPerAddress: 1 } })
    await site.visitor()
    return { site, browser: site.browser() }
  }

  test('has its data for that response, and nothing is stored, promised, or reported as lost', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
    const { site, browser } = await excess()
    const session = await browser.open()
    session.data.cart.push('tea')
    await session.save()
    expect([session.id, session.isNew, session.userId, session.data.cart]).toEqual([null, true, null, ['tea']])
    expect(await session.update((data) => data.cart.push('milk'))).toBe(2)
    session.flash('notice', 'Added.')
    expect(session.data.cart).toEqual(['tea', 'milk'])
    browser.receive(await session.commit())
    expect(browser.setCookie).toBeNull()
    vi.advanceTimersByTime(1000)
    vi.useRealTimers()
    expect(site.errors).toEqual([])
    expect(site.told('created')).toHaveLength(1)
    expect(await browser.send(({ isNew, data }) => [isNew, data.cart])).toEqual([true, []])
  })

  test('has a page with a CSRF token in it all the same, which is good for nothing', async () => {
    const { site, browser } = await excess()
    const session = await browser.open()
    session.data.cart.push('tea')
    await session.save()
    expect(session.csrfToken()).toMatch(/^[\w-]+$/)
    browser.receive(await session.commit())
    expect([browser.setCookie, site.errors]).toEqual([null, []])
  })

  test('can log in, with its data, and log out', async () => {
    const { browser } = await excess()
    await browser.send(async (session) => {
      session.data.cart.push('tea')
      await session.save()
      await session.login('ada')
    })
    expect(await browser.send(({ userId, data }) => [userId, data.cart])).toEqual(['ada', ['tea']])
    await browser.send(async (session) => await session.logout())
    expect(browser.token).toBeNull()
  })

  test('still tells of data that can not be stored', async () => {
    const { browser } = await excess()
    await expect(browser.send((session) => void (session.data.cart = [(() => {}) as never]))).rejects.toMatchObject({
      code: 'ERR_SOJOURN_DATA_UNENCODABLE',
    })
  })
})

describe('tokens that nobody was given', () => {
  const guess = (site: Site, address: string): Promise<string | null> =>
    site.browser(from(address), randomBytes(36).toString('base64url')).visit()

  test('are told of once in a window when one address shows more than a thousand, and refused as ever', async () => {
    const site = new Site()
    for (let i = 0; i < 1000; i++) expect(await guess(site, `203.0.113.${i % 200}`)).toBeNull()
    expect(site.told('guessing')).toEqual([])
    for (let i = 0; i < 50; i++) await guess(site, '203.0.113.5')
    expect(site.told('guessing')).toEqual([{ network: '203.0.113.0/24', count: 1001 }])
    site.clock.advance(2 * window)
    for (let i = 0; i < 1001; i++) await guess(site, '203.0.113.5')
    expect(site.told('guessing')).toHaveLength(2)
  })

  test('are wrong secrets of known IDs as well, and not the expired cookies of one’s own', async () => {
    const site = new Site({ limits: { unknownPerAddress: 1 } })
    const owner = await site.member()
    const wrong = owner.id! + randomBytes(24).toString('base64url')
    site.clock.advance(12 * 60 * minutes)
    for (let i = 0; i < 5; i++) await owner.visit()
    expect(site.told('guessing')).toEqual([])
    const other = await site.member()
    for (let i = 0; i < 2; i++) await site.browser(from('203.0.113.5'), other.id! + wrong.slice(16)).visit()
    expect(site.told('guessing')).toEqual([{ network: '203.0.113.0/24', count: 2 }])
  })

  test('from a thousand and more addresses are told of a thousand times in a window at most', async () => {
    const site = new Site({ limits: { unknownPerAddress: 1 } })
    for (let i = 0; i < 3000; i++) await guess(site, many(i >> 1))
    expect(site.told('guessing')).toHaveLength(1000)
  })
})

test('a request with a good cookie is counted nowhere: its address is not even asked for', async () => {
  const site = new Site({ limits: { anonymousPerAddress: 1, unknownPerAddress: 1 } })
  const owner = await site.member()
  const headers = { 'user-agent': firefox.agent, cookie: `sid=${owner.token}` }
  const socket = {
    get remoteAddress(): string {
      throw new Error('asked for')
    },
  }
  for (let i = 0; i < 3; i++) {
    const session = await site.sessions.open({ headers, socket })
    session.data.visits++
    await session.commit()
  }
  expect(await owner.send((session) => session.data.visits)).toBe(3)
})

test('a million addresses in one window take a few MB', () => {
  const strangers = new Strangers(resolveLimits({ anonymousPerAddress: 1000, anonymousTotal: Infinity }), window, new Events())
  const view = { secure: false, address: '', header: () => undefined }
  const used = (): number => process.memoryUsage().heapUsed + process.memoryUsage().arrayBuffers
  global.gc?.()
  const before = used()
  let admitted = 0
  for (let i = 0; i < 1_000_000; i++) {
    view.address = many(i)
    if (strangers.admit(view satisfies ClientView, 0)) admitted++
    if (i % 4 === 0) strangers.missed(view, 0)
  }
  global.gc?.()
  expect(admitted).toBe(1_000_000)
  expect(used() - before).toBeLessThan(48_000_000) // Garbage of the moment included, where no one collects it.
}, 60_000)

describe('the limits', () => {
  test('have safe defaults', () =>
    expect(resolveLimits()).toEqual({ anonymousPerAddress: Infinity, anonymousTotal: 1_000_000, unknownPerAddress: 1000 }))

  test.each<[LimitOptions, RegExp]>([
    [{ anonymousPerAddress: 0 }, /^limits\.anonymousPerAddress is 0/],
    [{ anonymousTotal: 1.5 }, /^limits\.anonymousTotal is 1\.5/],
    [{ unknownPerAddress: -1 }, /^limits\.unknownPerAddress is -1/],
    [{ anonymousTotal: '5' as never }, /^limits\.anonymousTotal is "5"/],
    [{ crawlers: 'ignore' as never }, /^limits\.crawlers is "ignore"/],
    [{ anonymous: 5 } as never, /^limits\.anonymous is no option/],
  ])('must be possible: %j', (limits, message) => {
    expect(() => new Site({ limits })).toThrow(
      expect.objectContaining({ code: 'ERR_SOJOURN_OPTION', message: expect.stringMatching(message) as unknown }),
    )
  })
})
