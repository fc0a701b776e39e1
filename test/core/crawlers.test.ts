import { describe, expect, test } from 'vitest'
import { crawlerOf } from '../../src/core/crawlers.ts'
import { memory } from '../../src/stores/memory.ts'
import { type Client, firefox } from './browser.ts'
import { hours, seconds, Site } from './site.ts'
import { Counted, Later } from './store-over.ts'

const googlebot: Client = {
  agent:
    'Mozilla/5.0 AppleWebKit/537.36 (KHTML, like Gecko; compatible; Googlebot/2.1; +http://www.google.com/bot.html) Chrome/142.0.0.0 Safari/537.36',
  address: '66.249.66.1',
}
const bingbot: Client = { agent: 'Mozilla/5.0 (compatible; bingbot/2.0; +http://www.bing.com/bingbot.htm)', address: '157.55.39.1' }

/** A request without a cookie that writes. @returns the visits that it counted */
const crawl = (site: Site, client: Client): Promise<number> => site.browser(client).send((session) => ++session.data.visits)

describe('crawlers that share', () => {
  test('leave one session for each, of a minute, and get no cookie', async () => {
    const site = new Site({ limits: { crawlers: 'share' } })
    for (let i = 1; i <= 50; i++) {
      const browser = site.browser(googlebot)
      expect(await browser.send((session) => ++session.data.visits)).toBe(i)
      expect(browser.setCookie).toBeNull()
      expect(await crawl(site, bingbot)).toBe(i)
      site.clock.advance(seconds)
    }
    expect(site.told('created')).toHaveLength(2)
    site.clock.advance(10 * seconds)
    expect(await crawl(site, googlebot)).toBe(1)
    expect(site.told('created')).toHaveLength(3)
    await site.sessions.sweep()
    expect(site.told('expired')).toHaveLength(2)
  })

  test('on another address have another session', async () => {
    const site = new Site({ limits: { crawlers: 'share' } })
    expect(await crawl(site, googlebot)).toBe(1)
    expect(await crawl(site, { ...googlebot, address: '66.249.66.2' })).toBe(1)
    expect(await crawl(site, googlebot)).toBe(2)
  })

  test('lose no write on a store that answers later', async () => {
    const site = new Site({ store: new Later(memory()), limits: { crawlers: 'share' } })
    await crawl(site, googlebot)
    const adding = Array.from({ length: 20 }, (_, i) => site.browser(googlebot).send((session) => void session.data.cart.push(`${i}`)))
    await Promise.all(adding)
    expect(await site.browser(googlebot).send((session) => session.data.cart.length)).toBe(20)
    expect(site.told('created')).toHaveLength(1)
  })

  test('leave people alone, and people them', async () => {
    const site = new Site({ limits: { crawlers: 'share' } })
    await crawl(site, googlebot)
    for (let i = 0; i < 3; i++) {
      const browser = site.browser({ ...firefox, address: googlebot.address })
      expect(await browser.send((session) => ++session.data.visits)).toBe(1)
      expect(browser.token).not.toBeNull()
    }
  })

  test('never find what somebody logged in to', async () => {
    const site = new Site({ limits: { crawlers: 'share' } })
    await crawl(site, googlebot)
    const liar = site.browser(googlebot)
    await liar.send(async (session) => await session.login('ada'))
    expect(await liar.visit()).toBe('ada')
    expect(await site.browser(googlebot).send(({ userId, isNew, data }) => [userId, isNew, data.visits])).toEqual([null, true, 0])
    expect(await crawl(site, googlebot)).toBe(1)
    site.clock.advance(11 * hours)
    expect(site.told('ended')).toEqual([])
  })

  test('never find a session that has a user, whoever gave it one', async () => {
    const site = new Site({ limits: { crawlers: 'share' } })
    let id: string | null = null
    await site.browser(googlebot).send(async (session) => {
      session.data.visits = 7
      await session.save()
      ;({ id } = session)
    })
    const record = (await site.store.get(id!))!
    await site.store.put({ ...record, userId: 'ada', version: record.version + 1 }, record.version)
    expect(await site.browser(googlebot).send(({ userId, data }) => [userId, data.visits])).toEqual([null, 0])
  })

  test('have their minute however the last use is noted', async () => {
    const site = new Site({ limits: { crawlers: 'share' }, timeouts: { slice: '1s' } })
    await crawl(site, googlebot)
    for (let i = 0; i < 5; i++) {
      site.clock.advance(10 * seconds)
      expect(await site.browser(googlebot).send((session) => (session.touch(), session.data.visits))).toBe(1)
    }
    site.clock.advance(10 * seconds)
    expect(await site.browser(googlebot).send((session) => session.data.visits)).toBe(0)
  })

  test('have their minute however often they write', async () => {
    const site = new Site({ limits: { crawlers: 'share' }, timeouts: { slice: '1s' } })
    for (let second = 0; second < 180; second += 20) {
      expect(await crawl(site, googlebot)).toBe(1 + ((second / 20) % 3))
      site.clock.advance(20 * seconds)
    }
  })

  test('go without where the store fails, as everybody', async () => {
    const store = new Counted(memory())
    const site = new Site({ store, limits: { crawlers: 'share' } })
    await crawl(site, googlebot)
    store.get = () => {
      throw new Error('gone fishing')
    }
    await expect(crawl(site, googlebot)).rejects.toMatchObject({ code: 'ERR_SOJOURN_STORE', status: 503 })
    expect(await crawl(site, bingbot)).toBe(1)
  })

  test('only read without a trace', async () => {
    const store = new Counted(memory())
    const site = new Site({ store, limits: { crawlers: 'share' } })
    for (let i = 0; i < 10; i++) await site.browser(googlebot).visit()
    expect(store.calls).toEqual({ get: 0, put: 0, touch: 0, delete: 0, sweep: 0 })
  })
})

test('crawlers that do not share have a session for each write, as everybody', async () => {
  const site = new Site()
  for (let i = 0; i < 3; i++) expect(await crawl(site, googlebot)).toBe(1)
  expect(site.told('created')).toHaveLength(3)
})

test.each([
  [googlebot.agent, 'Googlebot 192.0.2.1'],
  ['Mozilla/5.0 (compatible; YandexBot/3.0; +http://yandex.com/bots)', 'YandexBot 192.0.2.1'],
  ['Mozilla/5.0 AppleWebKit/537.36 (KHTML, like Gecko; compatible; GPTBot/1.2; +https://openai.com/gptbot)', 'GPTBot 192.0.2.1'],
  ['facebookexternalhit/1.1 (+http://www.facebook.com/externalhit_uatext.php)', 'facebookexternalhit 192.0.2.1'],
  [firefox.agent, null],
  ['curl/8.14.1', null],
  ['', null],
])('%s is the crawler %j', (agent, crawler) => expect(crawlerOf({ address: '192.0.2.1', header: () => agent })).toBe(crawler))

test('no crawler is known without an address', () => expect(crawlerOf({ address: undefined, header: () => googlebot.agent })).toBeNull())
