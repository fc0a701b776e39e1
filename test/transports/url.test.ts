import type { NextFunction, Request, Response as ExpressResponse } from 'express'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { connect } from 'node:http2'
import { describe, expect, onTestFinished, test } from 'vitest'
import { withSession } from '../../src/adapters/node.ts'
import { session as expressSession } from '../../src/adapters/express.ts'
import type { Sessions } from '../../src/core/sessions.ts'
import type { Session } from '../../src/core/session.ts'
import type { Maybe, SessionRecord } from '../../src/core/store.ts'
import { cookie, createSessions, header, type SessionsOptions, type SojournError, url, type UrlOptions } from '../../src/index.ts'
import { memory } from '../../src/stores/memory.ts'
import { DelayedStore } from '../core/delayed-store.ts'
import { Counted, StoreOver } from '../core/store-over.ts'
import { expressVersions } from '../adapters/express-application.ts'
import { listen } from '../adapters/server.ts'
import { requestOf } from './request-of.ts'

interface Data {
  visits: number
}

const agent = { 'User-Agent': 'Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Gecko/20100101 Firefox/145.0', 'Accept-Language': 'eo,en;q=0.5' }

/** A browser that returns no cookies: it goes where it is led. */
class Wanderer {
  readonly #url: string
  readonly headers: Readonly<Record<string, string>>
  /** The address of the page that it is on. */
  at = '/'

  constructor(url: string, headers: Readonly<Record<string, string>> = agent) {
    this.#url = url
    this.headers = headers
  }

  async go(method: string, to: string, headers: Readonly<Record<string, string>> = {}): Promise<Response> {
    const target = new URL(to, new URL(this.at, this.#url))
    const response = await fetch(target, { method, redirect: 'manual', headers: { ...this.headers, ...headers } })
    const location = response.headers.get('location')
    this.at = location ?? target.pathname + target.search
    return response
  }
}

/** A store that can be away. */
class Failing extends StoreOver {
  isAway = false

  override get(id: string): Maybe<SessionRecord | null> {
    if (this.isAway) throw new Error('away')
    return super.get(id)
  }
}

interface Seen {
  /** What a handler, and a logger, could see of each request. */
  readonly targets: string[]
  readonly suspected: string[]
  readonly sessions: Sessions<Data>
  readonly origin: string
  wanderer(headers?: Readonly<Record<string, string>>): Wanderer
}

async function application(options: Omit<SessionsOptions<Data>, 'initial'> = {}, handler = shop): Promise<Seen> {
  const sessions = createSessions<Data>({ transports: [cookie(), url()], initial: () => ({ visits: 0 }), ...options })
  const suspected: string[] = []
  sessions.on('suspected', ({ reason }) => suspected.push(reason))
  const targets: string[] = []
  const server = await listen(
    withSession(sessions, async (req, res, session) => {
      targets.push([req.url, ...req.rawHeaders].join(' '))
      await handler(req, res, session)
    }),
  )
  onTestFinished(async () => {
    await server.close()
    await sessions.close()
  })
  return { sessions, suspected, targets, origin: server.url, wanderer: (headers) => new Wanderer(server.url, headers) }
}

async function shop(req: IncomingMessage, res: ServerResponse, session: Session<Data>): Promise<void> {
  const { pathname } = new URL(req.url!, 'http://shop.invalid')
  if (pathname === '/visit') session.data.visits++
  if (pathname === '/login') await session.login('ada')
  if (pathname === '/logout') await session.logout()
  if (req.method === 'POST') return void res.writeHead(303, { Location: session.url('/') }).end()
  res.setHeader('Content-Type', 'application/json')
  const { id, userId, data, transport } = session
  res.end(JSON.stringify({ id, userId, visits: data.visits, transport, link: session.url('/cart?x=1#y') }))
}

interface Told {
  id: string | null
  userId: string | null
  visits: number
  transport: string | null
  link: string
}
const told = async (response: Response): Promise<Told> => (await response.json()) as Told
const nobody = { id: null, userId: null, visits: 0, transport: null, link: '/cart?x=1#y' }
const tokenIn = (address: string): string => /;sid=([\w-]{48})/.exec(address)?.[1] ?? 'none'

describe('a visitor whose browser returns no cookie', () => {
  test('goes on by the links of the application, through login and logout', async () => {
    const { wanderer, targets } = await application()
    const visitor = wanderer()
    expect(await told(await visitor.go('GET', '/'))).toEqual(nobody)
    const first = await visitor.go('POST', '/visit')
    expect(visitor.at).toMatch(/^\/;sid=[\w-]{48}$/)
    expect(first.headers.getSetCookie(), 'the first answer carries both').toHaveLength(1)
    const page = await told(await visitor.go('GET', visitor.at))
    expect(page).toMatchObject({ visits: 1, transport: 'url', link: `/cart;sid=${tokenIn(visitor.at)}?x=1#y` })
    expect(page.id).toBe(tokenIn(visitor.at).slice(0, 16))

    const before = tokenIn(visitor.at)
    const login = await visitor.go('POST', `/login;sid=${before}`)
    expect(login.headers.getSetCookie(), 'it is reached by its URL alone by now').toEqual([])
    expect(tokenIn(visitor.at)).not.toBe(before)
    expect(await told(await visitor.go('GET', visitor.at))).toMatchObject({ userId: 'ada', visits: 1, transport: 'url' })

    const member = tokenIn(visitor.at)
    await visitor.go('POST', `/logout;sid=${member}`)
    expect(visitor.at).toBe('/')
    expect(await told(await visitor.go('GET', `/;sid=${member}`))).toEqual(nobody)
    expect(targets.join('\n')).not.toMatch(/sid=/)
  })

  test('leaves no token to other sites and to caches, on any answer to an address that has one', async () => {
    const { wanderer } = await application()
    const visitor = wanderer()
    const guarded = ({ headers }: Response) => [headers.get('referrer-policy'), headers.get('cache-control')]
    expect(guarded(await visitor.go('GET', '/'))).toEqual([null, 'private'])
    expect(guarded(await visitor.go('POST', '/visit'))).toEqual(['no-referrer', 'no-store'])
    const { at } = visitor
    expect(guarded(await visitor.go('GET', at))).toEqual(['no-referrer', 'no-store'])
    expect(guarded(await wanderer({ 'User-Agent': 'other' }).go('GET', at))).toEqual(['no-referrer', 'no-store'])
    expect(guarded(await visitor.go('GET', at.slice(0, -1)))).toEqual(['no-referrer', 'no-store'])
  })

  test('gets links with the token on the very page that creates the session, before it is stored', async () => {
    const { wanderer } = await application()
    const visitor = wanderer()
    const { link } = await told(await visitor.go('GET', '/visit'))
    expect(await told(await visitor.go('GET', link))).toMatchObject({ visits: 1, transport: 'url' })
  })

  test('gets none on a page that stores nothing: a crawler finds clean links', async () => {
    const { wanderer, sessions } = await application()
    expect((await told(await wanderer().go('GET', '/'))).link).toBe('/cart?x=1#y')
    expect(await sessions.sweep()).toBe(0)
  })

  test('keeps the secret for as long as the session lives: tabs and bookmarks have it', async () => {
    const { wanderer } = await application({ timeouts: { renew: '1ms' } })
    const visitor = wanderer()
    await visitor.go('POST', '/visit')
    const token = tokenIn(visitor.at)
    for (let i = 0; i < 5; i++) {
      const { link, visits } = await told(await visitor.go('GET', `/visit;sid=${token}`))
      expect([tokenIn(link), visits]).toEqual([token, 2 + i])
    }
  })

  test('that shows the link of before a login has no session, and is suspected of nothing', async () => {
    const { wanderer, suspected, sessions } = await application({ timeouts: { grace: '50ms' } })
    const visitor = wanderer()
    await visitor.go('POST', '/visit')
    const old = visitor.at
    await visitor.go('POST', `/login${old.slice(1)}`)
    const member = visitor.at
    for (let i = 0; i < 3; i++) {
      expect(await told(await visitor.go('GET', old))).toEqual(nobody)
      await new Promise((resolve) => setTimeout(resolve, 40))
    }
    expect(await told(await visitor.go('GET', member))).toMatchObject({ userId: 'ada' })
    expect(suspected).toEqual([])
    for await (const { id } of sessions.listByUser('ada')) expect(id).toBe(tokenIn(member).slice(0, 16))
  })

  test('that presses the login button twice is logged in, with what was in the session', async () => {
    const { wanderer } = await application()
    const [one, two] = [wanderer(), wanderer()]
    await one.go('POST', '/visit')
    const form = `/login${one.at.slice(1)}`
    await one.go('POST', form)
    await two.go('POST', form)
    expect(await told(await two.go('GET', two.at))).toMatchObject({ userId: 'ada', visits: 1 })
    expect((await one.go('POST', `/visit${form.slice('/login'.length)}`)).status, 'another form of before is refused').toBe(409)
  })

  test('goes on after a store that could not be read, where the application goes on without', async () => {
    const store = new Failing(memory())
    const { wanderer } = await application({ store, onStoreError: 'anonymous' })
    const visitor = wanderer()
    await visitor.go('POST', '/visit')
    const { at } = visitor
    store.isAway = true
    expect(await told(await visitor.go('GET', at))).toMatchObject({ id: null, link: `/cart;sid=${tokenIn(at)}?x=1#y` })
    store.isAway = false
    expect(await told(await visitor.go('GET', at))).toMatchObject({ visits: 1 })
  })
})

describe('a link with a token', () => {
  async function shared(): Promise<Seen & { link: string }> {
    // Requests of other sites are let in: it is the link that is tried.
    const seen = await application({ crossOrigin: false })
    const owner = seen.wanderer()
    await owner.go('POST', '/login')
    const link = owner.at
    expect(await told(await owner.go('GET', link))).toMatchObject({ userId: 'ada' })
    return { ...seen, link }
  }

  test.each([
    ['another browser', { 'User-Agent': 'Mozilla/5.0 (Windows NT 10.0) Chrome/142.0.0.0' }],
    ['another language', { 'Accept-Language': 'fr' }],
    ['a page of another site', { 'Sec-Fetch-Site': 'cross-site' }],
    ['a page of a sister host', { 'Sec-Fetch-Site': 'same-site' }],
    ['another site, as its Referer says', { Referer: 'https://mail.example/inbox' }],
    ['another site, as its Origin says', { Origin: 'https://mail.example' }],
    ['a Referer that is none', { Referer: '::' }],
  ])('that is opened from %s opens nothing, and the session stays as it was', async (_where, headers) => {
    const { wanderer, link, suspected } = await shared()
    expect(await told(await wanderer({ ...agent, ...headers }).go('GET', link))).toEqual(nobody)
    const stranger = wanderer({ ...agent, ...headers })
    await stranger.go('POST', `/visit${link.slice(1)}`)
    expect(tokenIn(stranger.at).slice(0, 16)).not.toBe(tokenIn(link).slice(0, 16))
    expect(await told(await wanderer().go('GET', link))).toMatchObject({ userId: 'ada', visits: 0 })
    expect(suspected).toEqual([])
  })

  test.each([{ 'Sec-Fetch-Site': 'same-origin' }, { 'Sec-Fetch-Site': 'none', Referer: 'https://mail.example/' }, { Origin: 'null' }])(
    'that its own browser opens within the application, or as a bookmark, opens it: %j',
    async (headers) => {
      const { wanderer, link, origin } = await shared()
      expect(await told(await wanderer({ ...agent, ...headers }).go('GET', link))).toMatchObject({ userId: 'ada' })
      expect(await told(await wanderer({ ...agent, Referer: `${origin}/` }).go('GET', link))).toMatchObject({ userId: 'ada' })
    },
  )

  test.each([
    ['cut short', (link: string) => link.slice(0, -1)],
    ['drawn out', (link: string) => `${link}a`],
    ['doubled', (link: string) => `${link}${link.slice(1)}`],
    ['with an encoded semicolon', (link: string) => link.replace(';', '%3B')],
    ['with an encoded equals sign', (link: string) => link.replace('=', '%3d')],
    ['with both encoded', (link: string) => link.replace(';sid=', '%3bsid%3D')],
    ['beside an encoded one', (link: string) => `${link}%3Bsid=x`],
    ['beside another', (link: string) => `${link};sid=x`],
    ['behind an empty one', (link: string) => `/;sid=${link.slice(1)}`],
    ['before a segment', (link: string) => `${link}/x`],
    ['in the query', (link: string) => `/?sid=${tokenIn(link)}`],
    ['with another parameter behind', (link: string) => `${link};a=b`],
    ['in another case', (link: string) => link.replace('sid', 'SID')],
    ['with a wrong secret', (link: string) => `${link.slice(0, -32)}${'a'.repeat(32)}`],
    ['of nobody', () => `/;sid=${'a'.repeat(48)}`],
  ])('%s is no session', async (_how, make) => {
    const { wanderer, link, targets } = await shared()
    const { userId, transport } = await told(await wanderer().go('GET', make(link)))
    expect([userId, transport]).toEqual([null, null])
    if (/^\/?[^?]*(?:;|%3b)sid/i.test(make(link)) && !make(link).includes(';SID')) expect(targets.at(-1)).not.toContain('sid')
    expect(await told(await wanderer().go('GET', link))).toMatchObject({ userId: 'ada' })
  })

  test('on a path in which something else is percent-encoded opens it', async () => {
    const { wanderer, link } = await shared()
    expect(await told(await wanderer().go('GET', `/a%3Ab%3Bc%3D${link.slice(1)}`))).toMatchObject({ userId: 'ada', transport: 'url' })
  })

  test('neither overrides a cookie nor revives one: a browser that returns cookies is led by them alone', async () => {
    const { wanderer, link, sessions } = await shared()
    const jar = wanderer()
    const [line] = (await jar.go('POST', '/visit')).headers.getSetCookie()
    const pair = line!.slice(0, line!.indexOf(';'))
    const browser = wanderer({ ...agent, Cookie: pair })
    expect(await told(await browser.go('GET', link))).toMatchObject({ userId: null, visits: 1, transport: 'cookie', link: '/cart?x=1#y' })
    await sessions.end(pair.slice(4, 20))
    expect(await told(await browser.go('GET', link))).toEqual(nobody)
    for (const odd of ['sid=', `${pair}; ${pair}`, 'sid=x'])
      expect(await told(await wanderer({ ...agent, Cookie: odd }).go('GET', link)), odd).toEqual(nobody)
  })
})

test.each([
  ['cookie, url', [cookie(), url()]],
  ['url, cookie', [url(), cookie()]],
  ['url, header, cookie', [url(), header(), cookie()]],
])('a pasted link leads nobody out of the session of his cookie, whatever the order of transports: %s', async (_order, transports) => {
  const { wanderer } = await application({ transports })
  const stranger = wanderer()
  await stranger.go('POST', '/login')
  const [line] = (await wanderer().go('POST', '/visit')).headers.getSetCookie()
  const browser = wanderer({ ...agent, Cookie: line!.slice(0, line!.indexOf(';')) })
  expect(await told(await browser.go('GET', stranger.at))).toMatchObject({ userId: null, visits: 1, transport: 'cookie' })
  expect(await told(await wanderer().go('GET', stranger.at))).toMatchObject({ userId: 'ada', transport: 'url' })
})

describe('a session that was handed out by cookie and by URL', () => {
  async function handedOut(options: Omit<SessionsOptions<Data>, 'initial'> = {}) {
    const seen = await application(options)
    const visitor = seen.wanderer()
    const [line] = (await visitor.go('POST', '/visit')).headers.getSetCookie()
    return { ...seen, link: visitor.at, pair: line!.slice(0, line!.indexOf(';')) }
  }

  test('is reached by the cookie alone once that came back, and its links are clean', async () => {
    const { wanderer, link, pair, suspected } = await handedOut()
    const browser = wanderer({ ...agent, Cookie: pair })
    expect(await told(await browser.go('GET', link))).toMatchObject({ visits: 1, transport: 'cookie', link: '/cart?x=1#y' })
    expect(await told(await wanderer().go('GET', link))).toEqual(nobody)
    expect(await told(await browser.go('GET', '/'))).toMatchObject({ visits: 1 })
    expect(suspected).toEqual([])
  })

  test('is reached by its URL alone once that came back without the cookie', async () => {
    const { wanderer, link, pair, suspected } = await handedOut()
    expect(await told(await wanderer().go('GET', link))).toMatchObject({ visits: 1, transport: 'url' })
    expect(await told(await wanderer({ ...agent, Cookie: pair }).go('GET', '/'))).toEqual(nobody)
    expect(await told(await wanderer().go('GET', link))).toMatchObject({ visits: 1, transport: 'url' })
    expect(suspected).toEqual([])
  })

  test('stays open for its owner when another browser tried its link first', async () => {
    const { wanderer, link, pair } = await handedOut()
    expect(await told(await wanderer({ 'User-Agent': 'curl/8' }).go('GET', link))).toEqual(nobody)
    expect(await told(await wanderer({ ...agent, Cookie: pair }).go('GET', '/'))).toMatchObject({ visits: 1 })
  })

  test('and came back by cookie gets another secret at once, since the first one stood in links', async () => {
    const { wanderer, pair } = await handedOut({ timeouts: { grace: '50ms' } })
    const browser = wanderer({ ...agent, Cookie: pair })
    const [line] = (await browser.go('GET', '/')).headers.getSetCookie()
    const next = line!.slice(0, line!.indexOf(';'))
    expect(next.slice(0, 20)).toBe(pair.slice(0, 20))
    expect(next).not.toBe(pair)
    expect(await told(await wanderer({ ...agent, Cookie: next }).go('GET', '/'))).toMatchObject({ visits: 1 })
    await new Promise((resolve) => setTimeout(resolve, 60))
    expect(await told(await browser.go('GET', '/')), 'what was in links opens nothing as a cookie either').toMatchObject({ id: null })
  })

  test('costs one write when it comes back by URL, one more for the new secret by cookie, and none for reads after that', async () => {
    const writes = async (go: (seen: Awaited<ReturnType<typeof handedOut>>, store: Counted) => Promise<void>): Promise<void> => {
      const store = new Counted(memory())
      const seen = await handedOut({ store })
      store.calls.put = 0
      await go(seen, store)
    }
    await writes(async ({ wanderer, link }, store) => {
      for (let i = 0; i < 3; i++) expect(await told(await wanderer().go('GET', link))).toMatchObject({ visits: 1 })
      expect([store.calls.put, store.calls.touch]).toEqual([1, 0])
    })
    await writes(async ({ wanderer, pair }, store) => {
      const [line] = (await wanderer({ ...agent, Cookie: pair }).go('GET', '/')).headers.getSetCookie()
      expect(store.calls.put).toBe(2)
      const browser = wanderer({ ...agent, Cookie: line!.slice(0, line!.indexOf(';')) })
      for (let i = 0; i < 3; i++) await browser.go('GET', '/')
      expect([store.calls.put, store.calls.touch]).toEqual([3, 0])
    })
  })

  test('comes back by both at the same moment to one end: one way serves, the other is none', async () => {
    for (let i = 0; i < 20; i++) {
      const { wanderer, link, pair } = await handedOut({ store: new DelayedStore() })
      const answers = await Promise.all(
        [wanderer({ ...agent, Cookie: pair }).go('GET', '/'), wanderer().go('GET', link)].map(async (answer) => told(await answer)),
      )
      expect(answers.map(({ transport }) => transport).filter((way) => way !== null)).toHaveLength(1)
    }
  })
})

describe.each(expressVersions)('Express $version', ({ express }) => {
  test('sees no token anywhere: handlers, loggers before and after, the router, the query', async () => {
    const sessions = createSessions<Data>({ transports: [cookie(), url()], initial: () => ({ visits: 0 }) })
    const app = express()
    const logged: string[] = []
    const look = (req: Request): void => {
      logged.push(
        JSON.stringify([req.url, req.originalUrl, req.path, req.query, req.headers.referer, req.rawHeaders, 'baseUrl', req.baseUrl]),
      )
      for (const [name, value] of Object.entries(req)) if (/url/i.test(name)) logged.push(JSON.stringify(value) ?? '')
    }
    // As an access log does, which writes its line when the answer is out.
    app.use((req, res, next) => {
      res.on('finish', () => look(req))
      next()
    })
    app.use(expressSession(sessions))
    app.use((req, _res, next) => {
      look(req)
      next()
    })
    const shop = express.Router()
    shop.post('/visit', (req, res) => {
      sessions.of(req).data.visits++
      res.redirect(303, (res.locals['sessionUrl'] as (to: string) => string)('/shop/cart?x=1'))
    })
    shop.get('/cart', (req, res) => {
      look(req)
      res.json([req.query, sessions.of(req).data.visits, sessions.of(req).transport])
    })
    app.use('/shop', shop)
    const server = await listen(app)
    onTestFinished(async () => {
      await server.close()
      await sessions.close()
    })
    const visitor = new Wanderer(server.url)
    await visitor.go('POST', '/shop/visit')
    expect(visitor.at).toMatch(/^\/shop\/cart;sid=[\w-]{48}\?x=1$/)
    const token = tokenIn(visitor.at)
    expect(await (await visitor.go('GET', visitor.at)).json()).toEqual([{ x: '1' }, 1, 'url'])
    expect(logged.length).toBeGreaterThan(6)
    expect(logged.join('\n')).not.toContain(token.slice(16))
    expect(logged.join('\n')).not.toContain('sid=')
  })

  test('mounted on a path sees the sessions of links to that very path', async () => {
    const sessions = createSessions<Data>({ transports: [cookie(), url({ path: '/shop' })], initial: () => ({ visits: 0 }) })
    const app = express()
    app.use('/shop', expressSession(sessions), (req, res) => {
      sessions.of(req).data.visits++
      res.json([req.originalUrl, req.url, sessions.of(req).data.visits, sessions.of(req).url('/shop?x=1')])
    })
    const server = await listen(app)
    onTestFinished(async () => {
      await server.close()
      await sessions.close()
    })
    const visitor = new Wanderer(server.url)
    const [, , , link] = (await (await visitor.go('GET', '/shop')).json()) as string[]
    expect(link).toMatch(/^\/shop\/;sid=[\w-]{48}\?x=1$/)
    expect(await (await visitor.go('GET', link!)).json()).toEqual(['/shop/?x=1', '/?x=1', 2, link])
  })

  test('has no view helper where there are no URLs to write', async () => {
    const sessions = createSessions()
    const app = express()
    app.use(expressSession(sessions))
    app.get('/', (req, res) => void res.json([Object.keys(res.locals), sessions.of(req).url('/cart')]))
    const server = await listen(app)
    onTestFinished(() => server.close())
    expect(await (await fetch(server.url)).json()).toEqual([[], '/cart'])
  })

  test('sees no token in a request that was refused for coming from another site', async () => {
    const sessions = createSessions({ transports: [cookie(), url()] })
    const app = express()
    app.set('env', 'test')
    app.use(expressSession(sessions))
    const logged: string[] = []
    app.use((error: Error, req: Request, res: ExpressResponse, _next: NextFunction) => {
      logged.push(req.url, req.originalUrl)
      res.status(403).end(error.name)
    })
    const server = await listen(app)
    onTestFinished(() => server.close())
    const headers = { origin: 'https://evil.example', 'sec-fetch-site': 'cross-site' }
    const answer = await fetch(`${server.url}/cart;sid=${'a'.repeat(48)}`, { method: 'POST', headers })
    expect([answer.status, answer.headers.get('referrer-policy'), logged]).toEqual([403, 'no-referrer', ['/cart', '/cart']])
  })

  test('sees no token in a request that came after the sessions were closed', async () => {
    const sessions = createSessions({ transports: [cookie(), url()] })
    const app = express()
    app.set('env', 'test')
    app.use(expressSession(sessions))
    const logged: string[] = []
    app.use((error: SojournError, req: Request, res: ExpressResponse, _next: NextFunction) => {
      logged.push(error.code, req.url, req.originalUrl)
      res.status(error.status).end()
    })
    const server = await listen(app)
    onTestFinished(() => server.close())
    await sessions.close()
    const answer = await fetch(`${server.url}/cart;sid=${'a'.repeat(48)}`)
    expect([answer.headers.get('referrer-policy'), logged]).toEqual(['no-referrer', ['ERR_SOJOURN_CLOSED', '/cart', '/cart']])
  })

  test('guards the address on an error page as well', async () => {
    const store = new Failing(memory())
    store.isAway = true
    const sessions = createSessions({ transports: [cookie(), url()], store })
    sessions.on('error', () => {})
    const app = express()
    app.set('env', 'test')
    app.use(expressSession(sessions))
    const server = await listen(app)
    onTestFinished(() => server.close())
    const answer = await fetch(`${server.url}/;sid=${'a'.repeat(48)}`)
    expect([answer.status, answer.headers.get('referrer-policy')]).toEqual([503, 'no-referrer'])
  })
})

test('over http2 the token is taken out of the pseudo-header too', async () => {
  const sessions = createSessions<Data>({ transports: [url()], initial: () => ({ visits: 0 }) })
  const server = await listen(
    withSession(sessions, (req, res, session) => {
      session.data.visits++
      res.end(JSON.stringify({ seen: [req.url, req.headers, req.rawHeaders], link: session.url('/x'), visits: session.data.visits }))
    }),
    { http2: true },
  )
  onTestFinished(async () => {
    await server.close()
    await sessions.close()
  })
  const over = connect(`http://127.0.0.1:${server.port}`)
  onTestFinished(() => over.destroy())
  const get = async (path: string): Promise<{ seen: unknown; link: string; visits: number }> => {
    const stream = over.request({ ':path': path, 'user-agent': 'h2' })
    let text = ''
    for await (const part of stream) text += String(part)
    return JSON.parse(text) as { seen: unknown; link: string; visits: number }
  }
  const { link } = await get('/')
  const second = await get(link)
  expect(second.visits).toBe(2)
  expect(JSON.stringify(second.seen)).not.toContain('sid=')
})

describe('by hand', () => {
  test('a Fetch request is opened by its URL, and answered with the headers that go with it', async () => {
    const sessions = createSessions<Data>({ transports: [cookie(), url()], initial: () => ({ visits: 0 }) })
    const open = (target: string) => sessions.open(new globalThis.Request(`https://shop.example${target}`, { headers: agent }))
    const first = await open('/')
    first.data.visits++
    const link = first.url('/cart')
    expect(first.url('https://shop.example/cart')).toBe(`https://shop.example${link}`)
    expect(first.url('http://shop.example/cart'), 'another origin').toBe('http://shop.example/cart')
    // What docs/transports.md has for routers, since a Fetch request can't be changed.
    expect(new URL(link, 'https://shop.example').pathname.replace(/;sid=[^;/]*/g, '')).toBe('/cart')
    const headers = await first.commit()
    expect([headers.get('referrer-policy'), headers.getSetCookie()[0]?.slice(0, 11)]).toEqual(['no-referrer', '__Host-sid='])
    const second = await open(link)
    expect([second.transport, second.data.visits]).toEqual(['url', 1])
    const more = await second.commit()
    expect([more.get('referrer-policy'), more.get('cache-control'), more.getSetCookie()]).toEqual(['no-referrer', 'no-store', []])
  })
})

test('by hand a Node request is opened once: the second time its token is gone', async () => {
  const sessions = createSessions<Data>({ transports: [url()], initial: () => ({ visits: 0 }) })
  const first = await sessions.open({ url: '/', headers: {}, socket: {} })
  first.data.visits++
  const request = { url: first.url('/cart'), headers: {}, socket: {} }
  await first.commit()
  expect([(await sessions.open(request)).isNew, request.url, (await sessions.open(request)).isNew]).toEqual([false, '/cart', true])
})

describe('a link is rewritten', () => {
  const token = 'a'.repeat(48)
  const on = (to: string, options: UrlOptions = {}, { host = 'shop.example', secure = false } = {}) =>
    url(options).rewrite!(requestOf({ secure, headers: { host }, url: '/goods/list?page=2' }), to, token).replace(token, 'TOKEN')

  test.each([
    ['/cart', '/cart;sid=TOKEN'],
    ['/', '/;sid=TOKEN'],
    ['/cart?x=1#y', '/cart;sid=TOKEN?x=1#y'],
    ['/cart#y?z', '/cart;sid=TOKEN#y?z'],
    ['/cart?', '/cart;sid=TOKEN?'],
    ['/a/b/', '/a/b/;sid=TOKEN'],
    ['/cart;x=1', '/cart;x=1;sid=TOKEN'],
    [`/cart;sid=${'b'.repeat(48)}?x`, '/cart;sid=TOKEN?x'],
    ['/cart;sid=', '/cart;sid=TOKEN'],
    ['next', 'next;sid=TOKEN'],
    ['./next?x', './next;sid=TOKEN?x'],
    ['../next', '../next;sid=TOKEN'],
    ['http://shop.example/cart?x', 'http://shop.example/cart;sid=TOKEN?x'],
    ['HTTP://SHOP.EXAMPLE/cart', 'http://shop.example/cart;sid=TOKEN'],
    ['http://shop.example', 'http://shop.example/;sid=TOKEN'],
    ['http://shop.example?x', 'http://shop.example/;sid=TOKEN?x'],
    ['//shop.example/cart', 'http://shop.example/cart;sid=TOKEN'],
    ['/a/..', '/;sid=TOKEN'],
    ['..', '/;sid=TOKEN'],
    ['.?x#y', '/goods/;sid=TOKEN?x#y'],
    ['/search/red mug', '/search/red%20mug;sid=TOKEN'],
    ['/search/"red"?q=a b', '/search/%22red%22;sid=TOKEN?q=a%20b'],
    ['http:cart', '/goods/cart;sid=TOKEN'],
    [' /cart', '/cart;sid=TOKEN'],
    ['/cart;sid\n=x', '/cart;sid=TOKEN'],
    // No path that a browser would take for a host.
    ['/.//evil.example/ x', '/.//evil.example/%20x;sid=TOKEN'],
    ['/;si\nd=x/evil.example', '/.//evil.example;sid=TOKEN'],
    [`/cart%3Bsid=${'b'.repeat(48)}?x`, '/cart;sid=TOKEN?x'],
  ])('%j becomes %j', (to, written) => {
    expect(on(to)).toBe(written)
  })

  test.each([
    '',
    '?page=3',
    '#top',
    '//evil.example/cart',
    '/\\evil.example/cart',
    '\\\\evil.example',
    '/\t/evil.example',
    'https://shop.example/cart',
    'http://shop.example:81/cart',
    'http://shop.example.evil.example/',
    'http://shop.example@evil.example/',
    'http://ada:pw@shop.example/cart',
    'https:evil.example',
    'javascript:alert(1)',
    'mailto:ada@shop.example',
    'data:text/html,x',
    'http://[',
  ])('%j stays as it is', (to) => {
    expect(on(to)).toBe(to)
  })

  test('within the path of the application alone', () => {
    const below = (to: string) => on(to, { path: '/goods' })
    expect(['/goods', '/goods/1', 'more', 'http://shop.example/goods/1'].map(below)).toEqual([
      '/goods/;sid=TOKEN',
      '/goods/1;sid=TOKEN',
      'more;sid=TOKEN',
      'http://shop.example/goods/1;sid=TOKEN',
    ])
    for (const to of ['/', '/blog', '/goodsandmore', '/goods/../blog', '../blog', '/goods/%2e%2e/blog']) expect(below(to)).toBe(to)
  })

  test('to the place where the application is mounted with a slash, by which it is found there', () => {
    const at = (to: string) => on(to, { path: '/goods' })
    expect(['/goods', '/goods?x#y', '/goods/', '.', '../goods', 'http://shop.example/goods?x'].map(at)).toEqual([
      '/goods/;sid=TOKEN',
      '/goods/;sid=TOKEN?x#y',
      '/goods/;sid=TOKEN',
      '/goods/;sid=TOKEN',
      '../goods/;sid=TOKEN',
      'http://shop.example/goods/;sid=TOKEN?x',
    ])
  })

  test('on no host but one that it names itself, whatever the client wrote into Host', () => {
    for (const host of ['evil.example', 'unknown.invalid', '10.0.0.1:8080'])
      for (const to of ['/search/red mug', '..', '/a/./..', '\t/cart', '/cart;sid\n=x', '/a\\b', 'http:cart'])
        expect(on(to, {}, { host }), `${JSON.stringify(to)} on ${host}`).toMatch(/^\/(?!\/)[^:]*;sid=TOKEN$/)
  })

  test('on https by https', () => {
    expect(on('https://shop.example/cart', {}, { secure: true })).toBe('https://shop.example/cart;sid=TOKEN')
  })

  test('by its path alone where the host is not known, or is none', () => {
    for (const host of ['', 'a b', 'x/y', '[']) {
      expect(on('/cart', {}, { host })).toBe('/cart;sid=TOKEN')
      expect(on('http://shop.example/cart', {}, { host })).toBe('http://shop.example/cart')
    }
  })

  test('under a name of the application’s choice', () => {
    expect(on('/cart', { name: 'visit' })).toBe('/cart;visit=TOKEN')
  })
})

describe('options that can not be are refused', () => {
  const refused = expect.objectContaining({ code: 'ERR_SOJOURN_OPTION' })
  test.each(['', '1a', 'a b', 'a=b', 'a;b', 'é', 'a'.repeat(65), 7, null])('the name %j', (name) => {
    expect(() => url({ name: name as string })).toThrow(refused)
  })
  test.each(['', 'shop', '/a b', '/a?b', '/a#b', '//shop', '/a/../b', '/a;b', '/é', 7, null])('the path %j', (path) => {
    expect(() => url({ path: path as string })).toThrow(refused)
  })
  test('what is none', () => {
    expect(() => url({ nam: 'x' } as UrlOptions)).toThrow(/url\.nam is no option/)
  })
  test.each([[[]], [[cookie(), cookie()]], [[{}]], [['cookie']], [null], ['cookie'], [{ name: 'cookie' }]])(
    'transports: %j',
    (transports) => {
      expect(() => createSessions({ transports: transports as never })).toThrow(refused)
    },
  )
  test('a cookie option beside transports, which would go unheard', () => {
    expect(() => createSessions({ cookie: { name: 'x' }, transports: [url()] })).toThrow(/transports: \[cookie\(/)
  })
})
