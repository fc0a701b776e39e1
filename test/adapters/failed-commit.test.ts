import type { IncomingMessage, ServerResponse } from 'node:http'
import { describe, expect, test } from 'vitest'
import type { SojournError } from '../../src/core/errors.ts'
import { type SiteHandler, site } from './site.ts'
import { valueOf, valuesOf } from './wire.ts'

const page: SiteHandler = (_req, res, session) => {
  session.data.count = 1
  res.setHeader('Set-Cookie', 'theme=dark')
  res.setHeader('Content-Security-Policy', "default-src 'self'")
  res.setHeader('X-Of-The-Site', 'yes')
  res.writeHead(200, 'Splendid', { 'Content-Type': 'text/html', ETag: '"a"', 'Content-Encoding': 'identity' })
  res.end('<p>All is stored!</p>')
}

const rows = [false, true].flatMap((http2) =>
  [0, 4].map((delay) => ({ http2, delay, over: http2 ? 'http2' : 'http', answers: delay === 0 ? 'at once' : 'late' })),
)

describe.each(rows)('over $over, on a store that answers $answers', ({ http2, delay }) => {
  test('the error is answered, and reported once', async () => {
    const { ask, store, errors } = await site(page, { http2, delay })
    store.broken = true

    const { status, body, headers } = await ask()
    expect([status, body.toString()]).toEqual([503, 'The session could not be opened or stored.\n'])
    expect(valueOf(headers, 'x-of-the-site')).toBe('yes')
    expect(errors).toEqual(['ERR_SOJOURN_STORE'])
  })

  test.each(['accept', 'content-type'])('a client that speaks JSON (%s) is answered in JSON', async (header) => {
    const { ask, store } = await site(page, { http2, delay })
    store.broken = true

    const { headers, body } = await ask({ headers: { [header]: 'application/json' } })
    expect(valueOf(headers, 'content-type')).toBe('application/json; charset=utf-8')
    expect(JSON.parse(body.toString())).toEqual({
      error: { code: 'ERR_SOJOURN_STORE', message: 'The session could not be opened or stored.' },
    })
  })

  test('the option answerError answers in its place, with a clean response', async () => {
    const answerError = ({ code, status }: SojournError, { url }: IncomingMessage, res: ServerResponse): void => {
      res.setHeader('Content-Type', 'text/html')
      res.setHeader(
        'X-Found',
        JSON.stringify([res.headersSent, res.statusCode, res.getHeader('etag') ?? null, res.getHeader('set-cookie') ?? null]),
      )
      res.write('<h1>Sorry</h1>')
      res.end(`<p>${url}: ${code} ${status}</p>`)
    }
    const { ask, store } = await site(page, { http2, delay, answerError })
    store.broken = true

    const { status, headers, body } = await ask({ path: '/cart' })
    expect([status, body.toString()]).toEqual([503, '<h1>Sorry</h1><p>/cart: ERR_SOJOURN_STORE 503</p>'])
    expect(valueOf(headers, 'x-found')).toBe('[false,503,null,null]')
    expect(valueOf(headers, 'content-type')).toBe('text/html')
    expect(valueOf(headers, 'cache-control')).toBe('no-store')
    expect(valuesOf(headers, 'set-cookie')).toEqual([])
  })

  test('its status may be another', async () => {
    const answerError = (_error: SojournError, _req: IncomingMessage, res: ServerResponse): void =>
      void res.writeHead(302, { Location: '/sorry' }).end()
    const { ask, store } = await site(page, { http2, delay, answerError })
    store.broken = true

    const { status, headers } = await ask()
    expect([status, valueOf(headers, 'location')]).toEqual([302, '/sorry'])
  })

  test('when it throws, the default answer goes out, and that is reported', async () => {
    const answerError = (_error: SojournError, _req: IncomingMessage, res: ServerResponse): void => {
      res.setHeader('Content-Encoding', 'br')
      throw new Error('no template')
    }
    const { ask, store, errors } = await site(page, { http2, delay, answerError })
    store.broken = true

    const { status, headers, body } = await ask()
    expect([status, body.toString()]).toEqual([503, 'The session could not be opened or stored.\n'])
    expect(valueOf(headers, 'content-encoding')).toBeUndefined()
    expect(errors).toEqual(['ERR_SOJOURN_STORE', 'ERR_SOJOURN_CALLBACK'])
  })

  test('when it would answer later, the default answer goes out at once', async () => {
    const answerError = (_error: SojournError, _req: IncomingMessage, res: ServerResponse): void => void setImmediate(() => res.end('late'))
    const { ask, store } = await site(page, { http2, delay, answerError })
    store.broken = true

    const { status, body } = await ask()
    expect([status, body.toString()]).toEqual([503, 'The session could not be opened or stored.\n'])
  })

  test('when it only begins, its answer ends there', async () => {
    const answerError = (_error: SojournError, _req: IncomingMessage, res: ServerResponse): void => void res.write('half a page')
    const { ask, store } = await site(page, { http2, delay, answerError })
    store.broken = true

    expect((await ask()).body.toString()).toBe('half a page')
  })

  test("the site's Content-Security-Policy stays", async () => {
    const { ask, store } = await site(page, { http2, delay })
    store.broken = true

    expect(valueOf((await ask()).headers, 'content-security-policy')).toBe("default-src 'self'")
  })

  test('data that can not be stored are a 500 of the application, and the event names the path', async () => {
    const { ask, nextError } = await site(
      (_req, res, session) => {
        ;(session.data as unknown as Record<string, unknown>)['basket'] = { weigh: () => 7 }
        res.end('done')
      },
      { http2, delay },
    )
    const error = nextError()

    expect((await ask()).status).toBe(500)
    expect(await error).toMatchObject({ code: 'ERR_SOJOURN_DATA_UNENCODABLE', message: expect.stringContaining('basket.weigh') })
  })
})

describe.each(rows)('commitOnServerError: false, over $over, on a store that answers $answers', ({ http2, delay }) => {
  test.each([
    { how: 'statusCode', answer: (res: ServerResponse) => void (res.statusCode = 500) },
    { how: 'writeHead', answer: (res: ServerResponse) => res.writeHead(503) },
  ])('a 5xx by $how commits nothing, and nobody is warned of it', async ({ answer }) => {
    const { ask, store, errors, sessions } = await site(
      (_req, res, session) => {
        session.data.count = 1
        answer(res)
        res.end('broken')
      },
      { http2, delay, commitOnServerError: false },
    )

    const { status, headers, body } = await ask()
    expect(status).toBeGreaterThanOrEqual(500)
    expect(body.toString()).toBe('broken')
    expect(valuesOf(headers, 'set-cookie')).toEqual([])
    expect(store.acknowledged.size).toBe(0)
    await sessions.close() // Looks for changes that nobody commits.
    expect(errors).toEqual([])
  })

  test('any other answer commits', async () => {
    const { ask, store } = await site(
      (_req, res, session) => {
        session.data.count = 1
        res.writeHead(499).end()
      },
      { http2, delay, commitOnServerError: false },
    )

    await ask()
    expect(store.acknowledged.size).toBe(1)
  })

  test('a login that was awaited keeps its cookie', async () => {
    const { ask } = await site(
      async (_req, res, session) => {
        await session.login('ada')
        res.writeHead(500).end()
      },
      { http2, delay, commitOnServerError: false },
    )

    expect(valuesOf((await ask()).headers, 'set-cookie')).toEqual([expect.stringMatching(/^sid=[\w-]{48};/)])
  })
})

test('by default a 5xx commits like any answer', async () => {
  const { ask, store } = await site((_req, res, session) => {
    session.data.count = 1
    res.writeHead(500).end()
  })

  await ask()
  expect(store.acknowledged.size).toBe(1)
})
