import { describe, expect, test } from 'vitest'
import { decodeHead } from '../../src/core/head.ts'
import type { Maybe, SessionRecord } from '../../src/core/store.ts'
import { memory } from '../../src/stores/memory.ts'
import { type Browser, chrome, firefox } from './browser.ts'
import { type Data, renew, renewalAlone, Site } from './site.ts'
import { Later, StoreOver } from './store-over.ts'

async function pendingOf(site: Site, browser: Browser<Data>): Promise<number> {
  return decodeHead((await site.record(browser))!.head)!.renewal.pending.length
}

/** Refuses to write while it is told to. */
class Failing extends StoreOver {
  fails = false

  override put(record: SessionRecord, expected: number): Maybe<boolean> {
    if (this.fails) throw new Error('the disk is on fire')
    return super.put(record, expected)
  }
}

describe.each([
  ['at once', (store: StoreOver) => store],
  ['later', (store: StoreOver) => new Later(store)],
])('on a store that answers %s', (_, answering) => {
  test('no new secret goes out that was not stored: the request is served, the failure reported', async () => {
    const store = new Failing(memory())
    const site = new Site({ store: answering(store) })
    const owner = await site.member()
    const first = owner.token
    site.clock.advance(renew)
    store.fails = true
    expect(await owner.visit()).toBe('ada')
    expect(owner.setCookie).toBeNull()
    expect(site.errors).toEqual(['ERR_SOJOURN_UNKNOWN_OUTCOME'])
    expect(site.told('error')[0]!.id).toBe(owner.id)
    store.fails = false
    expect(await owner.visit()).toBe('ada')
    expect(owner.token).not.toBe(first)
  })

  test('nor does one with data that could not be stored: that request fails', async () => {
    const store = new Failing(memory())
    const site = new Site({ store: answering(store) })
    const owner = await site.member()
    site.clock.advance(renew)
    store.fails = true
    const session = await owner.open()
    session.data.visits++
    await expect(session.commit()).rejects.toMatchObject({ status: 503 })
    store.fails = false
    expect(await pendingOf(site, owner)).toBe(0)
  })

  test('a confirmation that could not be stored is made up for by a later request', async () => {
    const store = new Failing(memory())
    const site = new Site({ store: answering(store) })
    const owner = await site.member()
    site.clock.advance(renew)
    await owner.visit()
    store.fails = true
    expect(await owner.visit()).toBe('ada')
    expect(site.told('renewed')).toEqual([])
    store.fails = false
    expect(await owner.visit()).toBe('ada')
    expect(site.told('renewed')).toHaveLength(1)
  })

  test('a request that only reads, in flight while the session ends, is served without a word', async () => {
    const site = new Site({ store: answering(new StoreOver(memory())) })
    const owner = await site.member()
    site.clock.advance(renew)
    const slow = await owner.open()
    expect(slow.userId).toBe('ada')
    await site.sessions.end(owner.id!)
    const headers = await slow.commit()
    expect(headers.getSetCookie()).toEqual([])
  })
})

describe('two requests at once when renewal is due', () => {
  test('get one new secret between them in one process', async () => {
    const site = new Site({ store: new Later(memory()) })
    const owner = await site.member()
    site.clock.advance(renew)
    const tabs = Array.from({ length: 8 }, () => site.browser(firefox, owner.token))
    await Promise.all(tabs.map((tab) => tab.visit()))
    expect(tabs.filter(({ setCookie }) => setCookie !== null)).toHaveLength(1)
    expect(await pendingOf(site, owner)).toBe(1)
  })

  test('get one between them in two processes; the one that lost is dropped', async () => {
    const store = new Later(memory())
    const sites = [new Site({ store, theft: renewalAlone }), new Site({ store, theft: renewalAlone })]
    const owner = await sites[0]!.member()
    for (const { clock } of sites) clock.advance(renew)
    const tabs = sites.flatMap((site) => [site.browser(firefox, owner.token), site.browser(chrome, owner.token)])
    expect(await Promise.all(tabs.map((tab) => tab.visit()))).toEqual(['ada', 'ada', 'ada', 'ada'])
    const cookies = tabs.filter(({ setCookie }) => setCookie !== null)
    expect(cookies.length).toBeLessThanOrEqual(2)
    expect(await pendingOf(sites[0]!, owner)).toBe(cookies.length)
    for (const { errors } of sites) expect(errors).toEqual([])
  })

  test('with data in both keep the data, and one new secret', async () => {
    const store = new Later(memory())
    const sites = [new Site({ store }), new Site({ store })]
    const owner = await sites[0]!.member()
    for (const { clock } of sites) clock.advance(renew)
    const tabs = sites.map((site) => site.browser(firefox, owner.token))
    await Promise.all(tabs.map((tab, i) => tab.send((session) => void session.data.cart.push(`tea ${i}`))))
    expect(tabs.filter(({ setCookie }) => setCookie !== null)).toHaveLength(1)
    expect(await pendingOf(sites[0]!, owner)).toBe(1)
    expect((await owner.send((session) => session.data.cart)).toSorted()).toEqual(['tea 0', 'tea 1'])
  })
})
