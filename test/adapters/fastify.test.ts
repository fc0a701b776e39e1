import { once } from 'node:events'
import { type IncomingMessage, ServerResponse } from 'node:http'
import { type AddressInfo, connect, type Socket } from 'node:net'
import fastify, { type FastifyInstance } from 'fastify'
import { describe, expect, onTestFinished, test } from 'vitest'
import { WebSocket, WebSocketServer } from 'ws'
import { rewriteUrl, session } from '../../src/adapters/fastify.ts'
import type { SojournError } from '../../src/core/errors.ts'
import { createSessions } from '../../src/sessions.ts'
import { cookie } from '../../src/transports/cookie.ts'
import { url } from '../../src/transports/url.ts'
import { cookieFor } from '../../src/testing/cookie-for.ts'
import { sids } from './express-application.ts'
import { application, fastifyRows, sessionOf } from './fastify-application.ts'
import { type Data, told } from './site.ts'
import { valueOf, valuesOf } from './wire.ts'

/** The session as a handler finds it on the request. */
const kindOf = (request: object): string => ('session' in request && request.session !== null ? typeof request.session : 'none')

describe.each(fastifyRows)('on a store that answers $answers', (row) => {
  test('request.session, sessions.of(request) and sessions.of(request.raw) are the same object', async () => {
    const { ask } = await application(row, async (app, sessions) => {
      await app.register(session, { sessions })
      app.get('/', (request) => {
        const mine = sessions.of(request)
        return [sessionOf(request) === mine, sessions.of(request.raw) === mine, request.getDecorator('session') === mine]
      })
    })

    expect((await ask()).body.toString()).toBe('[true,true,true]')
  })

  test('hooks, contexts and routes that come after the plugin have the session, those before it have none', async () => {
    const { ask } = await application(row, async (app, sessions) => {
      const seen: string[] = []
      app.addHook('onRequest', async (request) => void seen.push(`before ${kindOf(request)}`))
      await app.register(session, { sessions })
      app.addHook('onRequest', async (request) => void seen.push(`after ${kindOf(request)}`))
      app.addHook('preHandler', async (request) => void (sessions.of(request).data.count += 1))
      await app.register(
        async (shop) => {
          await shop.register(async (inner) => void inner.get('/cart', (request) => [...seen, sessions.of(request).data.count]))
        },
        { prefix: '/shop' },
      )
    })

    expect((await ask({ path: '/shop/cart' })).body.toString()).toBe('["before none","after object",1]')
  })

  test('registered in a context, it is of that context alone', async () => {
    const { ask, store } = await application(row, async (app, sessions) => {
      await app.register(async (shop) => {
        await shop.register(session, { sessions })
        shop.get('/shop', (request) => String((sessions.of(request).data.count += 1)))
      })
      app.get('/health', (request) => kindOf(request))
    })

    expect((await ask({ path: '/health' })).body.toString()).toBe('none')
    const answer = await ask({ path: '/shop' })
    expect([answer.body.toString(), sids(answer).length, store.acknowledged.size]).toEqual(['1', 1, 1])
  })

  test('registered twice, it opens one session and commits once', async () => {
    const { ask, store } = await application(row, async (app, sessions) => {
      await app.register(session, { sessions })
      app.addHook('onRequest', async (request) => void (sessions.of(request).data.count += 1))
      await app.register(async (shop) => {
        await shop.register(session, { sessions })
        shop.get('/', (request) => String((sessions.of(request).data.count += 1)))
      })
    })

    const answer = await ask()
    expect([answer.body.toString(), sids(answer).length, store.acknowledged.size]).toEqual(['2', 1, 1])
  })

  test('two managers on one application each have their session and their cookie; request.session is the first', async () => {
    const admin = createSessions<Data>({ initial: () => ({ count: 100 }), cookie: { name: 'admin' } })
    onTestFinished(() => admin.close())
    const { ask } = await application(row, async (app, sessions) => {
      await app.register(session, { sessions })
      await app.register(session, { sessions: admin })
      app.get('/', (request) => {
        sessions.of(request).data.count += 1
        admin.of(request).data.count += 1
        return [sessions.of(request).data.count, admin.of(request).data.count, sessionOf(request) === sessions.of(request)]
      })
    })

    const first = await ask()
    expect(first.body.toString()).toBe('[1,101,true]')
    const cookies = valuesOf(first.headers, 'set-cookie')
    expect(cookies).toEqual([expect.stringMatching(/^sid=[\w-]{48};/), expect.stringMatching(/^admin=[\w-]{48};/)])
    const cookie = cookies.map((value) => value.slice(0, value.indexOf(';'))).join('; ')
    expect((await ask({ cookie })).body.toString()).toBe('[2,102,true]')
  })

  test.each([
    { how: 'throws', get: () => { throw new Error('gone fishing') } }, // prettier-ignore
    { how: 'rejects', get: () => Promise.reject(new Error('gone fishing')) },
  ])('a store that $how when the session is opened is an error that Fastify answers 503 with Retry-After', async ({ get }) => {
    const { ask, store } = await application(row, async (app, sessions) => {
      await app.register(session, { sessions })
      app.get('/', () => 'served')
    })
    store.get = get

    const { status, headers, body } = await ask({ cookie: `sid=${'a'.repeat(48)}` })
    expect([status, valueOf(headers, 'retry-after')]).toEqual([503, '1'])
    expect(body.toString()).toContain('ERR_SOJOURN_STORE')
    expect(body.toString(), 'what the store said is nobody else’s business').not.toContain('gone fishing')
    expect((await ask()).body.toString(), 'who brings no cookie is served').toBe('served')
  })

  test("the application's error handler gets what the session can't do, with its code and status", async () => {
    const { ask, store } = await application(row, async (app, sessions) => {
      await app.register(session, { sessions })
      app.setErrorHandler((error: SojournError, _request, reply) => reply.code(error.status).send(error.code))
      app.post('/', () => 'served')
    })
    expect((await ask({ method: 'POST', headers: { origin: 'https://evil.example' } })).body.toString()).toBe('ERR_SOJOURN_CROSS_ORIGIN')
    store.get = () => Promise.reject(new Error('gone fishing'))

    const { status, body } = await ask({ method: 'POST', cookie: `sid=${'a'.repeat(48)}` })
    expect([status, body.toString()]).toEqual([503, 'ERR_SOJOURN_STORE'])
  })

  test('a write to a session that ended meanwhile is a 409 in either way; a read passes', async () => {
    const { ask, sessions } = await application(row, async (app, sessions) => {
      await app.register(session, { sessions })
      app.post('/update', async (request) => {
        const mine = sessions.of(request)
        await sessions.end(mine.id ?? '')
        await mine.update((data) => void (data.count += 1))
        return 'done'
      })
      app.all('/change', async (request) => {
        const mine = sessions.of(request)
        mine.data.count += 1
        await sessions.end(mine.id ?? '')
        return 'done'
      })
    })

    const statusOf = async (method: string, path: string) =>
      (await ask({ method, path, cookie: await cookieFor(sessions, { data: { count: 1 } }) })).status
    expect([await statusOf('POST', '/update'), await statusOf('POST', '/change'), await statusOf('GET', '/change')]).toEqual([
      409, 409, 200,
    ])
  })

  test('the option answerError answers in place of the handler', async () => {
    const { ask, store } = await application(row, async (app, sessions) => {
      await app.register(session, {
        sessions,
        answerError: (error, req, res) => void res.setHeader('Content-Type', 'application/json').end(JSON.stringify([error.code, req.url])),
      })
      app.get('/cart', (request) => String((sessions.of(request).data.count += 1)))
    })
    store.broken = true

    const { status, headers, body } = await ask({ path: '/cart' })
    expect([status, body.toString()]).toEqual([503, '["ERR_SOJOURN_STORE","/cart"]'])
    expect(valueOf(headers, 'content-type')).toBe('application/json')
  })

  test('onResponse hooks see the status that went out when the commit failed', async () => {
    const seen: number[] = []
    const { ask, store } = await application(row, async (app, sessions) => {
      await app.register(session, { sessions })
      app.addHook('onResponse', async (_request, reply) => void seen.push(reply.statusCode))
      app.get('/', (request) => String((sessions.of(request).data.count += 1)))
    })
    store.broken = true
    expect((await ask()).status).toBe(503)
    await expect.poll(() => seen).toEqual([503])
  })

  test('commitOnServerError: false leaves out the changes of a request that ended in the error handler', async () => {
    const { ask, store } = await application(row, async (app, sessions) => {
      await app.register(session, { sessions, commitOnServerError: false })
      app.get('/', (request) => {
        sessions.of(request).data.count += 1
        throw new RangeError('out of stock')
      })
    })

    const answer = await ask()
    expect([answer.status, sids(answer).length, store.acknowledged.size]).toEqual([500, 0, 0])
  })

  test('a body is parsed as ever, and its refusal commits what hooks changed', async () => {
    const { ask, store } = await application(row, async (app, sessions) => {
      await app.register(session, { sessions })
      app.addHook('preParsing', async (request) => void (sessions.of(request).data.count += 1))
      app.post('/', (request) => request.body)
    })
    const refused = await ask({ method: 'POST', headers: { 'content-type': 'application/json', 'content-length': '0' } })
    expect([refused.status, sids(refused).length, store.acknowledged.size]).toEqual([400, 1, 1])
  })

  test('inject() is served like a request from outside', async () => {
    const sessions = createSessions<Data>({ initial: () => ({ count: 0 }) })
    const app = fastify()
    onTestFinished(async () => {
      await app.close()
      await sessions.close()
    })
    await app.register(session, { sessions })
    app.get('/', (request) => String((sessions.of(request).data.count += 1)))

    const first = await app.inject('/')
    expect([first.body, first.cookies.length]).toEqual(['1', 1])
    const again = await app.inject({ url: '/', cookies: { sid: first.cookies[0]!.value } })
    expect([again.body, again.cookies]).toEqual(['2', []])
  })

  test('what was changed is committed before a stream begins, whose client goes amid it', async () => {
    const { port, store } = await application(row, async (app, sessions) => {
      await app.register(session, { sessions })
      app.get('/', (request, reply) => {
        sessions.of(request).data.count = 2
        reply.hijack()
        reply.raw.write('begun')
        const more = setInterval(() => reply.raw.write('more'), 2)
        reply.raw.on('close', () => clearInterval(more))
      })
    })
    const socket = connect(port, '127.0.0.1')
    socket.write('GET / HTTP/1.1\r\nHost: localhost\r\n\r\n')
    await once(socket, 'data')
    expect(store.acknowledged.size).toBe(1)
    socket.destroy()
  })

  test('a client that goes before the answer breaks nothing, and the change is committed', async () => {
    const begun = told<void>()
    const { port, store, errors } = await application(row, async (app, sessions) => {
      await app.register(session, { sessions })
      app.get('/', (request, reply) => {
        sessions.of(request).data.count = 1
        reply.raw.once('close', () => reply.send('to nobody'))
        begun.tell()
      })
    })
    const socket = connect(port, '127.0.0.1')
    socket.write('GET / HTTP/1.1\r\nHost: localhost\r\n\r\n')
    await begun.heard
    socket.destroy()
    await expect.poll(() => store.acknowledged.size).toBe(1)
    expect(errors).toEqual([])
  })
})

test('a response keeps its prototype, of which Node’s code is fast', async () => {
  const { ask } = await application({ delay: 0 }, async (app, sessions) => {
    await app.register(session, { sessions })
    app.get('/', (_request, reply) => String(Object.getPrototypeOf(reply.raw) === ServerResponse.prototype))
  })
  expect((await ask()).body.toString()).toBe('true')
})

test('another plugin that has request.session is told of, at the start', async () => {
  const app = fastify()
  const sessions = createSessions()
  app.decorateRequest('session', null)
  await expect(async () => await app.register(session, { sessions })).rejects.toThrow(/'session' has already been added/)
})

test('what is no sessions object is refused at the start', async () => {
  await expect(async () => await fastify().register(session, { sessions: {} as never })).rejects.toMatchObject({
    code: 'ERR_SOJOURN_OPTION',
  })
})

test('Fastify knows it by its name', async () => {
  const app = fastify()
  await app.register(session, { sessions: createSessions() })
  expect([app.hasPlugin('sojourn'), app.printPlugins()]).toEqual([true, expect.stringContaining('sojourn')])
})

test('an application that listens by itself serves sessions on all its addresses', async () => {
  const sessions = createSessions<Data>({ initial: () => ({ count: 0 }) })
  const app = fastify()
  onTestFinished(async () => {
    await app.close()
    await sessions.close()
  })
  await app.register(session, { sessions })
  app.get('/', (request) => String((sessions.of(request).data.count += 1)))
  await app.listen({ port: 0 })
  for (const { address, port, family } of app.addresses() as AddressInfo[]) {
    const response = await fetch(`http://${family === 'IPv6' ? `[${address}]` : address}:${port}/`)
    expect([await response.text(), response.headers.getSetCookie().length]).toEqual(['1', 1])
  }
})

describe('the handshake of a WebSocket', () => {
  /** As @fastify/websocket does: the handshake goes through Fastify's hooks and routes. */
  async function sockets(app: FastifyInstance): Promise<number> {
    const server = new WebSocketServer({ noServer: true })
    const heads = new WeakMap<IncomingMessage, Buffer>()
    app.server.on('upgrade', (req: IncomingMessage, socket: Socket, head: Buffer) => {
      heads.set(req, head)
      onTestFinished(() => void socket.destroy())
      const res = new ServerResponse(req)
      res.assignSocket(socket)
      app.routing(req, res)
    })
    app.get('/socket', (request, reply) => {
      reply.hijack()
      const mine = sessionOf(request)
      server.handleUpgrade(request.raw, request.raw.socket, heads.get(request.raw)!, (ws) => ws.send(String(mine.data.count)))
    })
    await app.listen({ port: 0, host: '127.0.0.1' })
    return (app.server.address() as AddressInfo).port
  }

  test('has its session, and one that a page of another site began is refused', async () => {
    const sessions = createSessions<Data>({ initial: () => ({ count: 0 }) })
    const app = fastify()
    onTestFinished(async () => {
      await app.close()
      await sessions.close()
    })
    await app.register(session, { sessions })
    const port = await sockets(app)
    const cookie = await cookieFor(sessions, { data: { count: 7 } })

    const socket = new WebSocket(`ws://127.0.0.1:${port}/socket`, { headers: { cookie } })
    const [message] = (await once(socket, 'message')) as [Buffer]
    expect(message.toString()).toBe('7')
    socket.terminate()

    const evil = new WebSocket(`ws://127.0.0.1:${port}/socket`, { headers: { cookie, origin: 'https://evil.example' } })
    const [error] = (await once(evil, 'error')) as [Error]
    expect(error.message).toBe('Unexpected server response: 403')
  })
})

describe('with sessions that travel in links', () => {
  const token = 'a'.repeat(48)

  /** An application that logs, and the lines of its log. */
  async function shop(more: (app: FastifyInstance) => void = () => {}, then?: (request: IncomingMessage) => string) {
    const log: string[] = []
    const sessions = createSessions<Data>({ transports: [cookie(), url()], initial: () => ({ count: 0 }) })
    const app = fastify({
      logger: { stream: { write: (line) => void log.push(line) } },
      rewriteUrl: rewriteUrl<IncomingMessage>(sessions, then),
    })
    await app.register(session, { sessions })
    app.post('/visit', (request, reply) => {
      sessions.of(request).data.count += 1
      return reply.redirect(sessions.of(request).url('/cart?x=1'), 303)
    })
    app.get('/cart', (request) => {
      const { data, transport } = sessions.of(request)
      return { count: data.count, transport, seen: [request.url, request.originalUrl, request.raw.url, request.query, request.params] }
    })
    more(app)
    onTestFinished(async () => {
      await app.close()
      await sessions.close()
    })
    return { url: await app.listen({ port: 0, host: '127.0.0.1' }), app, sessions, log }
  }

  test('the token is taken out before the router, the log and the handlers see it, and opens the session', async () => {
    const { url, app, log } = await shop()
    const agent = { 'user-agent': 'Mozilla/5.0 Lynx' }
    const visit = await fetch(`${url}/visit`, { method: 'POST', redirect: 'manual', headers: agent })
    const link = visit.headers.get('location')!
    expect(link).toMatch(/^\/cart;sid=[\w-]{48}\?x=1$/)

    const answer = await fetch(url + link, { headers: agent })
    const seen = ['/cart?x=1', '/cart?x=1', '/cart?x=1', { x: '1' }, {}]
    expect(await answer.json()).toEqual({ count: 1, transport: 'url', seen })
    expect([answer.headers.get('referrer-policy'), answer.headers.get('cache-control')]).toEqual(['no-referrer', 'no-store'])
    const injected = await app.inject({ url: link, headers: agent })
    expect([injected.statusCode, log.length > 0, log.join('').includes('sid=')]).toEqual([200, true, false])
  })

  test("the application's own rewriteUrl sees the URL without the token, and the session opens all the same", async () => {
    const given: unknown[] = []
    const { url } = await shop(
      () => {},
      (request) => {
        given.push(request.url)
        return request.url!.replace('/old', '/cart')
      },
    )
    const visit = await fetch(`${url}/visit`, { method: 'POST', redirect: 'manual' })
    const link = visit.headers.get('location')!.replace('/cart', '/old')
    expect(await (await fetch(url + link)).json()).toMatchObject({ count: 1, transport: 'url' })
    expect(given).toEqual(['/visit', '/old?x=1'])
  })

  test('no token is seen in a request that is refused, nor after the sessions were closed', async () => {
    const seen: unknown[] = []
    const { url, sessions, log } = await shop((app) =>
      app.setErrorHandler((error: SojournError, request, reply) => {
        seen.push(error.code, request.url, request.originalUrl)
        return reply.code(error.status).send('')
      }),
    )
    const headers = { origin: 'https://evil.example', 'sec-fetch-site': 'cross-site' }
    const refused = await fetch(`${url}/visit;sid=${token}`, { method: 'POST', headers })
    await sessions.close()
    const closed = await fetch(`${url}/cart;sid=${token}`)
    expect([refused.status, refused.headers.get('referrer-policy'), closed.status, closed.headers.get('referrer-policy')]).toEqual([
      403,
      'no-referrer',
      503,
      'no-referrer',
    ])
    expect(seen).toEqual(['ERR_SOJOURN_CROSS_ORIGIN', '/visit', '/visit', 'ERR_SOJOURN_CLOSED', '/cart', '/cart'])
    expect(log.join('')).not.toContain('sid=')
  })

  test('an application without rewriteUrl is told of it by the first request', async () => {
    const sessions = createSessions({ transports: [cookie(), url()] })
    const app = fastify()
    await app.register(session, { sessions })
    app.get('/', () => 'served')
    const { statusCode, body } = await app.inject('/')
    expect([statusCode, body]).toEqual([500, expect.stringContaining('rewriteUrl(sessions)')])
  })
})
