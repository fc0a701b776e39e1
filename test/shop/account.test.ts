import { setTimeout as delay } from 'node:timers/promises'
import { beforeAll, describe, expect, it } from 'vitest'
import { startShop, temporaryStore, type ShopProcess } from './server.ts'
import { errorCode, read, type SessionAnswer, Visitor } from './visitor.ts'

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

  it('can be ended on every page that a user sees, by a button for it', async () => {
    const [user, stranger] = [await loggedIn('ada', 'countess'), new Visitor(shop.url)]
    const logout = /<form method="post" action="\/logout">\s*<button[^>]*>Log out<\/button>/
    for (const path of ['/', '/cart', '/account', '/elsewhere']) {
      expect((await user.get(path)).text, path).toMatch(logout)
      expect((await stranger.get(path)).text, path).not.toMatch(logout)
    }
  })
})

describe('a change of the password', () => {
  let shop: ShopProcess
  let password = 'countess'

  beforeAll(async () => {
    shop = await startShop({ SESSION_STORE: temporaryStore() })
  })

  async function loggedIn(): Promise<Visitor> {
    const visitor = new Visitor(shop.url)
    expect((await visitor.logIn('ada', password)).status).toBe(200)
    return visitor
  }

  it('takes the current one, and is for those who are logged in', async () => {
    const [user, stranger] = [await loggedIn(), new Visitor(shop.url)]
    const change = { current: 'not it', next: 'analytical engine' }
    for (const [visitor, status, code] of [
      [user, 401, 'wrong_credentials'],
      [stranger, 401, 'not_logged_in'],
    ] as const) {
      const answer = await visitor.post('/api/account/password', change)
      expect([answer.status, errorCode(answer), answer.setCookies]).toEqual([status, code, []])
    }
    expect((await stranger.submit('/account/password', change)).headers.get('location')).toBe('/login?next=/account')
    const short = await user.post('/api/account/password', { current: password, next: 'short' })
    expect([short.status, errorCode(short)]).toEqual([400, 'bad_password'])
    const page = await user.submit('/account/password', change)
    expect([page.status, page.text]).toEqual([401, expect.stringContaining('This name and password do not match.')])
    expect((await new Visitor(shop.url).logIn('ada', password)).status).toBe(200)
  })

  it('gives a new token, and offers to end the other sessions, which then are dead', async () => {
    const [here, there] = [await loggedIn(), await loggedIn()]
    expect((await here.get('/account')).text).toMatch(/<input type="checkbox" name="others" checked \/> Log me out everywhere else/)
    const before = here.copy()
    const answer = await here.submit('/account/password', { current: password, next: 'analytical engine', others: 'on' })
    expect([answer.status, answer.headers.get('location')]).toEqual([303, '/account'])
    expect((await new Visitor(shop.url).logIn('ada', password)).status).toBe(401)
    password = 'analytical engine'

    expect(here.token?.slice(0, 16)).not.toBe(before.token?.slice(0, 16))
    expect((await before.session()).userId).toBeNull()
    expect((await there.session()).userId).toBeNull()
    expect((await here.activeSessions()).map(({ current }) => current)).toEqual([true])
    expect((await here.get('/account')).text).toContain('Your password is changed, and you are logged out everywhere else.')
  })

  it('leaves the others where the user wants it so', async () => {
    const [here, there] = [await loggedIn(), await loggedIn()]
    const next = 'difference engine'
    const answer = await here.post('/api/account/password', { current: password, next, endOthers: false })
    expect(read<SessionAnswer>(answer).userId).toBe('ada')
    password = next
    expect((await there.session()).userId).toBe('ada')
    await loggedIn()
  })

  it('leaves no session to those who log in at the same time with the old one', async () => {
    const here = await loggedIn()
    const late = Array.from({ length: 8 }, () => new Visitor(shop.url))
    const next = 'note G, in full'
    const [changed, ...logins] = await Promise.all([
      here.post('/api/account/password', { current: password, next }),
      ...late.map(async (visitor, index) => {
        await delay(index * 60)
        return await visitor.logIn('ada', password)
      }),
    ])
    password = next
    expect(changed.status).toBe(200)
    for (const { status } of logins) expect([200, 401, 403]).toContain(status)
    for (const visitor of late) expect((await visitor.session()).userId).toBeNull()
    expect((await here.activeSessions()).map(({ current }) => current)).toEqual([true])
  })
})

describe('ending sessions elsewhere', () => {
  const firefox = { 'User-Agent': 'Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0' }
  const chrome = { 'User-Agent': 'Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36' }

  it('needs a recent login, which the pages ask for and come back from', async () => {
    const shop = await startShop({ SESSION_STORE: temporaryStore(), RECENT_LOGIN: '1s' })
    const [here, there] = [new Visitor(shop.url), new Visitor(shop.url)]
    for (const visitor of [here, there]) await visitor.logIn()
    const other = (await there.session()).id ?? ''
    await delay(1500)

    for (const path of ['/api/account/sessions', `/api/account/sessions/${other}`]) {
      const answer = await here.send('DELETE', path)
      expect([answer.status, errorCode(answer)]).toEqual([401, 'ERR_SOJOURN_LOGIN_REQUIRED'])
    }
    for (const form of [{ others: 'yes' }, { id: other }]) {
      const { status, headers } = await here.submit('/account/sessions/end', form)
      expect([status, headers.get('location')]).toEqual([303, '/login?again&next=/account'])
    }
    expect((await there.session()).userId).toBe('ada')
    const page = await here.get('/login?again&next=/account')
    expect(page.status).toBe(200)
    expect(page.text).toContain('Is it still you?')
    expect(page.text).toContain('value="ada"')

    const before = (await here.session()).id
    const login = await here.submit('/login', { username: 'ada', password: 'countess', next: '/account' })
    expect([login.status, login.headers.get('location')]).toEqual([303, '/account'])
    expect((await here.session()).id).not.toBe(before)
    expect((await here.submit('/account/sessions/end', { others: 'yes' })).headers.get('location')).toBe('/account')
    expect((await there.session()).userId).toBeNull()
    expect((await here.activeSessions()).map(({ current }) => current)).toEqual([true])
  })

  it('does not need one for the session at hand', async () => {
    const shop = await startShop({ SESSION_STORE: 'memory:', RECENT_LOGIN: '1ms' })
    const visitor = new Visitor(shop.url)
    await visitor.logIn()
    await delay(20)
    const { id } = await visitor.session()
    expect((await visitor.send('DELETE', `/api/account/sessions/${id}`)).status).toBe(204)
    expect((await visitor.session()).userId).toBeNull()
  })

  it('is refused to another browser that has the cookie, however recent the login', async () => {
    const shop = await startShop({ SESSION_STORE: temporaryStore() })
    const owner = new Visitor(shop.url)
    await owner.send('POST', '/api/login', { json: { username: 'ada', password: 'countess' }, headers: firefox })
    const thief = owner.copy()
    const refused = await thief.send('DELETE', '/api/account/sessions', { headers: chrome })
    expect([refused.status, errorCode(refused)]).toEqual([401, 'ERR_SOJOURN_LOGIN_REQUIRED'])
    await owner.send('POST', '/api/login', { json: { username: 'ada', password: 'countess' }, headers: firefox })
    expect((await owner.send('DELETE', '/api/account/sessions', { headers: firefox })).status).toBe(204)
    expect(read<SessionAnswer>(await thief.get('/api/session', { headers: chrome })).userId).toBeNull()
  })
})
