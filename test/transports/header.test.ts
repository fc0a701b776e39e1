import { createServer, type IncomingHttpHeaders, request as send } from 'node:http'
import fc from 'fast-check'
import { describe, expect, onTestFinished, test } from 'vitest'
import { withSession } from '../../src/adapters/node.ts'
import type { Sessions } from '../../src/core/sessions.ts'
import { parseToken } from '../../src/core/token.ts'
import { cookie, createSessions, header, type HeaderOptions, type SessionsOptions } from '../../src/index.ts'
import { fakeClock, type FakeClock } from '../../src/testing/fake-clock.ts'
import { listen } from '../adapters/server.ts'
import { fuzzRuns as numRuns, fuzzTime } from './fuzz-runs.ts'
import { requestOf } from './request-of.ts'

interface Data {
  visits: number
}

interface Answer {
  readonly status: number
  readonly headers: IncomingHttpHeaders
  readonly body: string
}

interface Api {
  readonly sessions: Sessions<Data>
  readonly clock: FakeClock
  readonly suspected: string[]
  /** `headers` is a flat list of names and values, as they go over the wire. */
  ask(path: string, headers?: readonly string[]): Promise<Answer>
}

async function api(transports: SessionsOptions<Data>['transports'] = [header()]): Promise<Api> {
  const clock = fakeClock()
  const sessions = createSessions<Data>({ clock, transports, initial: () => ({ visits: 0 }) })
  const suspected: string[] = []
  sessions.on('suspected', ({ reason }) => suspected.push(reason))
  const server = await listen(
    withSession(sessions, async (req, res, session) => {
      if (req.url === '/login') await session.login('ada')
      if (req.url === '/logout') await session.logout()
      if (req.url === '/visit') session.data.visits++
      if (req.url === '/renew') session.renew()
      res.end(JSON.stringify({ userId: session.userId, visits: session.data.visits, transport: session.transport }))
    }),
  )
  onTestFinished(async () => {
    await server.close()
    await sessions.close()
  })
  const ask = (path: string, headers: readonly string[] = []): Promise<Answer> =>
    new Promise((resolve, reject) => {
      const lines = ['Host', 'localhost', 'Connection', 'close', ...headers]
      const sent = send(
        { port: server.port, host: '127.0.0.1', path, method: path === '/' ? 'GET' : 'POST', headers: lines as never },
        (res) => {
          let body = ''
          res.setEncoding('utf8').on('data', (chunk: string) => (body += chunk))
          res.on('end', () => resolve({ status: res.statusCode ?? 0, headers: res.headers, body }))
        },
      )
      sent.on('error', reject).end()
    })
  return { sessions, clock, suspected, ask }
}

const tokenOf = ({ headers }: Answer, name = 'session-token'): string => String(headers[name])
const bearer = (token: string): string[] => ['Authorization', `Bearer ${token}`]
const anonymous = JSON.stringify({ userId: null, visits: 0, transport: null })
const ada = JSON.stringify({ userId: 'ada', visits: 0, transport: 'header' })

describe('a client that sends its token in a header', () => {
  test('is given it at login, in Session-Token, and sets no cookie', async () => {
    const { ask } = await api()
    const login = await ask('/login')
    expect(tokenOf(login)).toMatch(/^[\w-]{48}$/)
    expect(login.headers['set-cookie']).toBeUndefined()
    expect(login.headers['cache-control']).toBe('no-store')
    expect((await ask('/', bearer(tokenOf(login)))).body).toBe(ada)
  })

  test('may name its own header, which carries the token both ways', async () => {
    const { ask } = await api([header({ name: 'X-Session' })])
    const token = tokenOf(await ask('/login'), 'x-session')
    expect((await ask('/', ['x-session', token])).body).toBe(ada)
    expect((await ask('/', bearer(token))).body).toBe(anonymous)
  })

  test('has another token after each login, and the old one is dead', async () => {
    const { ask, suspected, clock } = await api()
    const first = tokenOf(await ask('/login'))
    const second = tokenOf(await ask('/login', bearer(first)))
    expect(second.slice(0, 16)).not.toBe(first.slice(0, 16))
    expect((await ask('/', bearer(first))).body).toBe(anonymous)
    expect((await ask('/visit', bearer(first))).status).toBe(409)
    clock.advance(61_000)
    expect((await ask('/visit', bearer(first))).status).toBe(200)
    expect((await ask('/', bearer(second))).body).toBe(ada)
    expect(suspected).toEqual([])
  })

  test('is told at logout that its token is void', async () => {
    const { ask } = await api()
    const token = tokenOf(await ask('/login'))
    const logout = await ask('/logout', bearer(token))
    expect(logout.headers['session-token']).toBe('')
    expect((await ask('/', bearer(token))).body).toBe(anonymous)
  })

  test('keeps its secret for good, unless it asks for renewal', async () => {
    const { ask, clock } = await api()
    const token = tokenOf(await ask('/login'))
    for (let i = 0; i < 40; i++) {
      clock.advance(10 * 60_000)
      expect((await ask(i % 2 === 0 ? '/visit' : '/renew', bearer(token))).headers['session-token']).toBeUndefined()
    }
  })

  test('that asks for renewal by Prefer gets a new secret when it is due; the old one closes, and is late after its grace', async () => {
    const { ask, clock, suspected } = await api()
    const willing = (token: string) => [...bearer(token), 'Prefer', 'respond-async, Session-Renewal']
    const first = tokenOf(await ask('/login'))
    expect((await ask('/', willing(first))).headers['session-token']).toBeUndefined()
    clock.advance(16 * 60_000)
    const second = tokenOf(await ask('/', willing(first)))
    expect(second.slice(0, 16)).toBe(first.slice(0, 16))
    // Shown by a request that asks for nothing, the new one is confirmed all the same.
    expect((await ask('/', bearer(second))).body).toBe(ada)
    expect((await ask('/', bearer(first))).body).toBe(ada)
    clock.advance(61_000)
    expect((await ask('/', bearer(first))).body).toBe(anonymous)
    expect(suspected).toEqual(['late'])
    expect((await ask('/', bearer(second))).body).toBe(ada)
  })

  test('beside cookies is given its token only where it asks for that, so that no script of a page can read one', async () => {
    const { ask } = await api([cookie(), header()])
    const browser = await ask('/login')
    expect(browser.headers['session-token']).toBeUndefined()
    const pair = browser.headers['set-cookie']![0]!.split(';')[0]!
    const app = await ask('/login', ['Prefer', 'session-token'])
    expect(app.headers['set-cookie']).toBeUndefined()
    expect((await ask('/', bearer(tokenOf(app)))).body).toBe(ada)
    // A page's script asks with the cookie: no token for it.
    const script = await ask('/login', ['Cookie', pair, 'Prefer', 'session-token'])
    expect([script.headers['session-token'], script.headers['set-cookie']?.length]).toEqual([undefined, 1])
  })

  test("is reached by no other way: neither is a cookie's token good in a header, nor a header's in a cookie", async () => {
    const { ask, suspected } = await api([cookie(), header()])
    const pair = (await ask('/login')).headers['set-cookie']![0]!.split(';')[0]!
    const token = tokenOf(await ask('/login', ['Prefer', 'session-token']))
    expect((await ask('/', bearer(pair.slice('sid='.length)))).body).toBe(anonymous)
    expect((await ask('/', ['Cookie', `sid=${token}`])).body).toBe(anonymous)
    expect((await ask('/', ['Cookie', pair])).body).toBe(JSON.stringify({ userId: 'ada', visits: 0, transport: 'cookie' }))
    expect((await ask('/', bearer(token))).body).toBe(ada)
    expect(suspected).toEqual([])
  })
})

describe('no session is what a client has who sends', () => {
  const wrong: [what: string, lines: (token: string) => string[]][] = [
    ['another scheme', (token) => ['Authorization', `Basic ${token}`]],
    ['no scheme', (token) => ['Authorization', token]],
    ['the scheme alone', () => ['Authorization', 'Bearer']],
    ['a tab', (token) => ['Authorization', `Bearer\t${token}`]],
    ['quotes', (token) => ['Authorization', `Bearer "${token}"`]],
    ['a parameter', (token) => ['Authorization', `Bearer ${token}, x=y`]],
    ['one character less', (token) => ['Authorization', `Bearer ${token.slice(0, -1)}`]],
    ['one character more', (token) => ['Authorization', `Bearer ${token}a`]],
    ['two lines', (token) => ['Authorization', `Bearer ${token}`, 'Authorization', `Bearer ${token}`]],
    ['two lines in two cases', (token) => ['Authorization', `Bearer ${token}`, 'AUTHORIZATION', 'Bearer x']],
    ['two tokens in one line', (token) => ['Authorization', `Bearer ${token}, Bearer ${token}`]],
    ['a token that was never issued', () => ['Authorization', `Bearer ${'a'.repeat(48)}`]],
    ['a wrong secret', (token) => ['Authorization', `Bearer ${token.slice(0, 16)}${'a'.repeat(32)}`]],
    ['ten kilobytes', () => ['Authorization', `Bearer ${'a'.repeat(10_000)}`]],
  ]
  test.each(wrong)('%s', async (_what, lines) => {
    const { ask } = await api()
    const token = tokenOf(await ask('/login'))
    const answer = await ask('/', lines(token))
    expect([answer.status, answer.body]).toEqual([200, anonymous])
    expect((await ask('/', bearer(token))).body, 'the session itself is as it was').toBe(ada)
  })

  test('its own header in two lines', async () => {
    const { ask } = await api([header({ name: 'X-Session' })])
    const token = tokenOf(await ask('/login'), 'x-session')
    expect((await ask('/', ['X-Session', token, 'X-Session', token])).body).toBe(anonymous)
  })

  test('a stale cookie beside a good token, where the cookie is asked first', async () => {
    const stale = ['Cookie', `sid=${'a'.repeat(48)}`]
    for (const [transports, body] of [
      [[cookie(), header()], anonymous],
      [[header(), cookie()], ada],
    ] as const) {
      const { ask } = await api(transports)
      const token = tokenOf(await ask('/login', ['Prefer', 'session-token']))
      expect((await ask('/', [...bearer(token), ...stale])).body).toBe(body)
    }
  })

  test('an ambiguous cookie beside a good token', async () => {
    const { ask } = await api([cookie(), header()])
    const token = tokenOf(await ask('/login', ['Prefer', 'session-token']))
    expect((await ask('/', [...bearer(token), 'Cookie', 'sid=a; sid=b'])).body).toBe(anonymous)
  })
})

test('the scheme is read in any case, and may stand apart', async () => {
  const { ask } = await api()
  const token = tokenOf(await ask('/login'))
  expect((await ask('/', ['Authorization', `bEARER ${token}`])).body).toBe(ada)
  expect((await ask('/', ['Authorization', `Bearer   ${token}`])).body).toBe(ada)
})

test('a wish may have parameters', async () => {
  const { ask, clock } = await api([cookie(), header()])
  const token = tokenOf(await ask('/login', ['Prefer', 'respond-async;x=1, Session-Token;q=1']))
  expect((await ask('/', bearer(token))).body).toBe(ada)
  clock.advance(16 * 60_000)
  expect(tokenOf(await ask('/', [...bearer(token), 'Prefer', 'session-renewal; q=1']))).toMatch(/^[\w-]{48}$/)
})

test('credentials of another scheme, such as a proxy asks for, leave the cookie alone', async () => {
  const { ask } = await api([header(), cookie()])
  const pair = (await ask('/login')).headers['set-cookie']![0]!.split(';')[0]!
  expect((await ask('/', ['Authorization', 'Basic YTpi', 'Cookie', pair])).body).toContain('"transport":"cookie"')
})

test('a server that is given odd bytes answers 400, or an anonymous visitor where it is told to be lenient', async () => {
  const sessions = createSessions({ transports: [header()] })
  const server = createServer({ insecureHTTPParser: true }, (req, res) => {
    void sessions.open(req).then((session) => res.end(String(session.isNew)))
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  onTestFinished(() => void server.close())
  const { port } = server.address() as { port: number }
  const answer = await fetch(`http://127.0.0.1:${port}/`, { headers: { Authorization: 'Bearer \u00e9\u00ff' } })
  expect(await answer.text()).toBe('true')
})

const taken =
  'Authorization cookie Set-Cookie host Content-Type prefer Location Referer Origin Cache-Control Clear-Site-Data Access-Control-Allow-Origin ' +
  'WWW-Authenticate Proxy-Authorization Referrer-Policy Sec-Fetch-Site X-Forwarded-For Keep-Alive vary User-Agent Accept accept-language ' +
  'If-None-Match ETag Refresh Via'

describe('options', () => {
  test.each([...taken.split(' '), 'a b', 'é', '', 'x\r\ny', 'a:b', 7, null])('refuse the name %j', (name) => {
    expect(() => header({ name: name as string })).toThrow(expect.objectContaining({ code: 'ERR_SOJOURN_OPTION' }))
  })

  test.each(['X-Session', 'Session-Token', 'X-Auth-Token', 'Session', 'X-Api-Key', 'Acceptance', 'Hosts', 'Security', 'X-Sec-Token'])(
    'take the name %j, which means nothing else',
    (name) => {
      expect(header({ name }).name).toBe('header')
    },
  )

  test('refuse what is none', () => {
    expect(() => header({ nam: 'x' } as HeaderOptions)).toThrow(/header\.nam is no option/)
  })
})

describe('a header, whatever stands in it', () => {
  const token = 'A'.repeat(48)
  const piece = fc.constantFrom(
    'Bearer',
    'bearer ',
    'Bearer ',
    ' ',
    '  ',
    '\t',
    ',',
    ', ',
    token,
    token.slice(1),
    '"',
    '=',
    'Basic',
    '\0',
    'é',
    ';',
    '',
  )
  const values = fc
    .array(fc.oneof({ weight: 4, arbitrary: piece }, { weight: 1, arbitrary: fc.string({ unit: 'binary', maxLength: 4 }) }), {
      maxLength: 8,
    })
    .map((pieces) => pieces.join(''))
  const [standard, own] = [header(), header({ name: 'X-Session' })]

  test(
    'is a token only if it is the scheme, spaces and 48 characters that a token has',
    () => {
      fc.assert(
        fc.property(values, (value) => {
          const found = parseToken(standard.read(requestOf({ headers: { authorization: value } })))
          expect(found !== null).toBe(/^bearer +[\w-]{48}$/i.test(value) && !value.includes('\n'))
          if (found !== null) expect(value.endsWith(found.id + found.secret)).toBe(true)
          const mine = parseToken(own.read(requestOf({ headers: { 'x-session': value } })))
          expect(mine !== null).toBe(/^[\w-]{48}$/.test(value) && value.length === 48)
        }),
        { numRuns },
      )
    },
    fuzzTime,
  )

  test(
    'is never a wish unless one of its items is that word, whatever parameters it has',
    () => {
      const lists = fc
        .array(fc.oneof(fc.constantFrom('session-renewal', 'session-token', ',', ' ', ';', '=', 'x', '"'), fc.string({ maxLength: 3 })), {
          maxLength: 8,
        })
        .map((pieces) => pieces.join(''))
      fc.assert(
        fc.property(lists, (prefer) => {
          const expected = new Set(prefer.split(',').map((one) => one.replace(/;.*/s, '').trim().toLowerCase()))
          const asked = requestOf({ headers: { prefer } })
          expect([standard.renews(asked), standard.isAskedFor!(asked)]).toEqual([
            expected.has('session-renewal'),
            expected.has('session-token'),
          ])
        }),
        { numRuns },
      )
    },
    fuzzTime,
  )

  test('of a megabyte costs little', () => {
    for (const value of ['Bearer '.repeat(150_000), 'a'.repeat(1_000_000), ','.repeat(1_000_000), `Bearer ${' '.repeat(1_000_000)}`]) {
      const begin = performance.now()
      parseToken(standard.read(requestOf({ headers: { authorization: value } })))
      standard.renews(requestOf({ headers: { prefer: value } }))
      expect(performance.now() - begin).toBeLessThan(500)
    }
  })
})
