import { mkdtempSync, readFileSync, rmSync, writeFileSync, createReadStream } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { setTimeout as sleep } from 'node:timers/promises'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { afterAll, describe, expect, test } from 'vitest'
import { session } from '../../src/adapters/fastify.ts'
import { sids } from './express-application.ts'
import { application, fastifyRows, sessionOf } from './fastify-application.ts'
import { valueOf, valuesOf } from './wire.ts'

const folder = mkdtempSync(join(tmpdir(), 'sojourn-fastify-'))
afterAll(() => rmSync(folder, { recursive: true }))
const file = join(folder, 'page.txt')
writeFileSync(file, 'a page\n'.repeat(20_000))
const page = readFileSync(file, 'utf8')

interface Way {
  readonly how: string
  readonly answer: (request: FastifyRequest, reply: FastifyReply) => unknown
  /** What else the application has. */
  readonly more?: (app: FastifyInstance) => void
  readonly method?: string
  readonly path?: string
  readonly status?: number
  readonly body: string
  readonly header?: readonly [name: string, value: string | RegExp]
}

const ways: readonly Way[] = [
  {
    how: 'reply.send(text)',
    answer: (_request, reply) => reply.send('hi'),
    body: 'hi',
    header: ['content-type', 'text/plain; charset=utf-8'],
  },
  {
    how: 'reply.send(object)',
    answer: (_request, reply) => void reply.send({ hi: 1 }),
    body: '{"hi":1}',
    header: ['content-type', 'application/json; charset=utf-8'],
  },
  {
    how: 'reply.send(buffer)',
    answer: (_request, reply) => void reply.send(Buffer.from('hi')),
    body: 'hi',
    header: ['content-length', '2'],
  },
  { how: 'reply.send(bytes)', answer: (_request, reply) => void reply.send(new Uint8Array([104, 105])), body: 'hi' },
  { how: 'reply.send() of nothing', answer: (_request, reply) => void reply.send(), body: '', header: ['content-length', '0'] },
  { how: 'reply.send(null)', answer: (_request, reply) => void reply.send(null), body: 'null' },
  { how: 'reply.send(stream)', answer: (_request, reply) => void reply.type('text/plain').send(createReadStream(file)), body: page },
  {
    how: 'reply.send(web stream)',
    answer: (_request, reply) => void reply.send(Readable.toWeb(createReadStream(file))),
    body: page,
  },
  {
    how: 'reply.send(Response)',
    answer: (_request, reply) =>
      void reply.send(new Response('made', { status: 201, headers: { 'content-type': 'text/plain', 'x-made': 'yes' } })),
    status: 201,
    body: 'made',
    header: ['x-made', 'yes'],
  },
  { how: 'reply.send later', answer: (_request, reply) => void setTimeout(() => reply.send('later'), 3), body: 'later' },
  { how: 'a returned text', answer: () => 'hi', body: 'hi' },
  { how: 'a returned promise of an object', answer: async () => ({ hi: await sleep(2, 1) }), body: '{"hi":1}' },
  { how: 'a returned stream', answer: async () => createReadStream(file), body: page },
  {
    how: 'a returned Response',
    answer: async () => new Response('hi', { headers: { 'set-cookie': 'theme=dark' } }),
    body: 'hi',
    header: ['set-cookie', 'theme=dark'],
  },
  {
    how: 'async, by reply.send and return reply',
    async answer(_request, reply) {
      await sleep(2)
      reply.send('hi')
      return reply
    },
    body: 'hi',
  },
  { how: 'reply.code(204).send()', answer: (_request, reply) => void reply.code(204).send(), status: 204, body: '' },
  { how: 'reply.redirect', answer: (_request, reply) => reply.redirect('/cart'), status: 302, body: '', header: ['location', '/cart'] },
  {
    how: 'reply.redirect(303)',
    answer: (_request, reply) => reply.redirect('/cart', 303),
    status: 303,
    body: '',
    header: ['location', '/cart'],
  },
  {
    how: "the application's own Set-Cookie and Cache-Control",
    answer: (_request, reply) => void reply.header('set-cookie', 'theme=dark').header('cache-control', 'max-age=60').send('hi'),
    body: 'hi',
    header: ['set-cookie', 'theme=dark'],
  },
  {
    how: 'trailers',
    answer: (_request, reply) => void reply.trailer('x-checksum', (_reply, _payload, done) => done(null, 'abc')).send('hi'),
    body: 'hi',
    header: ['trailer', 'x-checksum'],
  },
  {
    how: 'reply.raw',
    answer(_request, reply) {
      reply.raw.writeHead(200, { 'X-Raw': 'yes' })
      reply.raw.end('raw')
      return reply
    },
    body: 'raw',
    header: ['x-raw', 'yes'],
  },
  {
    how: 'reply.hijack(), and writes with time between',
    async answer(_request, reply) {
      reply.hijack()
      reply.raw.write('one ')
      await sleep(3)
      reply.raw.write('two ')
      await sleep(3)
      reply.raw.end('three')
    },
    body: 'one two three',
  },
  {
    how: 'an event stream',
    answer(_request, reply) {
      reply.hijack()
      reply.raw.writeHead(200, { 'Content-Type': 'text/event-stream' })
      reply.raw.flushHeaders()
      setTimeout(() => reply.raw.end('data: hi\n\n'), 5)
    },
    body: 'data: hi\n\n',
    header: ['content-type', 'text/event-stream'],
  },
  { how: 'HEAD', method: 'HEAD', answer: (_request, reply) => void reply.send('hi'), body: '', header: ['content-length', '2'] },
  {
    how: 'a decorated reply',
    more: (app) =>
      void app.decorateReply('page', function (this: FastifyReply, text: string) {
        return this.type('text/html').send(`<p>${text}</p>`)
      }),
    answer: (_request, reply) => (reply as unknown as { page(text: string): FastifyReply }).page('hi'),
    body: '<p>hi</p>',
  },
  {
    how: 'a serializer of the reply',
    answer: (_request, reply) => void reply.serializer(() => 'made').send({ hi: 1 }),
    body: 'made',
  },
  {
    how: 'an onSend hook that changes payload and headers',
    more: (app) =>
      void app.addHook('onSend', async (_request, reply, payload) => {
        reply.header('etag', '"abc"')
        return `${String(payload)}!`
      }),
    answer: (_request, reply) => void reply.send('hi'),
    body: 'hi!',
    header: ['etag', '"abc"'],
  },
  {
    how: 'an onSend hook that makes it a stream',
    more: (app) => void app.addHook('onSend', (_request, reply, _payload, done) => {
      reply.removeHeader('content-length')
      done(null, createReadStream(file))
    }), // prettier-ignore
    answer: (_request, reply) => void reply.send('hi'),
    body: page,
  },
  {
    how: 'a thrown error, by the error handler of Fastify',
    answer: () => {
      throw Object.assign(new Error('short and stout'), { statusCode: 418 })
    },
    status: 418,
    body: '{"statusCode":418,"error":"I\'m a Teapot","message":"short and stout"}',
  },
  {
    how: 'a rejection, by the error handler of the application',
    more: (app) => void app.setErrorHandler((error: Error, _request, reply) => reply.code(500).send(error.message)),
    answer: () => Promise.reject(new Error('out of stock')),
    status: 500,
    body: 'out of stock',
  },
  {
    how: 'a stream that breaks before its first byte',
    more: (app) => void app.setErrorHandler((_error, _request, reply) => reply.code(404).send('no such page')),
    answer: (_request, reply) => void reply.send(createReadStream(join(folder, 'nothing'))),
    status: 404,
    body: 'no such page',
  },
  {
    how: 'the 404 of Fastify',
    path: '/nowhere',
    answer: () => {},
    status: 404,
    body: '{"message":"Route GET:/nowhere not found","error":"Not Found","statusCode":404}',
  },
  {
    how: 'the 404 of the application',
    path: '/nowhere',
    more: (app) => void app.setNotFoundHandler((request, reply) => void reply.code(404).send(`no, ${sessionOf(request).data.count}`)),
    answer: () => {},
    status: 404,
    body: 'no, 1',
  },
  {
    how: 'reply.callNotFound()',
    answer: (_request, reply) => reply.callNotFound(),
    status: 404,
    body: '{"message":"Route GET:/ not found","error":"Not Found","statusCode":404}',
  },
  {
    how: 'an answer of a preHandler hook',
    more: (app) => void app.addHook('preHandler', (request, reply) => reply.code(403).send(`no, ${sessionOf(request).data.count}`)),
    answer: () => 'yes',
    status: 403,
    body: 'no, 1',
  },
]

describe.each(fastifyRows)('on a store that answers $answers', (row) => {
  test.each(ways)('$how commits before it goes out', async ({ answer, more, method = 'GET', path = '/', status = 200, body, header }) => {
    const { ask, store, errors } = await application(row, async (app, sessions) => {
      await app.register(session, { sessions })
      app.addHook('onRequest', async (request) => void (sessionOf(request).data.count += 1))
      more?.(app)
      app.get('/', answer)
    })

    const answered = await ask({ method, path })
    expect(answered.status).toBe(status)
    expect(answered.body.toString() === body, `the body: ${answered.body.toString().slice(0, 200)}`).toBe(true)
    if (header !== undefined) expect(valuesOf(answered.headers, header[0])).toContainEqual(expect.stringMatching(header[1]))
    expect(sids(answered)).toHaveLength(1)
    expect(valueOf(answered.headers, 'cache-control')).toBe('no-store')
    expect([store.acknowledged.size, errors]).toEqual([1, []])

    store.broken = true
    const refused = await ask({ method, path })
    const said = 'The session could not be opened or stored.\n'
    expect([refused.status, refused.body.toString()]).toEqual([503, method === 'HEAD' ? '' : said])
    expect([valueOf(refused.headers, 'content-length'), valueOf(refused.headers, 'retry-after')]).toEqual([String(said.length), '1'])
    for (const gone of ['set-cookie', 'etag', 'location', 'trailer', 'transfer-encoding'])
      expect(valuesOf(refused.headers, gone), gone).toEqual([])
  })

  test('what an onSend hook changes in the session is committed', async () => {
    const { ask, store } = await application(row, async (app, sessions) => {
      await app.register(session, { sessions })
      app.addHook('onSend', async (request) => void (sessions.of(request).data.count = 7))
      app.get('/', () => 'hi')
    })

    expect(sids(await ask())).toHaveLength(1)
    expect([...store.acknowledged.values()][0]?.data).toContain('"count":7')
  })

  test('a request that changes nothing sets no cookie, and one that looks is private', async () => {
    const { ask, store } = await application(row, async (app, sessions) => {
      await app.register(session, { sessions })
      app.get('/health', () => 'well')
      app.get('/read', (request) => String(sessions.of(request).data.count))
      app.get('/public', (request, reply) => reply.header('cache-control', 'max-age=60').send(String(sessions.of(request).data.count)))
    })

    const shown = async (path: string) => {
      const answer = await ask({ path })
      return [answer.body.toString(), valuesOf(answer.headers, 'cache-control'), sids(answer)]
    }
    expect(await shown('/health')).toEqual(['well', [], []])
    expect(await shown('/read')).toEqual(['0', ['private'], []])
    expect(await shown('/public')).toEqual(['0', ['max-age=60, private'], []])
    expect(store.acknowledged.size).toBe(0)
  })

  test('an answer with a header that Node refuses is a 500 with the session committed', async () => {
    const { ask, store } = await application(row, async (app, sessions) => {
      await app.register(session, { sessions })
      app.get('/', (request, reply) => {
        sessions.of(request).data.count += 1
        void reply.header('x-odd', 'line\nbreak').send('hi')
      })
      app.setErrorHandler((_error, _request, reply) => reply.removeHeader('x-odd').code(500).send('refused'))
    })

    const answer = await ask()
    expect([answer.status, answer.body.toString(), sids(answer).length, store.acknowledged.size]).toEqual([500, 'refused', 1, 1])
  })
})
