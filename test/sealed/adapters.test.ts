import { EventEmitter, once } from 'node:events'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { connect } from 'node:http2'
import { setTimeout as delay } from 'node:timers/promises'
import { describe, expect, onTestFinished, test } from 'vitest'
import fastify from 'fastify'
import { session as express } from '../../src/adapters/express.ts'
import { session as fastifySession } from '../../src/adapters/fastify.ts'
import { withSession } from '../../src/adapters/node.ts'
import type { SealedSession, SealedSessions } from '../../src/sealed.ts'
import { memory } from '../../src/stores/memory.ts'
import { DelayedStore } from '../core/delayed-store.ts'
import { expressVersions } from '../adapters/express-application.ts'
import { listenerOf } from '../adapters/fastify-application.ts'
import { listen } from '../adapters/server.ts'
import { type Data, Jar, newKey, site, text } from './site.ts'

type Handler = (session: SealedSession<Data>, req: IncomingMessage, res: ServerResponse) => unknown
type Listener = (req: IncomingMessage, res: ServerResponse) => void

const shop: Handler = async (session, req, res) => {
  const [, what, value = ''] = req.url!.split('/')
  if (what === 'add') session.data.cart.push(value)
  else if (what === 'note') session.data.note = text(Number(value))
  else if (what === 'login') await session.login(value)
  else if (what === 'logout') await session.logout()
  else if (what === 'health') return void res.end('well')
  res.end(JSON.stringify({ userId: session.userId, cart: session.data.cart, note: session.data.note.length }))
}

const adapters: [name: string, mount: (sessions: SealedSessions<Data>, handler: Handler) => Listener][] = [
  ['Node', (sessions, handler) => withSession(sessions, (req, res, session) => handler(session, req, res))],
  ...expressVersions.map(({ version, express: make }): (typeof adapters)[number] => [
    `Express ${version}`,
    (sessions, handler) => {
      const app = make()
      app.set('env', 'test')
      app.set('trust proxy', 'loopback')
      app.use(express(sessions))
      app.use((req, res, next) => {
        Promise.resolve(handler(sessions.of(req), req, res)).catch(next)
      })
      return app
    },
  ]),
  [
    'Fastify 5',
    (sessions, handler) => {
      const app = fastify({ trustProxy: 'loopback' })
      void app.register(fastifySession, { sessions })
      app.all('/*', async (request, reply) => {
        await handler(sessions.of(request), request.raw, reply.raw)
        return reply
      })
      return listenerOf(app)
    },
  ],
  [
    'by hand',
    (sessions, handler) => (req, res) => {
      const answer = async (): Promise<void> => {
        const session = await sessions.open(req)
        const body: string[] = []
        await handler(session, req, { end: (part: string) => void body.push(part) } as unknown as ServerResponse)
        for (const [name, value] of await session.commit()) res.appendHeader(name, value)
        res.end(body.join(''))
      }
      answer().catch((error: { status: number }) => {
        res.statusCode = error.status
        res.end()
      })
    },
  ],
]

/** A browser on the wire. */
async function browse(listener: Listener) {
  const server = await listen(listener)
  onTestFinished(() => server.close())
  const jar = new Jar()
  const ask = async (path: string, headers: Record<string, string> = {}) => {
    const response = await fetch(server.url + path, { method: 'POST', headers: { cookie: jar.header, ...headers } })
    jar.take(response.headers)
    const body = await response.text()
    return { status: response.status, body, headers: response.headers, seen: () => JSON.parse(body) as unknown }
  }
  return { jar, ask, server }
}

const lists: [name: string, list: () => object][] = [
  ['no list', () => ({})],
  ['a list that answers at once', () => ({ revocations: memory() })],
  ['a list that answers later', () => ({ revocations: new DelayedStore() })],
]
const rows = adapters.flatMap(([adapter, mount]) => lists.map(([list, options]) => ({ adapter, mount, list, options })))

describe.each(rows)('over $adapter, with $list', ({ mount, options }) => {
  const start = async (more: object = {}) => {
    const at = site({ ...options(), ...more })
    onTestFinished(() => at.sessions.close())
    return { ...at, ...(await browse(mount(at.sessions, shop))) }
  }

  test('a visitor fills a cart, logs in and out', async () => {
    const { ask, jar } = await start()
    expect((await ask('/')).seen()).toEqual({ userId: null, cart: [], note: 0 })
    expect(jar.setCookies).toEqual([])
    await ask('/add/tea')
    await ask('/add/mug')
    await ask('/login/ada')
    expect((await ask('/')).seen()).toEqual({ userId: 'ada', cart: ['tea', 'mug'], note: 0 })
    expect([...jar.cookies.keys()]).toEqual(['sid'])
    await ask('/logout')
    expect(jar.header).toBe('')
    expect((await ask('/')).seen()).toEqual({ userId: null, cart: [], note: 0 })
  })

  test('what another site sends is answered 403, and seals nothing, unless that site is trusted', async () => {
    const evil = { origin: 'https://evil.example', 'sec-fetch-site': 'cross-site' }
    const { ask, jar } = await start()
    await ask('/add/tea')
    expect((await ask('/add/mug', evil)).status).toBe(403)
    expect(jar.setCookies).toEqual([])
    expect((await ask('/')).seen()).toMatchObject({ cart: ['tea'] })
    const trusting = await start({ crossOrigin: { trusted: [evil.origin] } })
    expect((await trusting.ask('/add/mug', evil)).status).toBe(200)
  })

  test('what needs more than a cookie takes two, and gives the second back when it shrinks and at logout', async () => {
    const { ask, jar } = await start()
    await ask('/note/4000')
    expect([...jar.cookies.keys()]).toEqual(['sid', 'sid.1'])
    expect((await ask('/')).seen()).toMatchObject({ note: 4000 })
    await ask('/note/10')
    expect(jar.setCookies.map((line) => line.split(';', 2).join(';'))).toEqual([
      expect.stringMatching(/^sid=1[\w-]+; Path=/),
      'sid.1=; Max-Age=0',
    ])
    expect((await ask('/')).seen()).toMatchObject({ note: 10 })

    await ask('/note/4000')
    await ask('/logout')
    expect(jar.setCookies.map((line) => line.split('=')[0])).toEqual(['sid', 'sid.1'])
    expect(jar.header).toBe('')
  })

  test('what needs more than there is room for is an error, and the session is as before', async () => {
    const { ask, jar } = await start()
    await ask('/add/tea')
    const before = jar.header
    expect((await ask('/note/9000')).status).toBe(500)
    expect([jar.setCookies, jar.header]).toEqual([[], before])
    expect((await ask('/')).seen()).toEqual({ userId: null, cart: ['tea'], note: 0 })
  })

  test('what is sent with the cookie, or was made of the session, is kept by no shared cache', async () => {
    const { ask } = await start()
    expect((await ask('/add/tea')).headers.get('cache-control')).toBe('no-store')
    expect((await ask('/')).headers.get('cache-control')).toBe('private')
    expect((await ask('/health')).headers.get('cache-control')).toBeNull()
  })

  test('a cookie that is there twice, and a seal from plain http over https, open nothing', async () => {
    const { ask, jar, sessions } = await start({ trustProxy: true })
    await ask('/add/tea')
    const [, value] = jar.header.split('=') as [string, string]
    const cart = async (cookie: string, proto = 'http') => (await ask('/', { cookie, 'x-forwarded-proto': proto })).seen()
    expect(await cart(jar.header)).toMatchObject({ cart: ['tea'] })
    expect(await cart(`${jar.header}; ${jar.header}`)).toMatchObject({ cart: [] })
    expect(await cart(`__Host-sid=${value}`, 'https')).toMatchObject({ cart: [] })

    const over = await sessions.open({ url: 'https://localhost/', headers: new Headers() })
    over.data.cart.push('milk')
    const secure = new Jar()
    secure.take(await over.commit())
    expect(secure.setCookies[0]).toMatch(/^__Host-sid=.*; Secure$/)
    expect(await cart(secure.header, 'https')).toMatchObject({ cart: ['milk'] })
    expect(await cart(secure.header.replace('__Host-', ''))).toMatchObject({ cart: [] })
  })
})

describe.each(adapters.filter(([name]) => name !== 'by hand'))('over %s', (_name, mount) => {
  test('two requests at once: the one whose answer comes last wins, as the documentation says', async () => {
    const { sessions } = site()
    const { ask } = await browse(
      mount(sessions, async (session, req, res) => {
        const cart = [...session.data.cart]
        if (req.url === '/slow') await delay(60)
        if (req.url !== '/') session.data.cart.push(req.url!)
        res.end(JSON.stringify(cart))
      }),
    )
    await ask('/first')
    await Promise.all([ask('/slow'), ask('/quick')])
    expect((await ask('/')).seen()).toEqual(['/first', '/slow'])
  })

  test('cookies of the application stay beside those of the session', async () => {
    const { sessions } = site()
    const { ask, jar } = await browse(
      mount(sessions, ({ data }, _req, res) => {
        data.note = text(4000)
        res.setHeader('Set-Cookie', ['theme=dark; Path=/', 'lang=eo; Path=/'])
        res.end()
      }),
    )
    await ask('/')
    expect([...jar.cookies.keys()]).toEqual(['theme', 'lang', 'sid', 'sid.1'])
  })

  test('a list that can not be read is answered by 503, and a request without a session is served', async () => {
    const list = new DelayedStore()
    const { sessions } = site({ revocations: list })
    const { ask, jar } = await browse(mount(sessions, shop))
    await ask('/login/ada')
    list.get = () => Promise.reject(new Error('connection lost'))
    const { status, headers, body } = await ask('/')
    expect([status, headers.get('retry-after')]).toEqual([503, '1'])
    expect(body).not.toContain('ada')
    jar.cookies.clear()
    expect((await ask('/')).status).toBe(200)
  })

  test('a write by a request whose session was logged out meanwhile is answered by 409, and sets no cookie', async () => {
    const { sessions } = site({ revocations: memory() })
    const gate = new EventEmitter()
    const { ask, jar } = await browse(
      mount(sessions, async (session, req, res) => {
        if (req.url !== '/slow') return await shop(session, req, res)
        session.data.cart.push('slow')
        gate.emit('arrived')
        await once(gate, 'go on')
        return res.end()
      }),
    )
    await ask('/login/ada')
    const arrived = once(gate, 'arrived')
    const slow = ask('/slow')
    await arrived
    await ask('/logout')
    gate.emit('go on')
    expect((await slow).status).toBe(409)
    expect([jar.setCookies, jar.header]).toEqual([[], ''])
  })

  test('a change after the head is told of, and a login or logout there is an error', async () => {
    const { sessions, told } = site()
    const codes: unknown[] = []
    const code = (error: { code: string }): void => void codes.push(error.code)
    const { ask } = await browse(
      mount(sessions, async (session, _req, res) => {
        const { data } = session
        res.write('o')
        data.cart.push('late')
        await session.login('ada').catch(code)
        await session.logout().catch(code)
        res.end('k')
      }),
    )
    expect((await ask('/')).body).toBe('ok')
    await sessions.close()
    expect(codes).toEqual(['ERR_SOJOURN_LATE_CHANGE', 'ERR_SOJOURN_LATE_CHANGE'])
    expect(told('error')).toMatchObject([
      { error: { code: 'ERR_SOJOURN_LATE_CHANGE', message: expect.not.stringContaining('save()') as string } },
    ])
  })

  test('a public answer takes no seal with it for a use alone, and is public no more where data were changed', async () => {
    const { sessions, clock } = site()
    const { ask, jar } = await browse(
      mount(sessions, (session, req, res) => {
        if (req.url === '/change') session.data.visits += 1
        res.setHeader('Cache-Control', 'public, max-age=60')
        res.end()
      }),
    )
    expect((await ask('/change')).headers.get('cache-control')).toBe('no-store')
    clock.advance(10 * 60_000)
    expect((await ask('/')).headers.get('cache-control')).toBe('public, max-age=60')
    expect(jar.setCookies).toEqual([])
  })
})

test('over http2, where a browser may send each cookie in a header of its own, chunks are found', async () => {
  const { sessions } = site()
  const server = await listen(
    withSession(sessions, (req, res, session) => void shop(session, req, res)),
    { http2: true },
  )
  onTestFinished(() => server.close())
  const jar = new Jar()
  const over = connect(`http://127.0.0.1:${server.port}`)
  const ask = async (path: string): Promise<unknown> => {
    const stream = over.request({ ':path': path, cookie: [...jar.cookies].map(([name, value]) => `${name}=${value}`) })
    const [headers] = (await once(stream, 'response')) as [{ 'set-cookie'?: string[] }]
    const parts: Buffer[] = []
    for await (const part of stream) parts.push(part as Buffer)
    jar.take(new Headers((headers['set-cookie'] ?? []).map((line): [string, string] => ['set-cookie', line])))
    return JSON.parse(Buffer.concat(parts).toString())
  }
  await ask('/note/4000')
  expect([...jar.cookies.keys()]).toEqual(['sid', 'sid.1'])
  expect(await ask('/')).toMatchObject({ note: 4000 })
  over.close()
})

test('what is no session of either kind is no thing for an adapter', () => {
  for (const mount of [
    () => withSession({} as SealedSessions<Data>, () => {}),
    () => express({ ...site().sessions, keys: [newKey()] } as never),
  ])
    expect(mount).toThrow(/needs what createSessions\(\) or sealed\(\) returned/)
})
