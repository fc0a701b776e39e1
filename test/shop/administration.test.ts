import { beforeAll, describe, expect, it } from 'vitest'
import { startShop, temporaryStore, type ShopProcess } from './server.ts'
import { errorCode, read, Visitor } from './visitor.ts'

interface UserState {
  id: string
  name: string
  lockedOut: boolean
  sessions: number
}

// Two processes: what one is told must hold in the other.
describe('an administrator', () => {
  let shop: ShopProcess
  let admin: Visitor

  beforeAll(async () => {
    shop = await startShop({ SESSION_STORE: temporaryStore(), WORKERS: '2' })
    admin = await loggedIn('grace', 'nanosecond')
  })

  async function loggedIn(username = 'ada', password = 'countess'): Promise<Visitor> {
    const visitor = new Visitor(shop.url)
    expect((await visitor.logIn(username, password)).status).toBe(200)
    return visitor
  }

  const userOf = async (visitor: Visitor): Promise<string | null> => (await visitor.session()).userId
  const stateOf = async (id: string): Promise<UserState | undefined> =>
    read<UserState[]>(await admin.get('/api/admin/users')).find((user) => user.id === id)

  it('alone may do this, whoever else is logged in', async () => {
    const [ada, alan, stranger] = [await loggedIn(), await loggedIn('alan', 'enigma'), new Visitor(shop.url)]
    for (const [visitor, status, code] of [
      [ada, 403, 'not_admin'],
      [stranger, 401, 'not_logged_in'],
    ] as const) {
      for (const [method, path] of [
        ['GET', '/api/admin/users'],
        ['DELETE', '/api/admin/sessions'],
        ['DELETE', '/api/admin/users/alan/sessions'],
        ['PUT', '/api/admin/users/alan/locked-out'],
        ['DELETE', '/api/admin/users/alan/locked-out'],
      ] as const) {
        const answer = await visitor.send(method, path)
        expect([answer.status, errorCode(answer)], `${method} ${path}`).toEqual([status, code])
      }
      for (const form of [{ end: 'all' }, { user: 'alan', do: 'lock-out' }])
        expect((await visitor.submit('/admin', form)).status).toBe(status)
    }
    expect((await ada.get('/admin')).status).toBe(403)
    expect((await stranger.get('/admin')).headers.get('location')).toBe('/login?next=/admin')
    expect([await userOf(ada), await userOf(alan)]).toEqual(['ada', 'alan'])
  })

  it('ends all sessions of one user, and of no other', async () => {
    const [one, two, alan] = [await loggedIn(), await loggedIn(), await loggedIn('alan', 'enigma')]
    const { sessions } = (await stateOf('ada'))!
    expect(sessions).toBeGreaterThanOrEqual(2)
    expect(read(await admin.send('DELETE', '/api/admin/users/ada/sessions'))).toEqual({ ended: sessions })
    expect(await Promise.all([one, two, alan, admin].map(userOf))).toEqual([null, null, 'alan', 'grace'])
    expect(await stateOf('ada')).toMatchObject({ name: 'Ada Lovelace', lockedOut: false, sessions: 0 })
    const unknown = await admin.send('DELETE', '/api/admin/users/__proto__/sessions')
    expect([unknown.status, errorCode(unknown)]).toEqual([404, 'unknown_user'])
  })

  it('locks a user out: all sessions end, and no login works until the user is let in again', async () => {
    const [one, two] = [await loggedIn('alan', 'enigma'), await loggedIn('alan', 'enigma')]
    expect((await admin.send('PUT', '/api/admin/users/alan/locked-out')).status).toBe(204)
    expect([await userOf(one), await userOf(two)]).toEqual([null, null])
    for (let i = 0; i < 3; i++) expect((await new Visitor(shop.url).logIn('alan', 'enigma')).status).toBe(401)
    expect(await stateOf('alan')).toMatchObject({ lockedOut: true, sessions: 0 })
    expect((await admin.send('PUT', '/api/admin/users/grace/locked-out')).status).toBe(400)
    expect((await admin.send('DELETE', '/api/admin/users/alan/locked-out')).status).toBe(204)
    expect(await userOf(await loggedIn('alan', 'enigma'))).toBe('alan')
  })

  it('ends everybody’s sessions, visitors’ too, and stays logged in', async () => {
    const [ada, alan, visitor] = [await loggedIn(), await loggedIn('alan', 'enigma'), new Visitor(shop.url)]
    await visitor.post('/api/cart', { sku: 'mug' })
    const { ended } = read<{ ended: number }>(await admin.send('DELETE', '/api/admin/sessions'))
    expect(ended).toBeGreaterThanOrEqual(3)
    expect(await Promise.all([ada, alan, visitor, admin].map(userOf))).toEqual([null, null, null, 'grace'])
    expect((await visitor.session()).cart).toEqual([])
  })

  it('does the same on a page', async () => {
    const user = await loggedIn()
    const { text } = await admin.get('/admin')
    expect(text).toMatch(/Ada Lovelace[^]*1 session/)
    expect(text.match(/name="user" value="(\w+)"/g)).toEqual(['name="user" value="ada"', 'name="user" value="alan"'])
    expect((await admin.get('/account')).text).toContain('href="/admin"')
    expect((await user.get('/account')).text).not.toContain('href="/admin"')

    for (const [form, notice] of [
      [{ user: 'ada', do: 'end-sessions' }, '1 session is ended.'],
      [{ user: 'ada', do: 'lock-out' }, 'They are locked out, and logged out everywhere.'],
      [{ user: 'ada', do: 'let-in' }, 'They may log in again.'],
      [{ end: 'all' }, '0 sessions are ended.'],
    ] as const) {
      const answer = await admin.submit('/admin', form)
      expect([answer.status, answer.headers.get('location')]).toEqual([303, '/admin'])
      expect((await admin.get('/admin')).text).toContain(notice)
    }
    expect([await userOf(user), await userOf(admin)]).toEqual([null, 'grace'])
  })
})
