import { setTimeout as delay } from 'node:timers/promises'
import { describe, it } from 'vitest'
import { startShop, temporaryStore } from './server.ts'
import { Visitor, type SessionAnswer } from './visitor.ts'

const gone: Partial<SessionAnswer> = { id: null, userId: null, cart: [], expiresAt: null }

describe.concurrent.each([
  ['in memory', () => 'memory:'],
  ['on disk', temporaryStore],
])('timeouts for real, sessions %s', (_name, store) => {
  it('ends a session that was not used for the idle timeout, and not one that was', async ({ expect }) => {
    const shop = await startShop({ SESSION_STORE: store(), IDLE_TIMEOUT: '2s' })
    const [idle, busy] = [new Visitor(shop.url), new Visitor(shop.url)]
    for (const visitor of [idle, busy]) await visitor.logIn()

    for (let visit = 0; visit < 10; visit += 1) {
      await delay(500)
      expect((await busy.session()).userId).toBe('ada')
    }
    expect(await idle.session()).toMatchObject(gone)
    expect((await idle.get('/api/account/sessions')).status).toBe(401)
    expect((await busy.activeSessions()).map(({ current }) => current)).toEqual([true])

    const { expiresAt, lastSeenAt } = await busy.session()
    const left = (expiresAt ?? 0) - (lastSeenAt ?? 0)
    // Nobody is ended early; the coarse lastSeenAt may add a part of the timeout.
    expect(left).toBeGreaterThanOrEqual(2000)
    expect(left).toBeLessThanOrEqual(3000)
    await delay(left + 300)
    expect(await busy.session()).toMatchObject(gone)
  })

  it('ends a session at the absolute timeout, however busy it is', async ({ expect }) => {
    const shop = await startShop({ SESSION_STORE: store(), IDLE_TIMEOUT: '2s', ABSOLUTE_TIMEOUT: '3000' })
    const visitor = new Visitor(shop.url)
    await visitor.logIn()
    const { createdAt } = await visitor.session()
    let lastSeen = 0
    for (let tries = 0; tries < 20; tries += 1) {
      const asked = Date.now()
      if ((await visitor.session()).userId === null) break
      lastSeen = asked
      await delay(250)
    }
    const lived = lastSeen - (createdAt ?? 0)
    expect(lived).toBeGreaterThan(2000)
    expect(lived).toBeLessThan(3000)
    expect(await visitor.session()).toMatchObject(gone)
    expect((await visitor.post('/api/cart', { sku: 'mug' })).status).toBe(200)
    expect((await visitor.session()).cart).toEqual([{ sku: 'mug', qty: 1 }])
  })
})
