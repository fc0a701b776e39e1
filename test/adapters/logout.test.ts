import { describe, expect, test } from 'vitest'
import type { LogoutOptions } from '../../src/core/session.ts'
import { cookieFor } from '../../src/testing/cookie-for.ts'
import type { CookieOptions } from '../../src/transports/cookie.ts'
import { everyAdapter } from './every-adapter.ts'
import type { SiteHandler } from './site.ts'
import { type Answer, valueOf, valuesOf } from './wire.ts'

/** Logs in at /login, out at /logout. */
const serving =
  (options?: LogoutOptions): SiteHandler =>
  async (req, res, session) => {
    if (req.url === '/login') await session.login('ada')
    if (req.url === '/logout') await session.logout(options)
    if (req.url === '/switch') {
      await session.logout(options)
      await session.login('alan')
    }
    res.end(String(session.userId))
  }

/** A cookie's name and attributes, without its value and how long it is kept. */
function identityOf(setCookie: string | undefined): string[] {
  const [pair = '', ...attributes] = (setCookie ?? '').split('; ')
  return [pair.slice(0, pair.indexOf('=')), ...attributes.filter((attribute) => !attribute.startsWith('Max-Age'))]
}

const siteData = ({ headers }: Answer<null>) => valuesOf(headers, 'clear-site-data')

describe.each(everyAdapter)('over $adapter', ({ start }) => {
  const flavours: [cookie: CookieOptions, headers: Record<string, string>][] = [
    [{}, {}],
    [{}, { 'x-forwarded-proto': 'https' }],
    [{ name: 'shop', path: '/shop' }, { 'x-forwarded-proto': 'https' }],
    [{ domain: 'example.com', sameSite: 'strict' }, { 'x-forwarded-proto': 'https' }],
    [{ secure: true, sameSite: 'none', partitioned: true }, {}],
  ]
  test.each(flavours)('logout clears the cookie in the attributes that it was set with: %j, %j', async (cookie, headers) => {
    const { ask } = await start(serving(), { sessions: { cookie, trustProxy: true } })
    const login = await ask({ path: '/login', headers, host: 'localhost' })
    const set = valueOf(login.headers, 'set-cookie')
    const { headers: answered } = await ask({ path: '/logout', headers, host: 'localhost', cookie: set!.replace(/;.*/, '') })
    const cleared = valueOf(answered, 'set-cookie')
    expect(identityOf(set).length).toBeGreaterThanOrEqual(4)
    expect(identityOf(cleared)).toEqual(identityOf(set))
    expect(cleared).toMatch(/^[^=]+=; Max-Age=0; /)
    expect(siteData({ headers: answered } as Answer<null>)).toEqual([])
  })

  test.each<[LogoutOptions['clearSiteData'], string[]]>([
    [true, ['"cache", "cookies", "storage"']],
    [['cache'], ['"cache"']],
    [['storage', 'cookies'], ['"storage", "cookies"']],
    [[], []],
    [false, []],
    [undefined, []],
  ])('clearSiteData %j goes with the answer of the logout, and with no other', async (clearSiteData, expected) => {
    for (const delay of [0, 4]) {
      const { ask, sessions } = await start(serving({ clearSiteData }), { delay })
      const cookie = await cookieFor(sessions, { userId: 'ada' })
      expect(siteData(await ask({ cookie }))).toEqual([])
      const answer = await ask({ path: '/logout', cookie })
      expect([answer.status, siteData(answer), valueOf(answer.headers, 'cache-control')]).toEqual([200, expected, 'no-store'])
      expect(siteData(await ask())).toEqual([])
    }
  })

  test('cookies are left where they may be those of a login that came since', async () => {
    const { ask, sessions } = await start(serving({ clearSiteData: true }))
    const cookie = await cookieFor(sessions, { userId: 'ada' })
    const answers = [
      await ask({ path: '/switch', cookie }), // logged out and in by one request
      await ask({ path: '/logout', cookie }), // logged out already
      await ask({ path: '/logout' }),
    ]
    expect(answers.map(siteData)).toEqual(Array.from({ length: 3 }, () => ['"cache", "storage"']))
    expect(answers.map(({ headers }) => valuesOf(headers, 'set-cookie').length)).toEqual([1, 0, 0])
  })

  test('it goes once with the answer of a logout whose request failed afterwards, too', async () => {
    for (const delay of [0, 4]) {
      const { ask, sessions, store } = await start(
        async (_req, res, session) => {
          await session.logout({ clearSiteData: ['cookies'] })
          session.data.count += 1
          store.broken = true
          res.setHeader('Clear-Site-Data', '"cache"') // http2's own answers nothing to call on.
          res.end('the answer of the handler')
        },
        { delay },
      )
      const answer = await ask({ path: '/logout', cookie: await cookieFor(sessions, { userId: 'ada' }) })
      expect([answer.status, siteData(answer)]).toEqual([503, ['"cookies"']])
      expect(valuesOf(answer.headers, 'set-cookie')).toEqual([expect.stringMatching(/^sid=; Max-Age=0; /)])
    }
  })

  test('what browsers would pass over is an error, and nobody is logged out', async () => {
    for (const clearSiteData of ['cache', ['cash'], ['*'], [7], 7, null, {}]) {
      const { ask, sessions } = await start(async (_req, res, session) => {
        const refused: unknown = await session.logout({ clearSiteData } as LogoutOptions).catch((error: unknown) => error)
        expect(refused).toMatchObject({ code: 'ERR_SOJOURN_OPTION' })
        res.end(String(session.userId))
      })
      const answer = await ask({ path: '/logout', cookie: await cookieFor(sessions, { userId: 'ada' }) })
      expect([answer.body.toString(), siteData(answer)]).toEqual(['ada', []])
    }
  })
})

test('by hand, commit() answers the header', async () => {
  const { sessions } = await everyAdapter[0]!.start(serving())
  const cookie = await cookieFor(sessions, { userId: 'ada' })
  const open = () => sessions.open(new Request('http://localhost/', { headers: { cookie } }))
  const session = await open()
  await session.destroy({ clearSiteData: true })
  const headers = await session.commit()
  expect(headers.get('clear-site-data')).toBe('"cache", "cookies", "storage"')
  expect(headers.getSetCookie()).toEqual(['sid=; Max-Age=0; Path=/; HttpOnly; SameSite=Lax'])
  expect((await open()).userId).toBeNull()
})
