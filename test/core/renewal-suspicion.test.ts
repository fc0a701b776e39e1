import { randomBytes } from 'node:crypto'
import { describe, expect, test } from 'vitest'
import { decodeHead } from '../../src/core/head.ts'
import { memory } from '../../src/stores/memory.ts'
import { type Browser, chrome, type Client, firefox } from './browser.ts'
import { type Data, grace, hours, minutes, renew, renewalAlone, seconds, Site } from './site.ts'
import { Counted } from './store-over.ts'

const other = (i: number): Client => ({ agent: `Bot${i}/1.0`, address: `203.0.${i}.1` })

/** Renews the browser's secret: given, shown, confirmed. @returns the token before */
async function renewed({ clock }: Site, browser: Browser<Data>): Promise<string> {
  const before = browser.token!
  clock.advance(renew)
  await browser.visit()
  expect(browser.token).not.toBe(before)
  await browser.visit()
  return before
}

describe('a wrong secret for a known ID', () => {
  test('ends nothing, however many are tried, and is reported to nobody', async () => {
    const store = new Counted(memory())
    const site = new Site({ store, theft: renewalAlone })
    const owner = await site.member()
    const { put } = store.calls
    for (let i = 0; i < 5000; i++) {
      const guess = site.browser(chrome, owner.id! + randomBytes(24).toString('base64url'))
      await guess.send((session) => expect([session.isNew, session.userId, session.id]).toEqual([true, null, null]))
      expect(guess.setCookie).toBeNull()
      if (i % 100 === 0) site.clock.advance(3 * seconds)
    }
    expect(site.suspected).toEqual([])
    expect(site.told('ended')).toEqual([])
    expect(store.calls.put).toBe(put)
    expect(await owner.visit()).toBe('ada')
  })

  test('is wrong by one bit as well, of the random ones or of those that check them', async () => {
    const site = new Site({ theft: renewalAlone })
    const owner = await site.member()
    const secret = Buffer.from(owner.token!.slice(16), 'base64url')
    for (let bit = 0; bit < secret.length * 8; bit++) {
      const near = Buffer.from(secret)
      near[bit >> 3]! ^= 1 << (bit & 7)
      expect(await site.browser(chrome, owner.id! + near.toString('base64url')).visit()).toBeNull()
    }
    expect(site.suspected).toEqual([])
    expect(await owner.visit()).toBe('ada')
  })

  test('is one that was issued for another session', async () => {
    const site = new Site({ theft: renewalAlone })
    const [ada, alan] = [await site.member('ada'), await site.member('alan')]
    await renewed(site, alan)
    for (let i = 0; i < 3; i++) {
      expect(await site.browser(chrome, ada.id! + alan.token!.slice(16)).visit()).toBeNull()
      site.clock.advance(2 * grace)
    }
    expect(site.suspected).toEqual([])
  })

  test.each(['login', 'logout'] as const)('is one at the tombstone of a %s too: it opens, follows and ends nothing', async (end) => {
    const site = new Site()
    const owner = await site.member()
    const { id } = owner
    await owner.send(async (session) => {
      session.data.cart.push('tea')
      await session.login('ada')
    })
    const moved = owner.token
    if (end === 'logout') await site.browser(firefox, moved).send(async (session) => await session.logout())
    const ended = end === 'logout' ? owner.id : id

    const guess = () => site.browser(firefox, ended! + randomBytes(24).toString('base64url'))
    // As for any new visitor: a write begins a session of its own, where the right secret would be answered 409.
    await guess().send((session) => void session.data.cart.push('mug'))
    const told = site.told('ended').length
    await guess().send(async (session) => await session.logout())
    expect(site.told('ended')).toHaveLength(told)
    const thief = guess()
    await thief.send(async (session) => await session.login('ada'))
    expect(await thief.send(({ data }) => data.cart)).toEqual([])
    expect(await owner.send(({ userId, data }) => [userId, data.cart])).toEqual(end === 'login' ? ['ada', ['tea']] : [null, []])
  })
})

describe('a late secret', () => {
  test('is refused and reported once a grace; shown again later than that, it ends the session', async () => {
    const site = new Site({ theft: renewalAlone })
    const owner = await site.member()
    const late = site.browser(chrome, await renewed(site, owner))
    site.clock.advance(grace)
    expect(await late.visit()).toBe('ada')
    site.clock.advance(1)
    for (const pause of [0, 0, 1, grace / 2, grace / 2 - 1]) {
      site.clock.advance(pause)
      expect(await late.visit()).toBeNull()
      expect(late.setCookie).toBeNull()
    }
    expect(site.told('suspected')).toEqual([{ id: owner.id, userId: 'ada', reason: 'late' }])
    expect(await owner.visit()).toBe('ada')

    site.clock.advance(1)
    expect(await late.visit()).toBeNull()
    expect(site.suspected).toEqual(['late', 'reuse'])
    expect(site.told('ended')).toEqual([{ id: owner.id, userId: 'ada', reason: 'reuse' }])
    expect(await owner.visit()).toBeNull()
  })

  test('is forgotten when the client confirms a new secret', async () => {
    const site = new Site({ theft: renewalAlone })
    const owner = await site.member()
    const late = site.browser(chrome, await renewed(site, owner))
    for (let i = 1; i <= 5; i++) {
      site.clock.advance(grace + 1)
      expect(await late.visit()).toBeNull()
      await renewed(site, owner)
      expect(site.suspected).toEqual(Array.from({ length: i }, () => 'late'))
    }
    expect(await owner.visit()).toBe('ada')
  })

  test('in hand at a login ends the session that it was of', async () => {
    const site = new Site({ theft: renewalAlone })
    const thief = await site.member()
    const owner = site.browser(firefox, await renewed(site, thief))
    site.clock.advance(grace + 1)
    expect(await owner.visit()).toBeNull()
    await owner.send(async (session) => await session.login('ada'))
    expect(site.suspected).toEqual(['late', 'reuse'])
    expect(site.told('ended')).toEqual([{ id: thief.id, userId: 'ada', reason: 'reuse' }])
    expect(await thief.visit()).toBeNull()
    expect(await owner.visit()).toBe('ada')
    expect(owner.id).not.toBe(thief.id)
  })

  test('does not count as a use of the session', async () => {
    const site = new Site({ theft: renewalAlone })
    const owner = await site.member()
    const late = site.browser(chrome, await renewed(site, owner))
    site.clock.advance(20 * minutes)
    const before = await site.record(owner)
    await late.visit()
    const marked = await site.record(owner)
    expect(decodeHead(marked!.head)!.renewal.late).toBe(site.clock.now())
    expect([marked!.lastSeenAt, marked!.expiresAt]).toEqual([before!.lastSeenAt, before!.expiresAt])
  })

  test('that comes with a write sets no cookie: a held upload must not take the owner’s session away', async () => {
    const site = new Site({ theft: renewalAlone })
    const owner = await site.member()
    const upload = site.browser(firefox, await renewed(site, owner))
    site.clock.advance(grace + 1)
    const code = await upload.send((session) => void session.data.cart.push('tea')).catch((error: { code: string }) => error.code)
    expect(upload.setCookie).toBeNull()
    expect(code).toBe('ERR_SOJOURN_MOVED')
    expect(await owner.visit()).toBe('ada')
  })
})

describe('new secrets that nobody shows', () => {
  test('are reported after six', async () => {
    const site = new Site({ theft: renewalAlone })
    const owner = await site.member()
    const lost = site.browser(firefox, owner.token)
    const given: number[] = []
    site.clock.advance(renew)
    for (let i = 0; given.length < 6; i += 2) {
      await lost.visit()
      if (lost.setCookie !== null) given.push(i)
      lost.token = owner.token
      site.clock.advance(2 * seconds)
    }
    expect(given.map((at, i) => at - (given[i - 1] ?? at))).toEqual([0, 36, 72, 144, 288, 576])
    expect(site.suspected).toEqual([])
    site.clock.advance(renew)
    await lost.visit()
    expect(site.told('suspected')).toEqual([{ id: owner.id, userId: 'ada', reason: 'unshown' }])
    expect(await owner.visit()).toBe('ada')
  })

  test('are of four clients at most, six of each, whoever asks', async () => {
    const site = new Site({ theft: renewalAlone })
    const owner = await site.member()
    site.clock.advance(renew)
    for (let i = 0; i < 600; i++) {
      await site.browser(other(i % 50), owner.token).visit()
      site.clock.advance(10 * seconds)
    }
    const { pending } = decodeHead((await site.record(owner))!.head)!.renewal
    expect(new Set(pending.map(({ hint }) => hint)).size).toBeLessThanOrEqual(4)
    expect(pending.length).toBeLessThanOrEqual(24)
    expect((await site.record(owner))!.head.length).toBeLessThan(3000)
  })

  test('of a thief on another browser and network don’t take the owner’s turn', async () => {
    const site = new Site({ theft: renewalAlone })
    const owner = await site.member()
    const stolen = owner.token
    for (let i = 0; i < renew + 15 * minutes; i += 2 * seconds) {
      site.clock.advance(2 * seconds)
      await site.browser(chrome, stolen).visit()
    }
    await owner.visit()
    expect(owner.token).not.toBe(stolen)
    expect(await owner.visit()).toBe('ada')
    site.clock.advance(grace + 1)
    expect(await site.browser(chrome, stolen).visit()).toBeNull()
    expect(await owner.visit()).toBe('ada')
  })

  test('of a thief who calls himself by many names don’t take it either', async () => {
    const site = new Site({ theft: renewalAlone })
    const owner = await site.member()
    const stolen = owner.token
    const names = [1, 2, 3, 4, 5].map((i) => ({ agent: `Bot${i}/1.0`, address: chrome.address }))
    for (let passed = 0; passed < 2 * hours; passed += 2 * seconds) {
      site.clock.advance(2 * seconds)
      await site.browser(names[(passed / 2000) % names.length], stolen).visit()
      if (passed % (100 * seconds) === 50 * seconds) await owner.visit()
    }
    expect(owner.token).not.toBe(stolen)
    expect(await site.browser(chrome, stolen).visit()).toBeNull()
  })

  test.each([
    ['browser', { agent: chrome.agent, address: firefox.address }],
    ['network', { agent: firefox.agent, address: chrome.address }],
  ])('are told apart by the %s alone', async (_, client) => {
    const site = new Site({ theft: renewalAlone })
    const owner = await site.member()
    site.clock.advance(renew)
    await site.browser(client, owner.token).visit()
    await site.browser({ ...firefox, address: firefox.address.replace(/\d+$/, '99') }, owner.token).visit()
    expect(decodeHead((await site.record(owner))!.head)!.renewal.pending).toHaveLength(2)
    await owner.visit()
    expect(owner.setCookie).toBeNull()
  })

  test('keep neither browser nor address in the store', async () => {
    const site = new Site({ theft: renewalAlone })
    const owner = await site.member()
    site.clock.advance(renew)
    await site.browser(chrome, owner.token).visit()
    const { head } = (await site.record(owner))!
    expect(decodeHead(head)!.renewal.pending).toHaveLength(1)
    for (const part of ['Chrome', 'Linux', '198.51', '51.100']) expect(head).not.toContain(part)
  })
})
