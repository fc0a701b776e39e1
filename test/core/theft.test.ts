import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { partsOf } from '../../src/core/device.ts'
import { decodeHead } from '../../src/core/head.ts'
import type { TheftAnswer, TheftOptions } from '../../src/core/theft.ts'
import { memory } from '../../src/stores/memory.ts'
import { type Browser, chrome, type Client, firefox } from './browser.ts'
import { type Data, minutes, renew, Site } from './site.ts'
import { Counted, Later } from './store-over.ts'

const at = (client: Client, address: string): Client => ({ ...client, address })
const by = (client: Client, agent: string): Client => ({ ...client, agent })

const windows = 'Windows NT 10.0; Win64; x64'
const firefoxOn = (system: string, version = '145.0'): string => `Mozilla/5.0 (${system}; rv:${version}) Gecko/20100101 Firefox/${version}`
const chromeOn = (system: string, version = '142'): string =>
  `Mozilla/5.0 (${system}) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/${version}.0.0.0 Safari/537.36`
const iphone =
  'Mozilla/5.0 (iPhone; CPU iPhone OS 18_6 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/26.0 Mobile/15E148 Safari/604.1'
const asMac = 'Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/26.0 Safari/605.1.15'
const elsewhere = '203.0.113.5'

/** The cookie of a browser in another client's hands. */
const stolen = (site: Site, owner: Browser<Data>, client: Client): Browser<Data> => site.browser(client, owner.token)

const standing = (browser: Browser<Data>): Promise<[userId: string | null, assurance: number]> =>
  browser.send(({ userId, assurance }) => [userId, assurance])

describe('a client that changes as clients do', () => {
  test.each<[what: string, before: Client, after: Client]>([
    ['a phone that leaves the wifi', by(firefox, iphone), at(by(firefox, iphone), elsewhere)],
    ['a laptop that moves to IPv6', firefox, at(firefox, '2001:db8::7')],
    ['a browser that was updated', firefox, by(firefox, firefoxOn(windows, '146.0'))],
    ['a browser that was updated, elsewhere', firefox, at(by(firefox, firefoxOn(windows, '146.0')), elsewhere)],
    ['a system that was updated', by(firefox, iphone), by(firefox, iphone.replace('18_6', '19_0'))],
    ['a phone that asks for the desktop site', by(firefox, iphone), by(firefox, asMac)],
    [
      'a phone that asks for it on the way',
      by(firefox, chromeOn('Linux; Android 10; K')),
      at(by(firefox, chromeOn('X11; Linux x86_64')), elsewhere),
    ],
    [
      'a phone that plays media',
      by(firefox, iphone),
      by(firefox, 'AppleCoreMedia/1.0.0.22G86 (iPhone; U; CPU OS 18_6 like Mac OS X; en_us)'),
    ],
    ['a client that told nothing of itself', by(firefox, ''), chrome],
    ['a client that told its browser alone', by(firefox, 'Firefox/145.0'), firefox],
    ['a client without an address', { agent: firefox.agent, address: '' }, at(firefox, elsewhere)],
  ])('stays logged in, with no event and no write: %s', async (_, before, after) => {
    const store = new Counted(memory())
    const site = new Site({ store })
    const owner = await site.member('ada', { client: before })
    const { put } = store.calls
    for (const client of [after, before, after, before]) {
      expect(await standing(stolen(site, owner, client))).toEqual(['ada', 1])
      await stolen(site, owner, client).send((session) => session.requireRecentLogin('1m'))
    }
    expect(site.suspected).toEqual([])
    expect(store.calls.put).toBe(put)
  })
})

describe('another browser family or platform', () => {
  test.each<[what: string, client: Client, signals: string[]]>([
    ['family', by(firefox, chromeOn(windows)), ['browser']],
    ['platform', by(firefox, firefoxOn('X11; Linux x86_64')), ['platform']],
    ['family and platform', by(firefox, chrome.agent), ['browser', 'platform']],
    ['family and network', at(by(firefox, chromeOn(windows)), elsewhere), ['browser', 'network']],
    ['platform and network', at(by(firefox, firefoxOn('X11; Linux x86_64')), elsewhere), ['platform', 'network']],
    ['a program', by(firefox, 'curl/8.14.1'), ['browser', 'platform']],
    ['nothing that it tells', by(firefox, ''), ['browser', 'platform']],
  ])('demands a new login, and is told: %s', async (_, client, signals) => {
    const store = new Counted(memory())
    const site = new Site({ store })
    const owner = await site.member()
    const { put } = store.calls
    const other = stolen(site, owner, client)
    for (let i = 0; i < 5; i++) expect(await standing(other)).toEqual(['ada', 0])
    expect(site.told('suspected')).toEqual([{ id: owner.id, userId: 'ada', reason: 'changed', signals }])
    expect(store.calls.put).toBe(put + 1)
    await expect(other.send((session) => session.requireRecentLogin('1h'))).rejects.toMatchObject({
      code: 'ERR_SOJOURN_LOGIN_REQUIRED',
      status: 401,
    })
    expect(site.told('ended')).toEqual([])
  })

  test('is demanded of the owner too, until a login, which shuts the other out', async () => {
    const site = new Site()
    const owner = await site.member()
    const other = stolen(site, owner, by(firefox, chromeOn(windows)))
    await other.visit()
    expect(await standing(owner)).toEqual(['ada', 0])
    await owner.send(async (session) => {
      await session.login('ada', { assurance: 2 })
      session.requireRecentLogin('1m', { assurance: 2 })
    })
    expect(await standing(owner)).toEqual(['ada', 2])
    expect(await other.visit()).toBeNull()
    expect(decodeHead((await site.record(owner))!.head)!.others).toEqual([])
  })

  test('keeps what the device list shows, and the data', async () => {
    const site = new Site()
    const owner = await site.member()
    await owner.send((session) => void session.data.cart.push('tea'))
    const other = stolen(site, owner, by(firefox, chromeOn(windows)))
    expect(await other.send((session) => [...session.data.cart])).toEqual(['tea'])
    for await (const { device } of site.sessions.listByUser('ada')) expect(device).toBe('Firefox on Windows')
  })

  test('is seen with a secret that was just renewed as well', async () => {
    const site = new Site()
    const owner = await site.member()
    const before = owner.token
    site.clock.advance(renew)
    await owner.visit()
    const [pending, closing] = [owner.token, before]
    await stolen(site, owner, by(firefox, chromeOn(windows))).visit()
    expect(site.suspected).toEqual(['changed'])
    owner.token = pending
    await owner.visit()
    expect(await standing(site.browser(firefox, closing))).toEqual(['ada', 0])
  })

  test('is told once by many requests at once, on a store that answers later, in two processes', async () => {
    const store = new Later(memory())
    const sites = [new Site({ store }), new Site({ store })]
    const owner = await sites[0]!.member()
    const client = by(firefox, chromeOn(windows))
    const tabs = Array.from({ length: 10 }, (_, i) => sites[i % 2]!.browser(client, owner.token))
    expect(await Promise.all(tabs.map(standing))).toEqual(tabs.map(() => ['ada', 0]))
    expect(sites.flatMap(({ suspected }) => suspected)).toEqual(['changed'])
    expect(sites.flatMap(({ errors }) => errors)).toEqual([])
  })

  test('is not served where the session ended while that was written', async () => {
    const store = new Counted(memory())
    const site = new Site({ store })
    const owner = await site.member()
    const other = stolen(site, owner, by(firefox, chromeOn(windows)))
    const put = store.put.bind(store)
    let ending: Promise<boolean> | null = null
    store.put = (record, expected) => {
      store.put = put
      ending = site.sessions.end(record.id)
      return put(record, expected)
    }
    expect(await standing(other)).toEqual([null, 0])
    expect(await ending).toBe(true)
    expect(site.suspected).toEqual([])
  })

  test('costs four writes at most, however many faces it has', async () => {
    const store = new Counted(memory())
    const site = new Site({ store })
    const owner = await site.member()
    const { put } = store.calls
    for (let i = 0; i < 200; i++) {
      const other = stolen(site, owner, by(firefox, `${'abcdefgh'[i % 8]}bot/1.0`))
      expect((await standing(other))[1]).toBe(0)
    }
    expect(store.calls.put - put).toBe(4)
    expect(site.suspected).toHaveLength(4)
    expect((await site.record(owner))!.head.length).toBeLessThan(400)
  })
})

describe('another family, platform and network together', () => {
  test('end the session, for both, and are told', async () => {
    const site = new Site()
    const owner = await site.member()
    const thief = stolen(site, owner, chrome)
    await thief.send((session) => expect([session.userId, session.isNew, session.data.cart]).toEqual([null, true, []]))
    expect(thief.setCookie).toBeNull()
    expect(site.told('suspected')).toEqual([
      { id: owner.id, userId: 'ada', reason: 'changed', signals: ['browser', 'platform', 'network'] },
    ])
    expect(site.told('ended')).toEqual([{ id: owner.id, userId: 'ada', reason: 'theft' }])
    expect(await owner.visit()).toBeNull()
    await owner.send(async (session) => await session.login('ada'))
    expect(await standing(owner)).toEqual(['ada', 1])
    expect(site.errors).toEqual([])
  })

  test('end it once, however many requests come at once', async () => {
    const store = new Later(memory())
    const site = new Site({ store })
    const owner = await site.member()
    const visits = await Promise.all(Array.from({ length: 10 }, () => stolen(site, owner, chrome).visit()))
    expect(visits).toEqual(visits.map(() => null))
    expect([site.suspected, site.told('ended').length]).toEqual([['changed'], 1])
  })

  test('leave the request refused where the store fails to end it', async () => {
    const store = new Counted(memory())
    const site = new Site({ store })
    const owner = await site.member()
    store.put = () => {
      throw new Error('read only')
    }
    await expect(stolen(site, owner, chrome).visit()).rejects.toMatchObject({ status: 503 })
    expect(await owner.visit()).toBe('ada')
  })
})

describe('two clients in turns', () => {
  const turns = async (client: Client): Promise<{ site: Site; owner: Browser<Data> }> => {
    const site = new Site()
    const owner = await site.member()
    await stolen(site, owner, client).visit()
    site.clock.advance(minutes)
    await owner.visit()
    return { site, owner }
  }

  test('of two browsers in one network are stepped up, once for each of four turns', async () => {
    const client = by(firefox, chromeOn(windows))
    const { site, owner } = await turns(client)
    for (let i = 0; i < 5; i++) {
      expect(await standing(stolen(site, owner, client))).toEqual(['ada', 0])
      expect(await standing(owner)).toEqual(['ada', 0])
    }
    expect(site.told('suspected').map(({ signals }) => signals)).toEqual([
      ['browser'],
      ['browser', 'alternating'],
      ['browser', 'alternating'],
      ['browser', 'alternating'],
    ])
  })

  test.each<[string, Client]>([
    ['two browsers in two networks', at(by(firefox, chromeOn(windows)), elsewhere)],
    ['two browsers on two platforms', by(firefox, chrome.agent)],
  ])('of %s are two places at once: the session ends', async (_, client) => {
    const { site, owner } = await turns(client)
    expect(site.told('ended')).toEqual([{ id: owner.id, userId: 'ada', reason: 'theft' }])
    expect(site.told('suspected').at(-1)!.signals).toContain('alternating')
    expect(await owner.visit()).toBeNull()
    expect(await stolen(site, owner, client).visit()).toBeNull()
  })
})

describe('what the application decides', () => {
  test('is asked with the signals and the session, and is done', async () => {
    const asked: unknown[] = []
    let answer: TheftAnswer = 'allow'
    const site = new Site({
      theft: {
        decide(signals, session) {
          asked.push([signals, session.id, session.userId, session.device])
          return answer
        },
      },
    })
    const owner = await site.member()
    await owner.visit()
    expect(asked).toEqual([])
    const thief = stolen(site, owner, chrome)
    for (let i = 0; i < 2; i++) expect(await standing(thief)).toEqual(['ada', 1])
    const question = [['browser', 'platform', 'network'], owner.id, 'ada', 'Firefox on Windows']
    expect(asked).toEqual([question, question])
    expect(site.suspected).toEqual([])
    answer = 'stepUp'
    for (let i = 0; i < 2; i++) expect(await standing(thief)).toEqual(['ada', 0])
    expect(asked).toHaveLength(3)
    answer = 'end'
    expect(await owner.visit()).toBeNull()
    expect(asked.at(-1)).toEqual([['browser', 'platform', 'network', 'alternating'], owner.id, 'ada', 'Firefox on Windows'])
  })

  test('may be about the network alone', async () => {
    const site = new Site({ theft: { decide: (signals) => (signals.includes('network') ? 'end' : 'allow') } })
    const owner = await site.member()
    expect(await stolen(site, owner, at(firefox, '192.0.2.200')).visit()).toBe('ada')
    expect(await stolen(site, owner, at(firefox, elsewhere)).visit()).toBeNull()
  })

  test('may be other weights', async () => {
    const theft: TheftOptions = { weights: { network: 2, browser: 0 } }
    const site = new Site({ theft })
    const owner = await site.member()
    expect(await standing(stolen(site, owner, by(firefox, chromeOn(windows))))).toEqual(['ada', 1])
    expect(await standing(stolen(site, owner, at(firefox, elsewhere)))).toEqual(['ada', 0])
    expect(await standing(owner)).toEqual(['ada', 0])
    expect(site.told('suspected').map(({ signals }) => signals)).toEqual([['network'], ['network', 'alternating']])
  })

  test('tells a network that is new from one that is back', async () => {
    const site = new Site({ theft: { weights: { network: 2 } } })
    const owner = await site.member()
    for (const address of [elsewhere, '198.51.100.9', elsewhere]) await stolen(site, owner, at(firefox, address)).visit()
    expect(site.told('suspected').map(({ signals }) => signals)).toEqual([['network'], ['network'], ['network', 'alternating']])
  })

  test.each<[string, TheftOptions['decide']]>([
    ['throws', () => { throw new Error('no database') }], // prettier-ignore
    ['answers nonsense', () => 'maybe' as TheftAnswer],
    ['answers later', (() => Promise.reject(new Error('late'))) as unknown as TheftOptions['decide']],
  ])('refuses the request when it %s, and that one alone', async (_, decide) => {
    for (const onStoreError of ['refuse', 'anonymous'] as const) {
      const site = new Site({ theft: { decide }, onStoreError })
      const owner = await site.member()
      await expect(stolen(site, owner, chrome).visit()).rejects.toMatchObject({ code: 'ERR_SOJOURN_CALLBACK', status: 500 })
      expect(await owner.visit()).toBe('ada')
    }
  })

  test.each<[TheftOptions, RegExp]>([
    [{ weights: { network: -1 } }, /^theft\.weights\.network is -1/],
    [{ weights: { browser: Number.NaN } }, /^theft\.weights\.browser is null/],
    [{ weights: { browser: '2' as never } }, /^theft\.weights\.browser is "2"/],
    [{ weights: { colour: 2 } as never }, /^theft\.weights\.colour is no option/],
    [{ policy: 'strict' } as never, /^theft\.policy is no option/],
    [{ weights: {}, decide: () => 'allow' }, /^theft\.decide and theft\.weights were both given/],
  ])('must be possible: %j', (theft, message) => {
    expect(() => new Site({ theft })).toThrow(
      expect.objectContaining({ code: 'ERR_SOJOURN_OPTION', message: expect.stringMatching(message) as unknown }),
    )
  })
})

test('what is kept of a client tells its device and nothing of its address; of those that come after, neither', async () => {
  const site = new Site()
  const owner = await site.member()
  await stolen(site, owner, at(by(firefox, chromeOn(windows)), elsewhere)).visit()
  const { head } = (await site.record(owner))!
  const marks: unknown = expect.stringMatching(/^[\w-]{9}$/)
  expect(decodeHead(head)).toMatchObject({ device: 'Firefox on Windows', seen: marks, others: [marks] })
  for (const part of ['192.0', '0.2', '203.0', '0.113', 'Mozilla', '145', '142', 'Chrome']) expect(head.slice(75)).not.toContain(part)
})

test('an unchanged client costs no write and no second read, whatever its User-Agent', async () => {
  await fc.assert(
    fc.asyncProperty(fc.string({ unit: 'binary-ascii', maxLength: 600 }), async (agent) => {
      const store = new Counted(memory())
      const site = new Site({ store })
      const owner = await site.member('ada', { client: by(firefox, agent) })
      const { put, get } = store.calls
      expect(await owner.visit()).toBe('ada')
      expect([store.calls.put, store.calls.get]).toEqual([put, get + 1])
      expect(site.suspected).toEqual([])
    }),
    { numRuns: 200 },
  )
})

test.each([
  ['Firefox on Windows', { browser: 'Firefox', platform: 'Windows' }],
  ['Samsung Internet on Android', { browser: 'Samsung Internet', platform: 'Linux' }],
  ['Safari on iPad', { browser: 'Safari', platform: 'macOS' }],
  ['Windows', { browser: null, platform: 'Windows' }],
  ['curl', { browser: 'curl', platform: null }],
  [null, { browser: null, platform: null }],
])('%j is taken apart into family and platform', (device, parts) => expect(partsOf(device)).toEqual(parts))
