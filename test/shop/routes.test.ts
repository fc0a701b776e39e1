import { beforeAll, describe, expect, it } from 'vitest'
import { startShop, type ShopProcess } from './server.ts'
import { errorCode, read, Visitor, type SessionAnswer } from './visitor.ts'

describe('the shop', () => {
  let shop: ShopProcess

  beforeAll(async () => {
    shop = await startShop({ SESSION_STORE: 'memory:' })
  })

  it('answers /health without a session, whatever cookie is shown', async () => {
    const visitor = new Visitor(shop.url)
    await visitor.post('/api/cart', { sku: 'mug' })
    const { status, text, setCookies } = await visitor.get('/health')
    expect([status, text, setCookies]).toEqual([200, 'ok', []])
  })

  it('answers successful posts with the session, whose times are in ms', async () => {
    const visitor = new Visitor(shop.url)
    const session = read<SessionAnswer>(await visitor.post('/api/cart', { sku: 'mug', qty: 2, delayMs: 10 }))
    expect(Object.keys(session)).toEqual(['id', 'userId', 'cart', 'preferences', 'createdAt', 'lastSeenAt', 'expiresAt'])
    expect(session).toMatchObject({ userId: null, cart: [{ sku: 'mug', qty: 2 }], preferences: { theme: 'light' } })
    expect(session.id).toMatch(/^[\w-]{16}$/)
    expect(session.id).toBe(visitor.token?.slice(0, 16))
    expect(Math.abs(Date.now() - (session.createdAt ?? 0))).toBeLessThan(5000)
    expect(session.lastSeenAt).toBe(session.createdAt)
    expect(session.expiresAt).toBeGreaterThanOrEqual((session.createdAt ?? 0) + 30 * 60_000)

    expect(read<SessionAnswer>(await visitor.post('/api/preferences', { theme: 'dark' }))).toMatchObject({
      id: session.id,
      preferences: { theme: 'dark' },
    })
    const loggedIn = read<SessionAnswer>(await visitor.logIn())
    expect(loggedIn).toMatchObject({ userId: 'ada', cart: [{ sku: 'mug', qty: 2 }], preferences: { theme: 'dark' } })
    expect(loggedIn.id).not.toBe(session.id)
    const loggedOut = await visitor.post('/api/logout')
    expect([loggedOut.status, loggedOut.text]).toEqual([204, ''])
    expect((await visitor.post('/api/logout')).status).toBe(204)
  })

  it('adds up one sku in one line', async () => {
    const visitor = new Visitor(shop.url)
    await visitor.post('/api/cart', { sku: 'mug', qty: 2 })
    await visitor.post('/api/cart', { sku: 'flask' })
    expect(read<SessionAnswer>(await visitor.post('/api/cart', { sku: 'mug', qty: 3 })).cart).toEqual([
      { sku: 'mug', qty: 5 },
      { sku: 'flask', qty: 1 },
    ])
  })

  const bad: [status: number, path: string, body: unknown][] = [
    [404, '/api/cart', { sku: 'teapot' }],
    [404, '/api/cart', { sku: '__proto__' }],
    [400, '/api/cart', {}],
    [400, '/api/cart', []],
    [400, '/api/cart', { sku: 7 }],
    [400, '/api/cart', { sku: ['mug'] }],
    ...[0, -1, 1.5, 100, 1e9, '2', null, true].map((qty): [number, string, unknown] => [400, '/api/cart', { sku: 'mug', qty }]),
    ...[-1, 2001, '10', null, [], false].map((delayMs): [number, string, unknown] => [400, '/api/cart', { sku: 'mug', delayMs }]),
    [401, '/api/login', { username: 'ada', password: 'enigma' }],
    [401, '/api/login', { username: 'nobody', password: 'countess' }],
    [401, '/api/login', { username: 'constructor', password: '' }],
    [400, '/api/login', { username: 'ada' }],
    [400, '/api/login', { username: 'ada', password: 7 }],
    [400, '/api/login', { username: 'ada', password: 'countess', remember: 'on' }],
    [400, '/api/preferences', { theme: 'sepia' }],
    [400, '/api/preferences', {}],
    [404, '/api/elsewhere', {}],
    [404, '/api', {}],
  ]
  it.each(bad)('answers %i to a post to %s of %j, and stores nothing', async (status, path, body) => {
    const visitor = new Visitor(shop.url)
    const answer = await visitor.post(path, body)
    expect(answer.status).toBe(status)
    expect(errorCode(answer)).toMatch(/^\w+$/)
    expect(answer.setCookies).toEqual([])
    expect(answer.text).not.toContain('node_modules')
  })

  it.each(['{"sku":', 'mug', '"mug"', '', '\u0000'])('answers 400 to the JSON %j', async (text) => {
    const response = await fetch(`${shop.url}/api/cart`, { method: 'POST', headers: { 'Content-Type': 'application/json' }, body: text })
    const answer = { status: response.status, headers: response.headers, setCookies: [], text: await response.text() }
    expect([answer.status, errorCode(answer)]).toEqual([400, 'bad_request'])
  })

  it('answers 400 to a text that is too long, and 413 to a body that is too large', async () => {
    const visitor = new Visitor(shop.url)
    const [long, large] = [300, 20_000].map((length) => ({ username: 'ada', password: 'x'.repeat(length) }))
    expect((await visitor.post('/api/login', long)).status).toBe(400)
    const answer = await visitor.post('/api/login', large)
    expect([answer.status, errorCode(answer)]).toEqual([413, 'too_large'])
    expect((await visitor.submit('/login', { username: 'x'.repeat(20_000) })).status).toBe(413)
  })

  it('answers 400 to a body that is not said to be JSON', async () => {
    const visitor = new Visitor(shop.url)
    for (const headers of [{ 'Content-Type': 'text/plain' }, { 'Content-Type': 'application/x-www-form-urlencoded' }]) {
      const answer = await visitor.send('POST', '/api/cart', { json: { sku: 'mug' }, headers })
      expect([answer.status, errorCode(answer)]).toEqual([400, 'bad_request'])
    }
  })

  it('answers pages to forms that are wrong, without a session', async () => {
    const visitor = new Visitor(shop.url)
    for (const [status, path, form] of [
      [404, '/cart', { sku: 'teapot' }],
      [400, '/cart', { sku: 'mug', qty: 'many' }],
      [400, '/cart', { qty: '1' }],
      [400, '/preferences', { theme: 'sepia' }],
      [400, '/login', { username: 'ada' }],
      [401, '/login', { username: 'ada', password: 'wrong' }],
      [404, '/elsewhere', {}],
    ] as const) {
      const answer = await visitor.submit(path, form)
      expect([answer.status, answer.headers.get('content-type')], path).toEqual([status, 'text/html; charset=utf-8'])
      expect(answer.setCookies).toEqual([])
    }
    expect((await visitor.get('/elsewhere')).text).toContain('There is nothing at this address.')
  })

  it('answers each form with 303', async () => {
    const visitor = new Visitor(shop.url)
    const { status: login } = await visitor.submit('/login', { username: 'Alan', password: 'enigma', remember: 'on' })
    const answers = [
      await visitor.submit('/cart', { sku: 'mug', qty: '1' }),
      await visitor.submit('/cart', { sku: 'mug' }),
      await visitor.submit('/cart/remove', { sku: 'mug' }),
      await visitor.submit('/preferences', { theme: 'dark' }),
      await visitor.submit('/account/sessions/end', { others: 'yes' }),
      await visitor.submit('/account/sessions/end', { id: 'nobody-knows-it0' }),
      await visitor.submit('/account/sessions/end', { id: (await visitor.session()).id ?? '' }),
      await visitor.submit('/logout'),
    ]
    expect([login, ...answers.map(({ status }) => status)]).toEqual(Array(9).fill(303))
  })

  it('keeps a login with "remember" over the end of the browser', async () => {
    const visitor = new Visitor(shop.url)
    const { setCookies } = await visitor.post('/api/login', { username: 'ada', password: 'countess', remember: true })
    expect(setCookies.join()).toMatch(/Max-Age=\d{6,}/)
    expect((await visitor.logIn()).setCookies.join()).not.toMatch(/Max-Age|Expires/i)
  })

  it('sends nobody to another site after a login', async () => {
    for (const next of [
      'https://evil.example/',
      '//evil.example',
      '/\\evil.example',
      '/.//evil.example',
      '/\t/evil.example',
      'javascript:alert(1)',
      '',
    ]) {
      const answer = await new Visitor(shop.url).submit('/login', { username: 'ada', password: 'countess', next })
      expect([answer.status, answer.headers.get('location')], JSON.stringify(next)).toEqual([303, '/'])
    }
    const visitor = new Visitor(shop.url)
    expect((await visitor.get('/account')).headers.get('location')).toBe('/login?next=/account')
    expect((await visitor.submit('/login', { username: 'ada', password: 'countess', next: '/account' })).headers.get('location')).toBe(
      '/account',
    )
    expect((await visitor.get('/login?next=/cart')).headers.get('location')).toBe('/cart')
  })

  it('escapes what a visitor typed', async () => {
    const typed = `"><script>alert('&')</script>`
    const { text } = await new Visitor(shop.url).submit('/login', { username: typed, password: 'wrong', next: '/"><b>' })
    expect(text).toContain('value="&quot;&gt;&lt;script&gt;alert(&#39;&amp;&#39;)&lt;/script&gt;"')
    expect(text).not.toContain('<script')
    expect(text).not.toContain('<b>')
  })

  it('protects its pages by headers, and no answer for one visitor is kept', async () => {
    const { headers } = await new Visitor(shop.url).get('/')
    expect(headers.get('content-security-policy')).toMatch(/^default-src 'none';/)
    expect(headers.get('x-content-type-options')).toBe('nosniff')
    expect(headers.get('referrer-policy')).toBe('same-origin')
    expect(headers.get('cache-control')).toBe('no-store')
    expect(headers.get('x-powered-by')).toBeNull()
  })

  it('carries out nothing that another site asks for', async () => {
    const { host } = new URL(shop.url)
    const refused = [
      { 'Sec-Fetch-Site': 'cross-site' },
      { 'Sec-Fetch-Site': 'same-site', Origin: shop.url },
      { Origin: 'https://evil.example' },
      { Origin: `http://${host}.evil.example` },
      { Origin: 'null' },
      { Origin: '' },
    ]
    const passed = [{}, { Origin: shop.url }, { 'Sec-Fetch-Site': 'same-origin' }, { 'Sec-Fetch-Site': 'none', Origin: 'null' }]
    const visitor = new Visitor(shop.url)
    for (const headers of refused) {
      const json = await visitor.send('POST', '/api/cart', { json: { sku: 'mug' }, headers })
      expect([json.status, errorCode(json)], JSON.stringify(headers)).toEqual([403, 'ERR_SOJOURN_CROSS_ORIGIN'])
      expect((await visitor.send('DELETE', '/api/account/sessions', { headers })).status).toBe(403)
      const form = await visitor.send('POST', '/cart', { form: { sku: 'mug' }, headers })
      expect([form.status, form.headers.get('content-type')]).toEqual([403, 'text/html; charset=utf-8'])
    }
    expect((await visitor.session()).id).toBeNull()
    for (const headers of passed)
      expect((await visitor.send('POST', '/api/cart', { json: { sku: 'mug' }, headers })).status, JSON.stringify(headers)).toBe(200)
    expect((await visitor.get('/', { headers: { 'Sec-Fetch-Site': 'cross-site' } })).status).toBe(200)
  })

  it('slows down the guessing of one password, and lets the others in', async () => {
    const visitor = new Visitor(shop.url)
    const statuses = new Set<number>()
    for (let guess = 0; guess < 12; guess += 1) statuses.add((await visitor.logIn('alan', `guess ${guess}`)).status)
    expect([...statuses]).toEqual([401, 429])
    const refused = await visitor.logIn('alan', 'enigma')
    expect([refused.status, errorCode(refused)]).toEqual([429, 'too_many_logins'])
    expect(Number(refused.headers.get('retry-after'))).toBeGreaterThan(0)
    expect((await visitor.submit('/login', { username: ' ALAN ', password: 'enigma' })).status).toBe(429)
    expect((await visitor.logIn('ada', 'countess')).status).toBe(200)
  })
})
