import { once } from 'node:events'
import { request, type IncomingMessage } from 'node:http'
import { text } from 'node:stream/consumers'
import { setTimeout as delay } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { suiteRan } from '../services/service.ts'
import { startShop, temporaryStore, type ShopEnvironment, type ShopProcess } from './server.ts'
import { errorCode, read, Visitor, type SessionAnswer } from './visitor.ts'

const skus = ['weekender', 'lantern', 'blanket', 'mug', 'journal', 'flask', 'clock', 'tent']

describe.each<[string, ShopEnvironment]>([
  ['one process, sessions in memory', { SESSION_STORE: 'memory:' }],
  ['one process, sessions on disk', { SESSION_STORE: temporaryStore() }],
  ['four processes, sessions on one disk', { SESSION_STORE: temporaryStore(), WORKERS: '4' }],
])('%s', (_name, environment) => {
  let shop: ShopProcess

  beforeAll(async () => {
    shop = await startShop(environment)
  })

  afterAll(async () => await suiteRan('shop', environment.SESSION_STORE!.replace(/:.*/, '')))

  it('runs in as many processes', () => {
    expect(shop.workers()).toHaveLength(Number(environment.WORKERS ?? 0))
  })

  async function shopper(): Promise<Visitor> {
    const visitor = new Visitor(shop.url)
    await visitor.post('/api/cart', { sku: 'mug', qty: 1 })
    return visitor
  }

  function fifty(visitor: Visitor, body: (index: number) => object): Promise<number[]> {
    return Promise.all(Array.from({ length: 50 }, async (_, index) => (await visitor.post('/api/cart', body(index))).status))
  }

  it('lands fifty parallel adds of one thing', async () => {
    const visitor = await shopper()
    expect(await fifty(visitor, () => ({ sku: 'mug', delayMs: 200 }))).toEqual(Array(50).fill(200))
    expect((await visitor.session()).cart).toEqual([{ sku: 'mug', qty: 51 }])
  })

  it('lands fifty parallel adds of different things, of which none was in the cart before', async () => {
    const visitor = await shopper()
    expect(await fifty(visitor, (index) => ({ sku: skus[index % 8], qty: 2, delayMs: index * 5 }))).toEqual(Array(50).fill(200))
    const { cart } = await visitor.session()
    const qtys = Object.fromEntries(cart.map(({ sku, qty }) => [sku, qty]))
    expect(cart).toHaveLength(8)
    expect(qtys).toEqual({ weekender: 14, lantern: 14, blanket: 12, mug: 13, journal: 12, flask: 12, clock: 12, tent: 12 })
  })

  it('keeps what forms and scripts change on different paths at once', async () => {
    const visitor = await shopper()
    const answers = await Promise.all([
      visitor.post('/api/cart', { sku: 'tent', delayMs: 150 }),
      visitor.post('/api/preferences', { theme: 'dark' }),
      visitor.submit('/cart', { sku: 'clock', qty: '2' }),
      visitor.get('/'),
    ])
    expect(answers.map(({ status }) => status)).toEqual([200, 200, 303, 200])
    const { cart, preferences } = await visitor.session()
    expect(preferences.theme).toBe('dark')
    expect(cart).toHaveLength(3)
    expect(cart).toEqual(
      expect.arrayContaining([
        { sku: 'mug', qty: 1 },
        { sku: 'tent', qty: 1 },
        { sku: 'clock', qty: 2 },
      ]),
    )
  })

  it('answers 409 to a slow request that a logout overtook, and the session stays dead', async () => {
    const visitor = await shopper()
    await visitor.logIn()
    const late = visitor.copy()
    const slow = late.post('/api/cart', { sku: 'tent', delayMs: 1500 })
    await delay(250)
    expect((await visitor.post('/api/logout')).status).toBe(204)
    const answer = await slow
    expect(answer.status).toBe(409)
    expect(errorCode(answer)).toMatch(/^ERR_SOJOURN_/)
    expect(answer.setCookies.join()).not.toMatch(/sid=[\w-]/)
    expect(await late.session()).toMatchObject({ id: null, userId: null, cart: [] })
    expect(await visitor.session()).toMatchObject({ id: null, userId: null, cart: [] })
  })

  it('answers a page with 409 to a form whose upload a logout overtook', async () => {
    const visitor = await shopper()
    const form = request(`${shop.url}/preferences`, {
      method: 'POST',
      headers: { Cookie: `sid=${visitor.token}`, 'Content-Type': 'application/x-www-form-urlencoded', 'Content-Length': 10 },
    })
    form.write('theme=')
    await delay(250)
    expect((await visitor.post('/api/logout')).status).toBe(204)
    form.end('dark')
    const [response] = (await once(form, 'response')) as [IncomingMessage]
    expect([response.statusCode, response.headers['content-type'], response.headers['set-cookie']]).toEqual([
      409,
      'text/html; charset=utf-8',
      undefined,
    ])
    expect(await text(response)).toContain('nothing was changed')
  })

  it('answers 409 to a slow request that the end of its session, from elsewhere, overtook', async () => {
    const [visitor, elsewhere] = [await shopper(), new Visitor(shop.url)]
    await Promise.all([visitor.logIn(), elsewhere.logIn()])
    const slow = visitor.post('/api/cart', { sku: 'tent', delayMs: 1500 })
    await delay(250)
    expect((await elsewhere.send('DELETE', '/api/account/sessions')).status).toBe(204)
    expect((await slow).status).toBe(409)
    expect((await visitor.session()).userId).toBeNull()
  })

  it('logs nobody out when a slow request is overtaken by a login, and clobbers no cookie', async () => {
    const visitor = await shopper()
    const slow = visitor.post('/api/cart', { sku: 'tent', delayMs: 1500 })
    await delay(250)
    expect((await visitor.logIn()).status).toBe(200)
    const token = visitor.token
    const answer = await slow
    expect([answer.status, answer.setCookies]).toEqual([409, []])
    expect(visitor.token).toBe(token)
    expect(await visitor.session()).toMatchObject({ userId: 'ada', cart: [{ sku: 'mug', qty: 1 }] })
  })

  it('takes along what a request changed just before the login', async () => {
    const visitor = await shopper()
    const before = visitor.copy()
    const [added, loggedIn] = await Promise.all([before.post('/api/cart', { sku: 'tent' }), visitor.logIn()])
    expect(loggedIn.status).toBe(200)
    const { cart, userId } = await visitor.session()
    expect(userId).toBe('ada')
    // Either it landed and came along, or it was refused; never was it answered and lost.
    expect(cart.some(({ sku }) => sku === 'tent')).toBe(added.status === 200)
  })

  it('logs in when the button is pressed twice', async () => {
    const visitor = await shopper()
    const twin = visitor.copy()
    const answers = await Promise.all([visitor.logIn(), twin.logIn()])
    expect(answers.map(({ status }) => status)).toEqual([200, 200])
    for (const client of [visitor, twin]) {
      expect(await client.session()).toMatchObject({ userId: 'ada', cart: [{ sku: 'mug', qty: 1 }] })
    }
  })

  it('logs in when the login is sent again because its answer was lost', async () => {
    const visitor = await shopper()
    const lost = visitor.copy()
    expect((await lost.logIn()).status).toBe(200)
    const answer = read<SessionAnswer>(await visitor.logIn())
    expect(answer).toMatchObject({ userId: 'ada', cart: [{ sku: 'mug', qty: 1 }] })
    expect(await visitor.session()).toMatchObject({ id: answer.id, userId: 'ada' })
  })

  it('never shows logged-in data to the token from before the login', async () => {
    const visitor = await shopper()
    const before = visitor.copy()
    await visitor.logIn()
    await visitor.post('/api/cart', { sku: 'tent' })
    expect(await before.session()).toMatchObject({ id: null, userId: null, cart: [] })
  })
})
