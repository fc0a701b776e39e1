import { afterEach, describe, expect, onTestFinished, test, vi } from 'vitest'
import type { AnyRequest } from '../../src/core/request.ts'
import { createSessions, type SessionsOptions } from '../../src/sessions.ts'
import { listen } from './server.ts'
import { watchedStore } from './watched-store.ts'

interface Data {
  count: number
}

function fresh(options: Partial<SessionsOptions<Data>> = {}) {
  const sessions = createSessions<Data>({ ...options, initial: () => ({ count: 0 }) })
  onTestFinished(() => sessions.close())
  return sessions
}

afterEach(() => void vi.unstubAllEnvs())

const pairOf = (headers: Headers): string => headers.getSetCookie()[0]?.replace(/;.*/, '') ?? ''

const requests: { what: string; make: (cookie?: string) => AnyRequest; cookie: RegExp }[] = [
  {
    what: 'a Request over https',
    make: (cookie) => new Request('https://shop.example/cart', cookie === undefined ? {} : { headers: { cookie } }),
    cookie: /^__Host-sid=[\w-]{48}; Path=\/; HttpOnly; SameSite=Lax; Secure$/,
  },
  {
    what: 'a Request over http',
    make: (cookie) => new Request('http://localhost/cart', cookie === undefined ? {} : { headers: { cookie } }),
    cookie: /^sid=[\w-]{48}; Path=\/; HttpOnly; SameSite=Lax$/,
  },
  {
    what: 'Headers',
    make: (cookie) => new Headers(cookie === undefined ? {} : { cookie }),
    cookie: /^sid=[\w-]{48}; Path=\/; HttpOnly; SameSite=Lax$/,
  },
  {
    what: "Node's own request, as far as it is needed",
    make: (cookie) => ({ headers: { cookie }, socket: {} }),
    cookie: /^sid=[\w-]{48}; Path=\/; HttpOnly; SameSite=Lax$/,
  },
]

describe.each(requests)('$what', ({ make, cookie }) => {
  test('opens a session, and commit() answers the headers for the response', async () => {
    const sessions = fresh()

    const first = await sessions.open(make())
    first.data.count = 1
    const headers = await first.commit()
    expect(headers.getSetCookie()).toEqual([expect.stringMatching(cookie)])
    expect(headers.get('cache-control')).toBe('no-store')

    const again = await sessions.open(make(pairOf(headers)))
    expect([again.isNew, again.id, again.data.count]).toEqual([false, first.id, 1])
    expect([...(await again.commit())]).toEqual([['cache-control', 'private']])
  })

  test('a session that was not looked at, or not changed, sets nothing', async () => {
    const sessions = fresh()

    expect([...(await (await sessions.open(make())).commit())]).toEqual([])
    const read = await sessions.open(make())
    expect(read.data.count).toBe(0)
    expect([...(await read.commit())]).toEqual([['cache-control', 'private']])
  })

  test('logout clears the cookie', async () => {
    const sessions = fresh()
    const first = await sessions.open(make())
    await first.login('ada')
    const pair = pairOf(await first.commit())

    const last = await sessions.open(make(pair))
    expect(last.userId).toBe('ada')
    await last.logout()
    const headers = await last.commit()
    expect(headers.getSetCookie()).toEqual([
      expect.stringMatching(/^(?:__Host-)?sid=; Max-Age=0; Path=\/; HttpOnly; SameSite=Lax(?:; Secure)?$/),
    ])
    expect(headers.get('cache-control')).toBe('no-store')
    expect((await sessions.open(make(pair))).userId).toBeNull()
  })

  test('a commit that fails rejects, with the status to answer', async () => {
    const store = watchedStore(0)
    const sessions = fresh({ store })
    const session = await sessions.open(make())
    session.data.count = 1
    store.broken = true

    await expect(session.commit()).rejects.toMatchObject({ code: 'ERR_SOJOURN_STORE', status: 503, headers: { 'Retry-After': '1' } })
  })

  test('so does one whose session ended meanwhile', async () => {
    const sessions = fresh()
    const first = await sessions.open(make())
    first.data.count = 1
    const session = await sessions.open(make(pairOf(await first.commit())))
    session.data.count = 2
    await sessions.end(session.id ?? '')

    await expect(session.commit()).rejects.toMatchObject({ code: 'ERR_SOJOURN_ENDED', status: 409 })
  })
})

test('a second commit carries the cookie as well, and what was changed since', async () => {
  const sessions = fresh()
  const session = await sessions.open(new Request('http://localhost/'))
  session.data.count = 1
  const pair = pairOf(await session.commit())
  session.data.count = 2

  expect(pairOf(await session.commit())).toBe(pair)
  expect((await sessions.open(new Request('http://localhost/', { headers: { cookie: pair } }))).data.count).toBe(2)
})

test('Headers alone do not tell how they came: in production that is https', async () => {
  vi.stubEnv('NODE_ENV', 'production')
  const session = await fresh().open(new Headers())
  session.data.count = 1

  expect(pairOf(await session.commit())).toMatch(/^__Host-sid=/)
})

test.each([
  ['a Request', new Request('http://inside/', { headers: { 'x-forwarded-proto': 'https' } })],
  ['Headers', new Headers({ 'x-forwarded-proto': 'https' })],
  ["Node's own request", { headers: { 'x-forwarded-proto': 'https' }, socket: {} }],
])('with trustProxy the proxy says how %s came', async (_what, request) => {
  const session = await fresh({ trustProxy: true }).open(request)
  session.data.count = 1

  expect(pairOf(await session.commit())).toMatch(/^__Host-sid=/)
})

test('of several proxies the nearest is believed: what stands before may be the client', async () => {
  const session = await fresh({ trustProxy: true }).open(new Headers({ 'x-forwarded-proto': 'https, http' }))
  session.data.count = 1

  expect(pairOf(await session.commit())).toMatch(/^sid=/)
})

test('a server of Node that answers by hand', async () => {
  const sessions = fresh()
  const server = await listen((req, res) => {
    const answer = async (): Promise<void> => {
      const session = await sessions.open(req)
      session.data.count += 1
      res.setHeaders(await session.commit())
      res.end(String(session.data.count))
    }
    answer().catch((error: Error) => res.destroy(error))
  })
  onTestFinished(() => server.close())

  const first = await fetch(server.url)
  const again = await fetch(server.url, { headers: { cookie: pairOf(first.headers) } })
  expect([await first.text(), await again.text()]).toEqual(['1', '2'])
})
