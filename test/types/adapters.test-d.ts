import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { createServer as createHttp2Server, createSecureServer, type Http2ServerRequest, type Http2ServerResponse } from 'node:http2'
import { createServer as createHttpsServer } from 'node:https'
import express, { type Request, type RequestHandler, type Response, Router } from 'express'
import fastify, { type FastifyPluginAsync, type FastifyRequest } from 'fastify'
import { expectTypeOf } from 'vitest'
import { session } from '../../src/adapters/express.ts'
import { rewriteUrl, session as fastifySession } from '../../src/adapters/fastify.ts'
import { type CommitOptions, withSession } from '../../src/adapters/node.ts'
import { createSessions, type Session, type SojournError } from '../../src/index.ts'

interface ShopData {
  cart: string[]
}

const sessions = createSessions<ShopData>({ initial: () => ({ cart: [] }) })

// Node's http and https.
const listener = withSession(sessions, (req, res, session) => {
  expectTypeOf(req).toEqualTypeOf<IncomingMessage>()
  expectTypeOf(res).toEqualTypeOf<ServerResponse>()
  expectTypeOf(session).toEqualTypeOf<Session<ShopData>>()
  expectTypeOf(sessions.of(req)).toEqualTypeOf<Session<ShopData>>()
  res.end(session.data.cart.join())
})
createServer(listener)
createHttpsServer({}, listener)
createServer(
  withSession(sessions, async (_req, res, session) => {
    await session.login('ada')
    res.end()
  }),
)
// @ts-expect-error no such property
withSession(sessions, (_req, _res, session) => session.data.basket)

// http2: the server's own type tells the handler's, or the handler names it.
createHttp2Server(
  withSession(sessions, (req, res, session) => {
    expectTypeOf(req).toEqualTypeOf<Http2ServerRequest>()
    expectTypeOf(res).toEqualTypeOf<Http2ServerResponse>()
    expectTypeOf(session).toEqualTypeOf<Session<ShopData>>()
  }),
)
const http2Listener = withSession(sessions, (req: Http2ServerRequest, res: Http2ServerResponse, session) => {
  expectTypeOf(session).toEqualTypeOf<Session<ShopData>>()
  expectTypeOf(sessions.of(req)).toEqualTypeOf<Session<ShopData>>()
  void res.stream.pushAllowed
  res.end(req.authority)
})
expectTypeOf(http2Listener).parameters.toEqualTypeOf<[req: Http2ServerRequest, res: Http2ServerResponse]>()
createHttp2Server(http2Listener)
createSecureServer({ allowHTTP1: true }, http2Listener)

// Options of the adapters.
const options: CommitOptions = {
  commitOnServerError: false,
  answerError(error, req, res) {
    expectTypeOf(error).toEqualTypeOf<SojournError>()
    res.end(`${req.url} ${error.code}`)
  },
}
withSession(sessions, () => {}, options)
// @ts-expect-error misspelt
withSession(sessions, () => {}, { commitOnError: true })

// Express: as middleware of an application, a path, a router; the session is typed without declaration merging.
const app = express()
const middleware = session(sessions, options)
app.use(middleware)
app.use('/shop', middleware)
app.get('/', middleware, (_req, res) => void res.end())
Router().use(middleware)
const handler: RequestHandler = middleware
void handler

app.post('/cart', (req: Request<object, unknown, { sku: string }>, res: Response) => {
  const { data } = sessions.of(req)
  expectTypeOf(data).toEqualTypeOf<ShopData>()
  data.cart.push(req.body.sku)
  res.redirect(303, '/cart')
})
// @ts-expect-error sessions are needed
session()

// Fastify: as a plugin of an application or a context, on http and http2; the session is typed without declaration merging.
const server = fastify({ rewriteUrl: rewriteUrl(sessions) })
await server.register(fastifySession, { sessions, ...options, prefix: '/shop' })
fastify({ rewriteUrl: rewriteUrl(sessions, (request: IncomingMessage) => request.url ?? '/') })
const secure = fastify({ http2: true, https: {} })
await secure.register(fastifySession, { sessions })
const plugin: FastifyPluginAsync<{ sessions: typeof sessions }> = fastifySession
void plugin

server.post<{ Body: { sku: string } }>('/cart', async (request, reply) => {
  const { data } = sessions.of(request)
  expectTypeOf(data).toEqualTypeOf<ShopData>()
  expectTypeOf(sessions.of(request.raw)).toEqualTypeOf<Session<ShopData>>()
  expectTypeOf(request.getDecorator<Session<ShopData>>('session')).toEqualTypeOf<Session<ShopData>>()
  data.cart.push(request.body.sku)
  return reply.redirect('/cart', 303)
})
secure.get('/', (request) => sessions.of(request).data.cart.length)
server.addHook('preHandler', async (request: FastifyRequest) => expectTypeOf(sessions.of(request).data).toEqualTypeOf<ShopData>())
// @ts-expect-error sessions are needed
await server.register(fastifySession, {})
// @ts-expect-error misspelt
await server.register(fastifySession, { sessions, commitOnError: true })
