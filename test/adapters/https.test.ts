import { once } from 'node:events'
import type { IncomingHttpHeaders, IncomingMessage, ServerResponse } from 'node:http'
import { connect } from 'node:http2'
import { request } from 'node:https'
import { describe, expect, onTestFinished, test } from 'vitest'
import fastify from 'fastify'
import { session } from '../../src/adapters/express.ts'
import { session as fastifySession } from '../../src/adapters/fastify.ts'
import { withSession } from '../../src/adapters/node.ts'
import { createSessions, type SessionsOptions } from '../../src/sessions.ts'
import { type Certificate, selfSigned } from './certificate.ts'
import { expressVersions } from './express-application.ts'
import { listenerOf } from './fastify-application.ts'
import { type Listening, listen } from './server.ts'
import type { Data } from './site.ts'

const certificate = selfSigned()
const token = '[\\w-]{48}'
const hostCookie = new RegExp(`^__Host-sid=${token}; Path=/; HttpOnly; SameSite=Lax; Secure$`)

type Serve = (options: Partial<SessionsOptions<Data>>, tls?: Certificate, trust?: boolean) => Promise<Listening>

/** Counts visits, says whether the connection is known to be https; `/logout` ends the session. */
async function answer(req: IncomingMessage, res: ServerResponse, mine: { data: Data; logout(): Promise<void> }): Promise<void> {
  if (req.url === '/logout') await mine.logout()
  else mine.data.count += 1
  res.end(String(mine.data.count))
}

function fresh(options: Partial<SessionsOptions<Data>>) {
  const sessions = createSessions<Data>({ ...options, initial: () => ({ count: 0 }) })
  onTestFinished(() => sessions.close())
  return sessions
}

async function open(made: Promise<Listening>): Promise<Listening> {
  const server = await made
  onTestFinished(() => server.close())
  return server
}

const servers: { server: string; http2: boolean; serve: Serve }[] = [
  ...[false, true].map((http2) => ({
    server: http2 ? 'node:http2' : 'node:https',
    http2,
    serve: ((options, tls, trust = false) =>
      open(listen(withSession(fresh({ ...options, trustProxy: trust }), answer), { http2, ...(tls && { tls }) }))) satisfies Serve,
  })),
  ...expressVersions.map(({ version, express }) => ({
    server: `Express ${version}`,
    http2: false,
    serve: ((options, tls, trust = false) => {
      const app = express()
      if (trust) app.set('trust proxy', 1)
      const sessions = fresh(options)
      app.use(session(sessions))
      app.use((req, res, next) => void answer(req, res, sessions.of(req)).catch(next))
      return open(listen(app, { ...(tls && { tls }) }))
    }) satisfies Serve,
  })),
  ...[false, true].map((http2) => ({
    server: http2 ? 'Fastify 5 on http2' : 'Fastify 5',
    http2,
    serve: (async (options, tls, trust = false) => {
      const app = fastify({ trustProxy: trust })
      const sessions = fresh(options)
      await app.register(fastifySession, { sessions })
      app.all('/*', async (request, reply) => {
        await answer(request.raw, reply.raw, sessions.of(request))
        return reply
      })
      return await open(listen(listenerOf(app), { http2, ...(tls && { tls }) }))
    }) satisfies Serve,
  })),
]

interface Answered {
  readonly cookies: readonly string[]
  readonly body: string
}

async function ask({ url }: Listening, http2: boolean, headers: Record<string, string> = {}, path = '/'): Promise<Answered> {
  if (http2) {
    const over = connect(url, { ca: certificate.cert })
    const stream = over.request({ ':path': path, ...headers })
    const [head] = (await once(stream, 'response')) as [IncomingHttpHeaders]
    const body = await text(stream)
    over.close()
    return { cookies: head['set-cookie'] ?? [], body }
  }
  if (url.startsWith('http:')) {
    const response = await fetch(url + path, { headers })
    return { cookies: response.headers.getSetCookie(), body: await response.text() }
  }
  const asked = request(url + path, { headers, ca: certificate.cert, agent: false }).end()
  const [response] = (await once(asked, 'response')) as [IncomingMessage]
  return { cookies: response.headers['set-cookie'] ?? [], body: await text(response) }
}

async function text(stream: AsyncIterable<Buffer>): Promise<string> {
  const parts: Buffer[] = []
  for await (const part of stream) parts.push(part)
  return Buffer.concat(parts).toString()
}

const pairOf = (cookie = ''): string => cookie.slice(0, cookie.indexOf(';'))

describe.each(servers)('$server', ({ http2, serve }) => {
  test('over its own TLS the cookie is __Host- and Secure, and brings the visitor back', async () => {
    const server = await serve({}, certificate)

    const first = await ask(server, http2)
    expect(first.cookies).toEqual([expect.stringMatching(hostCookie)])
    const again = await ask(server, http2, { cookie: pairOf(first.cookies[0]) })
    expect(again).toEqual({ cookies: [], body: '2' })
  })

  test('at logout it is cleared in the exact attributes that it was set with', async () => {
    const server = await serve({}, certificate)
    const { cookies } = await ask(server, http2)

    const left = await ask(server, http2, { cookie: pairOf(cookies[0]) }, '/logout')
    expect(left.cookies).toEqual(['__Host-sid=; Max-Age=0; Path=/; HttpOnly; SameSite=Lax; Secure'])
  })

  test.each([
    { given: { domain: 'localhost' }, attributes: 'Domain=localhost; Path=/' },
    { given: { path: '/shop' }, attributes: 'Path=/shop' },
  ])('with $given it is __Secure-', async ({ given, attributes }) => {
    const server = await serve({ cookie: given }, certificate)

    const { cookies } = await ask(server, http2)
    expect(cookies).toEqual([expect.stringMatching(new RegExp(`^__Secure-sid=${token}; ${attributes}; HttpOnly; SameSite=Lax; Secure$`))])
  })

  test('a plain-named cookie is ignored there: whoever can write plain http could have planted it', async () => {
    const server = await serve({}, certificate)
    const { cookies } = await ask(server, http2)
    const planted = pairOf(cookies[0]).replace('__Host-', '')

    const answered = await ask(server, http2, { cookie: planted })
    expect(answered.body).toBe('1')
    expect(answered.cookies).toEqual([expect.stringMatching(hostCookie)])
    expect((await ask(server, http2, { cookie: `${planted}; ${pairOf(cookies[0])}` })).body).toBe('2')
  })

  test('over plain http it is plain, and a __Host- name is not looked at', async () => {
    const server = await serve({})

    const { cookies } = await ask(server, http2)
    expect(cookies).toEqual([expect.stringMatching(new RegExp(`^sid=${token}; Path=/; HttpOnly; SameSite=Lax$`))])
    expect((await ask(server, http2, { cookie: `__Host-${pairOf(cookies[0])}` })).body).toBe('1')
  })

  test('behind a proxy that the application trusts, X-Forwarded-Proto: https makes it __Host- and Secure', async () => {
    const server = await serve({}, undefined, true)

    const first = await ask(server, http2, { 'x-forwarded-proto': 'https' })
    expect(first.cookies).toEqual([expect.stringMatching(hostCookie)])
    const again = await ask(server, http2, { 'x-forwarded-proto': 'https', cookie: pairOf(first.cookies[0]) })
    expect(again.body).toBe('2')
    expect((await ask(server, http2, { 'x-forwarded-proto': 'http' })).cookies).toEqual([expect.stringMatching(/^sid=/)])
  })

  test('secure: true makes it so over plain http as well', async () => {
    const server = await serve({ cookie: { secure: true, partitioned: true, sameSite: 'none' } })

    expect((await ask(server, http2)).cookies).toEqual([
      expect.stringMatching(new RegExp(`^__Host-sid=${token}; Path=/; HttpOnly; SameSite=None; Secure; Partitioned$`)),
    ])
  })
})
