import { once } from 'node:events'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { Readable } from 'node:stream'
import { gunzipSync } from 'node:zlib'
import { describe, expect, test } from 'vitest'
import { session } from '../../src/adapters/express.ts'
import type { CommitOptions } from '../../src/adapters/gate.ts'
import { withSession } from '../../src/adapters/node.ts'
import type { Sessions } from '../../src/core/sessions.ts'
import { expressVersions } from './express-application.ts'
import { compression, type Middleware, stamp } from './patching.ts'
import { type Listening, listen } from './server.ts'
import { type Data, siteOf } from './site.ts'
import { type Answer, valueOf, valuesOf } from './wire.ts'

type Handler = (req: IncomingMessage, res: ServerResponse) => void

/** A server whose responses are wrapped by middleware that stands before the session's or after it. */
type Serve = (sessions: Sessions<Data>, wrapper: Middleware, handler: Handler, options?: CommitOptions) => Promise<Listening>

const change = (sessions: Sessions<Data>, req: IncomingMessage): void => void (sessions.of(req) as { data: Data }).data.count++

const servers: { server: string; serve: Serve }[] = [
  {
    server: 'node, wrapped before the session',
    serve: (sessions, wrapper, handler, options) => {
      const listener = withSession(sessions, handler, options)
      return listen((req, res) => wrapper(req, res, () => listener(req, res)))
    },
  },
  {
    server: 'node, wrapped after the session',
    serve: (sessions, wrapper, handler, options) =>
      listen(withSession(sessions, (req, res) => wrapper(req, res, () => handler(req, res)), options)),
  },
  ...expressVersions.flatMap(({ version, express }) => [
    {
      server: `Express ${version}, wrapped before the session`,
      serve: (async (sessions, wrapper, handler, options) =>
        await listen(express().use(wrapper, session(sessions, options), handler))) satisfies Serve,
    },
    {
      server: `Express ${version}, wrapped after the session`,
      serve: (async (sessions, wrapper, handler, options) =>
        await listen(express().use(session(sessions, options), wrapper, handler))) satisfies Serve,
    },
  ]),
]

const text = 'all work and no play makes Jack a dull boy\n'.repeat(40_000)

const answers: { how: string; handler: Handler; body: string; packed: boolean }[] = [
  { how: 'end(text)', handler: (_req, res) => res.end(text), body: text, packed: true },
  {
    how: 'Content-Length, end(text)',
    handler: (_req, res) => res.writeHead(200, { 'Content-Length': text.length }).end(text),
    body: text,
    packed: true,
  },
  {
    how: 'writes',
    handler(_req, res) {
      for (let at = 0; at < text.length; at += 100_000) res.write(text.slice(at, at + 100_000))
      res.end()
    },
    body: text,
    packed: true,
  },
  {
    how: 'a source that is piped',
    handler: (_req, res) => Readable.from(text.match(/.{1,9999}/gs) ?? []).pipe(res),
    body: text,
    packed: true,
  },
  { how: 'a short text', handler: (_req, res) => res.end('short'), body: 'short', packed: false },
]

function bodyOf({ headers, body }: Answer<unknown>): string {
  return (valueOf(headers, 'content-encoding') === 'gzip' ? gunzipSync(body) : body).toString()
}

describe.each(servers)('$server', ({ serve }) => {
  describe.each([0, 4])('on a store that takes %i ms', (delay) => {
    test.each(answers.flatMap((answer) => (['headersSent', '_header'] as const).map((looksAt) => ({ ...answer, looksAt }))))(
      'compression that looks at $looksAt: $how comes whole and committed, from the first request on',
      async ({ handler, body, packed, looksAt }) => {
        const { ask, store, errors } = await siteOf(
          (sessions) => serve(sessions, compression({ looksAt }), (req, res) => (change(sessions, req), handler(req, res))),
          { delay },
        )

        for (const count of [1, 2]) {
          const answer = await ask()
          expect(valueOf(answer.headers, 'content-encoding')).toBe(packed ? 'gzip' : undefined)
          expect(bodyOf(answer) === body, 'the same body').toBe(true)
          expect(valuesOf(answer.headers, 'set-cookie')).toEqual([expect.stringMatching(/^sid=[\w-]{48};/)])
          expect(store.acknowledged.size).toBe(count)
        }
        expect(errors).toEqual([])
      },
    )

    test.each(answers)('$how: when the commit fails, the error goes out past the compression', async ({ handler }) => {
      const { ask, store } = await siteOf(
        (sessions) => serve(sessions, compression({ threshold: 0 }), (req, res) => (change(sessions, req), handler(req, res))),
        { delay },
      )
      await ask()
      store.broken = true

      const { status, headers, body } = await ask()
      expect([status, body.toString()]).toEqual([503, 'The session could not be opened or stored.\n'])
      expect(valueOf(headers, 'content-encoding')).toBeUndefined()
      expect(valueOf(headers, 'content-length')).toBe(String(body.length))
    })

    test('a large answer of the option answerError goes out past the compression', async () => {
      const { ask, store } = await siteOf(
        (sessions) =>
          serve(sessions, compression(), (req, res) => (change(sessions, req), res.end(text)), {
            answerError: (_error, _req, res) => void res.end(text),
          }),
        { delay },
      )
      store.broken = true

      const answer = await ask()
      expect(answer.status).toBe(503)
      expect(bodyOf(answer) === text).toBe(true)
    })

    test('when the commit fails, a source that is piped is read to its end', async () => {
      let over: Promise<unknown> | undefined
      const { ask, store } = await siteOf(
        (sessions) =>
          serve(sessions, compression(), (req, res) => {
            change(sessions, req)
            const source = Readable.from(text.match(/.{1,9999}/gs) ?? [])
            over = once(source, 'end')
            source.pipe(res)
          }),
        { delay },
      )
      store.broken = true

      expect((await ask()).status).toBe(503)
      await over
    })

    test('what sets a header at the last moment is asked once, and both headers go out', async () => {
      const notes: string[] = []
      const { ask } = await siteOf(
        (sessions) =>
          serve(sessions, stamp(notes), (req, res) => (change(sessions, req), res.writeHead(201, { 'X-Own': 'yes' }).end('made'))),
        { delay },
      )

      for (let visit = 1; visit <= 2; visit++) {
        const { status, headers, body } = await ask()
        expect([status, body.toString(), valueOf(headers, 'x-own'), valueOf(headers, 'x-response-time')]).toEqual([
          201,
          'made',
          'yes',
          '1ms',
        ])
        expect(valuesOf(headers, 'set-cookie')).toHaveLength(1)
        await expect.poll(() => notes).toHaveLength(2 * visit)
      }
      expect(notes).toEqual(['head', 'finish', 'head', 'finish'])
    })
  })
})
