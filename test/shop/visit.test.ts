import { mkdirSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import type { AddressInfo } from 'node:net'
import { once } from 'node:events'
import { join } from 'node:path'
import { beforeAll, describe, expect, it } from 'vitest'
import { shopThatEnds, startShop, temporaryFolder, temporaryStore, type ShopProcess } from './server.ts'
import { errorCode, read, Visitor, type SessionAnswer } from './visitor.ts'

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
    [400, '/api/login', { username: 'ada', password: 'x'.repeat(300) }],
    [400, '/api/preferences', { theme: 'sepia' }],
    [400, '/api/preferences', {}],
    [413, '/api/preferences', { theme: 'x'.repeat(20_000) }],
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

  it('answers 400 to a body that is not said to be JSON, or in an unknown encoding', async () => {
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
      expect([json.status, errorCode(json)], JSON.stringify(headers)).toEqual([403, 'cross_origin'])
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

describe("a user's sessions", () => {
  let shop: ShopProcess

  beforeAll(async () => {
    shop = await startShop({ SESSION_STORE: temporaryStore() })
  })

  async function loggedIn(username: string, password: string): Promise<Visitor> {
    const visitor = new Visitor(shop.url)
    expect((await visitor.logIn(username, password)).status).toBe(200)
    return visitor
  }

  it('are for those who are logged in', async () => {
    const stranger = new Visitor(shop.url)
    for (const [method, path] of [
      ['GET', '/api/account/sessions'],
      ['DELETE', '/api/account/sessions'],
      ['DELETE', '/api/account/sessions/0123456789abcdef'],
    ] as const) {
      const answer = await stranger.send(method, path)
      expect([answer.status, errorCode(answer)]).toEqual([401, 'not_logged_in'])
    }
    const form = await stranger.submit('/account/sessions/end', { others: 'yes' })
    expect([form.status, form.headers.get('location')]).toEqual([303, '/login?next=/account'])
  })

  it('can be seen and ended one by one, and nobody else can', async () => {
    const [here, there, stranger] = [await loggedIn('ada', 'countess'), await loggedIn('ada', 'countess'), await loggedIn('alan', 'enigma')]
    const list = await here.activeSessions()
    expect(list.map(({ current }) => current)).toEqual([true, false])
    expect(Object.keys(list[0] ?? {}).sort()).toEqual(['createdAt', 'current', 'device', 'id', 'lastSeenAt'])
    const other = list[1]?.id ?? ''
    expect(other).toBe((await there.session()).id)

    for (const id of [other, (await here.session()).id ?? '']) {
      const answer = await stranger.send('DELETE', `/api/account/sessions/${id}`)
      expect([answer.status, errorCode(answer)]).toEqual([404, 'unknown_session'])
    }
    expect((await here.send('DELETE', '/api/account/sessions/no-such')).status).toBe(404)
    expect((await here.send('DELETE', '/api/account/sessions/%E0%A4%A')).status).toBe(400)

    expect((await here.send('DELETE', `/api/account/sessions/${other}`)).status).toBe(204)
    expect((await here.send('DELETE', `/api/account/sessions/${other}`)).status).toBe(404)
    expect(await there.session()).toMatchObject({ id: null, userId: null })
    expect((await here.activeSessions()).map(({ id }) => id)).toEqual([(await here.session()).id])
    expect((await stranger.activeSessions()).length).toBe(1)

    const current = (await here.session()).id
    const answer = await here.send('DELETE', `/api/account/sessions/${current}`)
    expect([answer.status, here.token]).toEqual([204, undefined])
  })

  it('can all be ended but this one', async () => {
    const [here, ...others] = await Promise.all([1, 2, 3, 4].map(() => loggedIn('ada', 'countess')))
    expect((await here?.activeSessions())?.length).toBe(4)
    expect((await here?.send('DELETE', '/api/account/sessions'))?.status).toBe(204)
    expect((await here?.activeSessions())?.map(({ current }) => current)).toEqual([true])
    for (const other of others) expect((await other.session()).userId).toBeNull()
    expect((await here?.session())?.userId).toBe('ada')
  })

  it('are told apart on the account page', async () => {
    const firefox = 'Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0'
    const visitor = new Visitor(shop.url)
    await visitor.send('POST', '/login', { form: { username: 'alan', password: 'enigma' }, headers: { 'User-Agent': firefox } })
    const { text } = await visitor.get('/account')
    expect(text).toContain('Firefox on Linux')
    expect(text.match(/This device/g)).toHaveLength(1)
    expect(text).toContain('just now')
    expect(text).toContain('End all other sessions')
  })
})

describe('a shop that cannot start', () => {
  it('says in one line that its port is in use, and exits with 1', async () => {
    const blocker = createServer().listen(0, '127.0.0.1')
    await once(blocker, 'listening')
    const { port } = blocker.address() as AddressInfo
    for (const WORKERS of ['1', '2']) {
      const exit = await shopThatEnds({ PORT: String(port), SESSION_STORE: temporaryStore(), WORKERS })
      expect(exit).toMatchObject({ code: 1, stdout: '' })
      expect(exit.stderr).toMatch(new RegExp(`^Sojourn shop cannot start: .*port ${port} .*in use.*\n$`))
    }
    blocker.close()
  })

  it('says in one line that its folder cannot be written, and exits with 1', async () => {
    const file = join(temporaryFolder(), 'file')
    writeFileSync(file, 'no folder')
    for (const WORKERS of ['1', '2']) {
      const exit = await shopThatEnds({ SESSION_STORE: `disk:${file}/sessions`, WORKERS })
      expect(exit).toMatchObject({ code: 1, stdout: '' })
      expect(exit.stderr).toMatch(/^Sojourn shop cannot start: .+\n$/)
    }
    const readOnly = join(temporaryFolder(), 'read-only')
    mkdirSync(readOnly, { mode: 0o500 })
    // The superuser may write everywhere; for everybody else a read-only folder is the usual case.
    if (process.getuid?.() !== 0) expect((await shopThatEnds({ SESSION_STORE: `disk:${readOnly}/sessions` })).code).toBe(1)
  })

  it.each([
    { PORT: 'three' },
    { PORT: '65536' },
    { IDLE_TIMEOUT: 'soon' },
    { ABSOLUTE_TIMEOUT: '-1' },
    { SESSION_STORE: 'carrier-pigeon:' },
    { WORKERS: '0' },
    { WORKERS: '2', SESSION_STORE: 'memory:' },
  ])('says in one line what is wrong with %j, and exits with 1', async (environment) => {
    const exit = await shopThatEnds({ SESSION_STORE: temporaryStore(), ...environment })
    expect(exit).toMatchObject({ code: 1, stdout: '' })
    expect(exit.stderr).toMatch(/^Sojourn shop cannot start: .+\n$/)
  })
})
