import type { ServerResponse } from 'node:http'
import { describe, expect, test } from 'vitest'
import { cookieFor } from '../../src/testing/cookie-for.ts'
import { site, type SiteHandler, type VisitedSite } from '../adapters/site.ts'
import { valuesOf } from '../adapters/wire.ts'

const setters: { how: string; set: (res: ServerResponse, value: string) => void }[] = [
  { how: 'setHeader', set: (res, value) => void res.setHeader('Cache-Control', value) },
  { how: 'writeHead with an object', set: (res, value) => void res.writeHead(200, { 'cache-control': value }) },
  { how: 'writeHead with a flat array', set: (res, value) => void res.writeHead(200, ['Cache-Control', value]) },
]

/** What is sent as Cache-Control where the handler set `value`. */
async function sent(
  handler: SiteHandler,
  { value, set }: { value?: string; set: (res: ServerResponse, value: string) => void },
  delay = 0,
) {
  const { ask, sessions } = await site(
    async (req, res, session) => {
      await handler(req, res, session)
      if (value !== undefined) set(res, value)
      res.end('done')
    },
    { delay },
  )
  const cookie = await cookieFor(sessions, { userId: 'ada', data: { count: 1 } })
  const { headers } = await ask({ cookie })
  return { cacheControl: valuesOf(headers, 'cache-control'), cookies: valuesOf(headers, 'set-cookie').length }
}

describe.each(setters)('set by $how', ({ set }) => {
  describe.each([0, 4])('on a store that takes %i ms', (delay) => {
    test.each([
      [undefined, 'no-store'],
      ['public, max-age=600', 'no-store'],
      ['s-maxage=600', 'no-store'],
      ['private, max-age=60', 'no-store'],
      ['no-cache', 'no-store'],
      ['no-store, max-age=0', 'no-store, max-age=0'],
      ['No-Store', 'No-Store'],
    ])('%s becomes %s on an answer that sets the cookie', async (value, expected) => {
      const login: SiteHandler = (_req, _res, session) => session.login('ada')
      expect(await sent(login, { ...(value !== undefined && { value }), set }, delay)).toEqual({ cacheControl: [expected], cookies: 1 })
    })

    test('the same holds of one that clears it', async () => {
      const logout: SiteHandler = (_req, _res, session) => session.logout()
      expect(await sent(logout, { value: 'public, max-age=600', set }, delay)).toEqual({ cacheControl: ['no-store'], cookies: 1 })
    })

    test.each([
      [undefined, 'private'],
      ['max-age=60', 'max-age=60, private'],
      ['no-cache', 'no-cache, private'],
      ['must-revalidate', 'must-revalidate, private'],
      ['private, max-age=60', 'private, max-age=60'],
      ['Private', 'Private'],
      ['no-store', 'no-store'],
      ['public, max-age=600', 'public, max-age=600'],
      ['max-age=10, s-maxage=600', 'max-age=10, s-maxage=600'],
    ])('%s becomes %s on an answer whose handler read the session', async (value, expected) => {
      const read: SiteHandler = (_req, _res, session) => void session.data.count
      expect(await sent(read, { ...(value !== undefined && { value }), set }, delay)).toEqual({ cacheControl: [expected], cookies: 0 })
    })

    test.each([
      [undefined, []],
      ['public, max-age=600', ['public, max-age=600']],
      ['max-age=60', ['max-age=60']],
    ])('%s is left alone where the handler never looked at the session', async (value, expected) => {
      expect(await sent(() => {}, { ...(value !== undefined && { value }), set }, delay)).toEqual({ cacheControl: expected, cookies: 0 })
    })
  })
})

test.each<[what: string, read: (session: Parameters<SiteHandler>[2]) => unknown]>([
  ['data', (session) => session.data],
  ['id', (session) => session.id],
  ['userId', (session) => session.userId],
  ['flash', (session) => session.flash('note')],
  ['update', (session) => session.update((data) => data.count)],
])('reading %s is reading the session', async (_what, read) => {
  const handler: SiteHandler = async (_req, _res, session) => void (await read(session))
  expect((await sent(handler, { set: () => {} })).cacheControl).toEqual(['private'])
})

test('sessions.of(req) alone is not', async () => {
  const made: { site?: VisitedSite } = {}
  made.site = await site((req, res) => res.end(typeof made.site?.sessions.of(req)))
  const { headers, body } = await made.site.ask({ cookie: await cookieFor(made.site.sessions, { userId: 'ada' }) })

  expect(body.toString()).toBe('object')
  expect(valuesOf(headers, 'cache-control')).toEqual([])
})

test('a renewal that is due goes out with no-store, and not at all with what shared caches may keep', async () => {
  const renew: SiteHandler = (_req, _res, session) => session.renew()
  const [{ set }] = setters as [(typeof setters)[number]]

  expect(await sent(renew, { value: 'max-age=60', set })).toEqual({ cacheControl: ['no-store'], cookies: 1 })
  expect(await sent(renew, { value: 'public, max-age=60', set })).toEqual({ cacheControl: ['public, max-age=60'], cookies: 0 })
})
