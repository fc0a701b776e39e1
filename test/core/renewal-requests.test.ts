import http from 'node:http'
import type { AddressInfo } from 'node:net'
import { describe, expect, test } from 'vitest'
import { withSession } from '../../src/adapters/node.ts'
import { decodeHead } from '../../src/core/head.ts'
import { memory } from '../../src/stores/memory.ts'
import { type Browser, firefox } from './browser.ts'
import { absolute, type Data, days, grace, hours, minutes, renew, seconds, Site } from './site.ts'
import { Counted } from './store-over.ts'

async function pendingOf(site: Site, browser: Browser<Data>): Promise<number> {
  return decodeHead((await site.record(browser))!.head)!.renewal.pending.length
}

describe('renewal', () => {
  test('begins when the secret is old enough, and is done when the new one is shown', async () => {
    const site = new Site()
    const owner = await site.member()
    const first = owner.token!
    site.clock.advance(renew - 1)
    await owner.visit()
    expect(owner.setCookie).toBeNull()
    site.clock.advance(1)
    await owner.visit()
    const second = owner.token!
    expect(second).not.toBe(first)
    expect(second.slice(0, 16)).toBe(first.slice(0, 16))
    expect(site.told('renewed')).toEqual([])

    // The answer may have been lost: the old one is as good as ever, for hours.
    site.clock.advance(20 * minutes)
    expect(await site.browser(firefox, first).visit()).toBe('ada')
    expect(await owner.visit()).toBe('ada')
    expect(site.told('renewed')).toEqual([{ id: owner.id, userId: 'ada' }])
    site.clock.advance(grace)
    expect(await site.browser(firefox, first).visit()).toBe('ada')
    site.clock.advance(1)
    expect(await site.browser(firefox, first).visit()).toBeNull()
    expect(await owner.visit()).toBe('ada')
  })

  test('serves one that was overtaken by a newer one, and gives it a new one', async () => {
    const site = new Site()
    const owner = await site.member()
    const tokens: string[] = []
    site.clock.advance(renew)
    for (let i = 0; i < 2; i++) {
      const answer = site.browser(firefox, owner.token)
      await answer.visit()
      tokens.push(answer.token!)
      site.clock.advance(40 * seconds)
    }
    expect(await site.browser(firefox, tokens[1]).visit()).toBe('ada')
    site.clock.advance(hours / 4)
    const overtaken = site.browser(firefox, tokens[0])
    expect(await overtaken.visit()).toBe('ada')
    expect(overtaken.setCookie).not.toBeNull()
    expect(await overtaken.visit()).toBe('ada')
  })

  test('goes out with the data in one write', async () => {
    const store = new Counted(memory())
    const site = new Site({ store })
    const owner = await site.member()
    const before = store.calls.put
    site.clock.advance(renew)
    await owner.send((session) => void session.data.visits++)
    expect(owner.setCookie).not.toBeNull()
    await owner.send((session) => void session.data.visits++)
    expect(store.calls.put).toBe(before + 2)
    expect(await owner.send((session) => session.data.visits)).toBe(2)
    expect(site.told('renewed')).toHaveLength(1)
  })

  test('comes to an anonymous visitor as well', async () => {
    const site = new Site()
    const visitor = await site.visitor()
    const first = visitor.token
    site.clock.advance(renew)
    await visitor.visit()
    expect(visitor.token).not.toBe(first)
    expect(await visitor.send((session) => session.data.cart)).toEqual(['tea'])
  })

  test('leaves the cookie’s life as it is: until the browser ends, or for what is left of a remembered login', async () => {
    const site = new Site()
    const [owner, remembered] = [await site.member('ada'), await site.member('alan', { remember: true })]
    expect(owner.setCookie).not.toMatch(/Max-Age|Expires/i)
    expect(remembered.setCookie).toMatch(/; Max-Age=7776000;/)
    site.clock.advance(renew)
    await owner.visit()
    expect(owner.setCookie).toMatch(/^sid=/)
    expect(owner.setCookie).not.toMatch(/Max-Age|Expires/i)
    site.clock.advance(10 * days - renew)
    await remembered.visit()
    expect(remembered.setCookie).toMatch(/; Max-Age=6912000;/)
    expect(remembered.setCookie).not.toMatch(/Expires/i)
  })

  test('makes a session live no longer than its absolute timeout', async () => {
    const site = new Site()
    const owner = await site.member()
    for (let passed = 0; passed < absolute; passed += 5 * minutes) {
      expect(await owner.visit()).toBe('ada')
      site.clock.advance(5 * minutes)
    }
    expect(site.told('renewed').length).toBeGreaterThan(20)
    expect(await owner.visit()).toBeNull()
  })
})

describe('renew()', () => {
  test('makes it due now; the old secret is good until the new one is shown, and a grace more', async () => {
    const site = new Site()
    const owner = await site.member()
    const first = owner.token!
    await owner.send((session) => session.renew())
    expect(owner.token).not.toBe(first)
    site.clock.advance(10 * minutes)
    expect(await site.browser(firefox, first).visit()).toBe('ada')
    expect(site.told('renewed')).toEqual([])
    expect(await owner.visit()).toBe('ada')
    expect(site.told('renewed')).toHaveLength(1)
    site.clock.advance(grace + 1)
    expect(await site.browser(firefox, first).visit()).toBeNull()
    expect(await owner.visit()).toBe('ada')
  })

  test('asked for again and again gives one new secret until that had its time to come back', async () => {
    const site = new Site()
    const owner = await site.member()
    for (let i = 0; i < 20; i++) await site.browser(firefox, owner.token).send((session) => session.renew())
    expect(await pendingOf(site, owner)).toBe(1)
  })

  test('means nothing to a new visitor, and adds nothing at a login', async () => {
    const site = new Site()
    const visitor = site.browser()
    await visitor.send((session) => session.renew())
    expect(visitor.setCookie).toBeNull()
    await visitor.send(async (session) => {
      session.renew()
      await session.login('ada')
    })
    expect(await pendingOf(site, visitor)).toBe(0)
  })
})

test('a response that the application marks public neither hands out a new secret nor confirms one', async () => {
  const site = new Site()
  const owner = await site.member()
  const server = http.createServer(
    withSession(site.sessions, (req, res, session) => {
      res.setHeader('Cache-Control', req.url === '/public' ? 'public, max-age=60' : 'max-age=60')
      res.end(session.userId)
    }),
  )
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const at = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  const ask = async (path: string): Promise<string[]> => {
    const response = await fetch(at + path, { headers: { cookie: `sid=${owner.token}`, 'user-agent': firefox.agent } })
    expect(await response.text()).toBe('ada')
    return response.headers.getSetCookie()
  }
  site.clock.advance(renew)
  expect(await ask('/public')).toEqual([])
  expect(await pendingOf(site, owner)).toBe(0)
  const [cookie] = await ask('/')
  owner.token = cookie!.slice('sid='.length, cookie!.indexOf(';'))
  expect(await ask('/public')).toEqual([])
  expect(site.told('renewed')).toEqual([])
  expect(await ask('/')).toEqual([])
  expect(site.told('renewed')).toHaveLength(1)
  server.close()
})
