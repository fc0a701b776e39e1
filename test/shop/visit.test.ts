import { beforeAll, describe, expect, it } from 'vitest'
import { startShop, temporaryStore, type ShopProcess } from './server.ts'
import { read, Visitor, type SessionAnswer } from './visitor.ts'

describe('a whole visit', () => {
  const store = temporaryStore()
  let shop: ShopProcess
  let visitor: Visitor

  async function restart(signal: NodeJS.Signals) {
    const exit = await shop.end(signal)
    shop = await startShop({ SESSION_STORE: store })
    visitor.url = shop.url
    return exit
  }

  beforeAll(async () => {
    shop = await startShop({ SESSION_STORE: store })
    visitor = new Visitor(shop.url)
  })

  it('leaves no trace of a visitor who only looks', async () => {
    for (const path of ['/', '/cart', '/login', '/health', '/shop.css', '/api/session']) {
      const answer = await visitor.get(path)
      expect(answer.status, path).toBe(200)
      expect(answer.setCookies, path).toEqual([])
    }
    expect(await visitor.session()).toEqual({
      id: null,
      userId: null,
      cart: [],
      preferences: { theme: 'light' },
      createdAt: null,
      lastSeenAt: null,
      expiresAt: null,
    })
  })

  it('offers each product with a form that carries its sku', async () => {
    const { text } = await visitor.get('/')
    const skus = [...text.matchAll(/<input type="hidden" name="sku" value="([\w-]+)"/g)].map(([, sku]) => sku)
    expect(new Set(skus).size).toBe(8)
  })

  it('fills the cart by forms and by JSON', async () => {
    const added = await visitor.submit('/cart', { sku: 'mug', qty: '2' })
    expect([added.status, added.headers.get('location')]).toEqual([303, '/cart'])
    expect(added.setCookies).toHaveLength(1)
    expect(added.setCookies[0]).toMatch(/^sid=[\w-]{48}; /)
    for (const attribute of ['HttpOnly', 'SameSite=Lax', 'Path=/']) expect(added.setCookies[0]).toContain(attribute)

    const answered = read<SessionAnswer>(await visitor.post('/api/cart', { sku: 'tent' }))
    expect(answered.cart).toEqual([
      { sku: 'mug', qty: 2 },
      { sku: 'tent', qty: 1 },
    ])
    const { text } = await visitor.get('/cart')
    expect(text).toContain('Enamel mug')
    expect(text).toContain('Added 2 × Enamel mug to your cart.')
    expect((await visitor.get('/cart')).text).not.toContain('Added')
  })

  it('remembers the theme', async () => {
    expect((await visitor.submit('/preferences', { theme: 'dark', next: '/cart' })).headers.get('location')).toBe('/cart')
    expect((await visitor.get('/')).text).toContain('data-theme="dark"')
  })

  it('carries the cart over a login, under a new ID and a new token', async () => {
    const before = await visitor.session()
    const old = visitor.copy()
    const answer = await visitor.submit('/login', { username: 'ada', password: 'countess' })
    expect([answer.status, answer.headers.get('location')]).toEqual([303, '/'])
    const after = await visitor.session()
    expect(after.id).not.toBe(before.id)
    expect(after).toMatchObject({ userId: 'ada', cart: before.cart, preferences: { theme: 'dark' } })
    expect((await old.session()).userId).toBeNull()
    expect((await visitor.get('/')).text).toContain('You are logged in. Welcome, Ada Lovelace.')
  })

  it('survives a restart in order', async () => {
    const before = await visitor.session()
    const exit = await restart('SIGTERM')
    expect(exit).toMatchObject({ code: 0, signal: null, stderr: '' })
    expect(exit.stdout).toMatch(/^Sojourn shop on http:\/\/127\.0\.0\.1:\d+ \(sessions: disk:.+\)\n$/)
    const { id, userId, cart } = await visitor.session()
    expect({ id, userId, cart }).toEqual({ id: before.id, userId: 'ada', cart: before.cart })
  })

  it('survives a kill -9: what was answered is there', async () => {
    await visitor.post('/api/cart', { sku: 'clock', qty: 3 })
    const before = await visitor.session()
    expect((await restart('SIGKILL')).signal).toBe('SIGKILL')
    const { id, userId, cart } = await visitor.session()
    expect({ id, userId, cart }).toEqual({ id: before.id, userId: 'ada', cart: before.cart })
    expect(cart).toContainEqual({ sku: 'clock', qty: 3 })
  })

  it('takes things out of the cart, one by one or all at once', async () => {
    expect((await visitor.submit('/cart/remove', { sku: 'mug', qty: '1' })).status).toBe(303)
    expect((await visitor.session()).cart).toContainEqual({ sku: 'mug', qty: 1 })
    expect((await visitor.submit('/cart/remove', { sku: 'clock' })).status).toBe(303)
    expect((await visitor.session()).cart.map(({ sku }) => sku)).toEqual(['mug', 'tent'])
  })

  it('logs out: the cookie goes, and the token opens nothing any more, after a restart neither', async () => {
    const stolen = visitor.copy()
    const answer = await visitor.submit('/logout')
    expect(answer.status).toBe(303)
    expect(answer.setCookies.join()).toMatch(/^sid=;.*Max-Age=0/)
    expect(visitor.token).toBeUndefined()
    expect((await visitor.get(answer.headers.get('location') ?? '')).text).toContain('You are logged out.')
    expect(await visitor.session()).toMatchObject({ id: null, cart: [] })
    expect(await stolen.session()).toMatchObject({ id: null, userId: null, cart: [] })
    await restart('SIGKILL')
    stolen.url = shop.url
    expect(await stolen.session()).toMatchObject({ id: null, userId: null, cart: [] })
  })
})
