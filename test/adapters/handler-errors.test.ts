import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { describe, expect, test } from 'vitest'
import { withSession } from '../../src/adapters/node.ts'
import { SojournError } from '../../src/core/errors.ts'
import { createSessions } from '../../src/sessions.ts'
import { cookieFor } from '../../src/testing/cookie-for.ts'
import { listen } from './server.ts'
import { site, siteOf } from './site.ts'
import { valueOf, valuesOf } from './wire.ts'

describe.each([
  { http2: false, over: 'http' },
  { http2: true, over: 'http2' },
])('over $over', ({ http2 }) => {
  test.each([
    { how: 'throws', fail: () => { throw new SojournError('ERR_SOJOURN_LOGIN_REFUSED', 'Not you.') } }, // prettier-ignore
    { how: 'rejects with', fail: () => Promise.reject(new SojournError('ERR_SOJOURN_LOGIN_REFUSED', 'Not you.')) },
  ])('a SojournError that the handler $how is answered by its status, without what the handler had said', async ({ fail }) => {
    const { ask } = await site(
      (_req, res) => {
        res.statusCode = 201
        res.setHeader('Content-Encoding', 'br')
        res.setHeader('ETag', '"a"')
        res.setHeader('Location', '/made')
        return fail()
      },
      { http2 },
    )

    const { status, headers, body } = await ask()
    expect([status, body.toString()]).toEqual([403, 'Not you.\n'])
    expect(valueOf(headers, 'content-length')).toBe('9')
    for (const gone of ['content-encoding', 'etag', 'location']) expect(valuesOf(headers, gone)).toEqual([])
  })

  test('an update of a session that ended meanwhile is answered 409', async () => {
    const { ask, sessions } = await site(
      async (_req, res, session) => {
        await sessions.end(session.id ?? '')
        await session.update((data) => void (data.count += 1))
        res.end('done')
      },
      { http2 },
    )
    const cookie = await cookieFor(sessions, { data: { count: 1 } })

    expect((await ask({ method: 'POST', cookie })).status).toBe(409)
  })

  test('what the handler changed before is committed with the answer', async () => {
    const { ask, store } = await site(
      (_req, _res, session) => {
        session.data.count = 7
        throw new SojournError('ERR_SOJOURN_LOGIN_REFUSED', 'Not you.')
      },
      { http2 },
    )

    const { status, headers } = await ask()
    expect([status, valuesOf(headers, 'set-cookie').length]).toEqual([403, 1])
    expect(store.acknowledged.size).toBe(1)
  })

  test.each([
    { how: 'throws', get: () => { throw new Error('gone fishing') } }, // prettier-ignore
    { how: 'rejects', get: () => Promise.reject(new Error('gone fishing')) },
  ])('a store that $how when a session is opened is a 503 with Retry-After', async ({ get }) => {
    let asked = 0
    const { ask, store } = await site((_req, res) => res.end(`${(asked += 1)}`), { http2 })
    store.get = get

    const cookie = `sid=${'a'.repeat(48)}`
    const { status, headers } = await ask({ cookie })
    expect([status, valueOf(headers, 'retry-after'), asked]).toEqual([503, '1', 0])
    expect((await ask()).body.toString(), 'who brings no cookie is served').toBe('1')
  })

  test('a request after sessions.close() is a 503', async () => {
    const { ask, sessions } = await site((_req, res) => res.end(), { http2 })
    await sessions.close()

    expect((await ask()).status).toBe(503)
  })
})

test('any other error that the handler throws is its own affair', async () => {
  const { ask, store } = await siteOf((sessions) => {
    const listener = withSession(sessions, (_req, _res, session) => {
      session.data.count = 1
      throw new RangeError('out of stock')
    })
    return listen((req: IncomingMessage, res: ServerResponse) => {
      try {
        listener(req, res)
      } catch (error) {
        res.writeHead(500).end(String(error))
      }
    })
  })

  expect((await ask()).body.toString()).toBe('RangeError: out of stock')
  expect(store.acknowledged.size).toBe(1)
})

test('an adapter refuses what createSessions() did not make', () => {
  const made = createSessions()
  expect(() => createServer(withSession({ ...made }, () => {}))).toThrow(expect.objectContaining({ code: 'ERR_SOJOURN_OPTION' }))
})

test('sessions.of() a request without a session names the mend', async () => {
  const { ask } = await siteOf((sessions) =>
    listen((req, res) => {
      try {
        sessions.of(req)
      } catch (error) {
        res.end(`${(error as SojournError).code}: ${(error as SojournError).message}`)
      }
    }),
  )

  expect((await ask()).body.toString()).toMatch(/^ERR_SOJOURN_NO_SESSION: .*app\.use\(session\(sessions\)\)/)
})

test('a handler is served without a session object of its own as well: sessions.of(req) is the same', async () => {
  const { ask, sessions } = await site((req, res, session) => res.end(String(sessions.of(req) === session)))
  expect((await ask()).body.toString()).toBe('true')
})
