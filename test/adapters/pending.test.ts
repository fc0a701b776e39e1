import { once } from 'node:events'
import { Readable } from 'node:stream'
import { describe, expect, test } from 'vitest'
import { site, told } from './site.ts'
import { valueOf, valuesOf } from './wire.ts'

/** The code of what a call throws; null when it goes well. */
function codeOf(call: () => unknown): string | null {
  try {
    call()
    return null
  } catch (error) {
    return (error as NodeJS.ErrnoException).code ?? String(error)
  }
}

describe.each([
  { over: 'http', http2: false, sent: 'ERR_HTTP_HEADERS_SENT' },
  { over: 'http2', http2: true, sent: 'ERR_HTTP2_HEADERS_SENT' },
])('while a commit is pending, over $over', ({ http2, sent }) => {
  const slow = { http2, delay: 10 }

  test.each([
    ['the method that makes the head is replaced', true],
    ['nothing is done', false],
  ])('%s: the answer is private all the same', async (_what, isReplaced) => {
    const { ask } = await site((_req, res, session) => {
      session.data.count++
      res.end('done')
      const { writeHead } = Object.getPrototypeOf(res) as typeof res
      if (isReplaced) res.writeHead = ((...args: Parameters<typeof writeHead>) => writeHead.apply(res, args)) as typeof writeHead
    }, slow)

    const [cookie] = valuesOf((await ask()).headers, 'set-cookie')
    const { headers, body } = await ask({ cookie: cookie!.split(';')[0]! })
    expect([valueOf(headers, 'cache-control'), body.toString()]).toEqual(['private', 'done'])
  })

  test('the head counts as sent, as soon as the answer has begun and not before', async () => {
    const { tell, heard } = told<unknown>()
    const { ask } = await site((_req, res, session) => {
      session.data.count = 1
      const before = res.headersSent
      res.writeHead(200)
      const begun = res.headersSent
      res.end('done')
      tell([before, begun])
    }, slow)

    expect((await ask()).body.toString()).toBe('done')
    expect(await heard).toEqual([false, true])
  })

  test('changing the head throws as in Node, and the head that was begun goes out', async () => {
    const { tell, heard } = told<unknown>()
    const { ask } = await site((_req, res, session) => {
      session.data.count = 1
      res.writeHead(201, { 'X-Kept': 'yes' })
      tell([
        codeOf(() => res.setHeader('X-Late', '1')),
        codeOf(() => res.appendHeader('X-Late', '1')),
        codeOf(() => res.removeHeader('X-Kept')),
        codeOf(() => res.writeHead(500)),
        codeOf(() => res.writeHead(500, ['X-Late', '1'])),
      ])
      res.end()
    }, slow)

    const { status, headers } = await ask()
    expect(await heard).toEqual([sent, sent, sent, sent, sent])
    expect(status).toBe(201)
    expect(valueOf(headers, 'x-kept')).toBe('yes')
    expect(valueOf(headers, 'x-late')).toBeUndefined()
  })

  test('headers can be read', async () => {
    const { tell, heard } = told<unknown>()
    const { ask } = await site((_req, res, session) => {
      session.data.count = 1
      res.writeHead(200, { 'X-Kept': 'yes' })
      tell([res.getHeader('x-kept'), res.hasHeader('x-kept'), res.statusCode])
      res.end()
    }, slow)

    await ask()
    expect(await heard).toEqual(['yes', true, 200])
  })

  test("write answers false, and 'drain' comes when the commit is through", async () => {
    const { tell, heard } = told<unknown>()
    const { ask, store } = await site(async (_req, res, session) => {
      session.data.count = 1
      const answered = res.write('one')
      await once(res, 'drain')
      tell([answered, store.acknowledged.size])
      res.end('two')
    }, slow)

    expect((await ask()).body.toString()).toBe('onetwo')
    expect(await heard).toEqual([false, 1])
  })

  test('a response that was ended has ended', async () => {
    const { tell, heard } = told<unknown>()
    const { ask } = await site((_req, res, session) => {
      session.data.count = 1
      res.write('one')
      const before = res.writableEnded
      res.end('two')
      tell([before, res.writableEnded])
    }, slow)

    expect((await ask()).body.toString()).toBe('onetwo')
    expect(await heard).toEqual([false, true])
  })

  test('what can be no chunk throws at the call', async () => {
    const { tell, heard } = told<unknown>()
    const { ask } = await site((_req, res, session) => {
      session.data.count = 1
      const odd = res as unknown as { write(chunk: unknown): boolean; end(chunk: unknown): void }
      res.write('one')
      tell([codeOf(() => odd.write(7)), codeOf(() => odd.write(null)), codeOf(() => odd.end({}))])
      res.end('two')
    }, slow)

    expect((await ask()).body.toString()).toBe('onetwo')
    expect(await heard).toEqual(['ERR_INVALID_ARG_TYPE', 'ERR_INVALID_ARG_TYPE', 'ERR_INVALID_ARG_TYPE'])
  })

  test('a source that is piped waits, and comes whole', async () => {
    const parts = Array.from({ length: 200 }, (_, i) => `part ${i} `)
    const { ask } = await site((_req, res, session) => {
      session.data.count = 1
      Readable.from(parts).pipe(res)
    }, slow)

    expect((await ask()).body.toString()).toBe(parts.join(''))
  })

  test('a change of the session is stored no more, and said aloud', async () => {
    const { ask, nextError, store } = await site((_req, res, session) => {
      session.data.count = 1
      res.end('done')
      session.data.count = 2
    }, slow)
    const error = nextError()
    await ask()

    expect((await error).code).toBe('ERR_SOJOURN_LATE_CHANGE')
    expect([...store.acknowledged.values()].map(({ data }) => data)).toEqual([expect.stringContaining('"count":1')])
  })

  test('a change that is saved by hand is stored', async () => {
    const { ask, store, errors } = await site(async (_req, res, session) => {
      session.data.count = 1
      res.write('one')
      session.data.count = 2
      await session.save()
      res.end('two')
    }, slow)

    await ask()
    expect([...store.acknowledged.values()].map(({ data }) => data)).toEqual([expect.stringContaining('"count":2')])
    expect(errors).toEqual([])
  })
})

test('an answer that Node refuses at the call commits nothing, and another can be given', async () => {
  const { ask, store } = await site((_req, res, session) => {
    session.data.count = 1
    const odd = res as unknown as { write(chunk: unknown): boolean; end(chunk: unknown): void }
    const codes = [
      codeOf(() => res.writeHead(42)),
      codeOf(() => res.writeHead(200, ['X-Odd'])),
      codeOf(() => res.writeHead(200, { 'X-Bad': 'line\nbreak' })),
      codeOf(() => odd.write(7)),
      codeOf(() => odd.end([])),
    ]
    const { size } = store.acknowledged
    res.writeHead(500).end(JSON.stringify({ codes, size, sent: res.headersSent }))
  })

  expect(JSON.parse((await ask()).body.toString())).toEqual({
    codes: ['ERR_HTTP_INVALID_STATUS_CODE', 'ERR_INVALID_ARG_VALUE', 'ERR_INVALID_CHAR', 'ERR_INVALID_ARG_TYPE', 'ERR_INVALID_ARG_TYPE'],
    size: 0,
    sent: true,
  })
})

test("writeHeader, writeHead's old name, commits as well", async () => {
  const { ask, store } = await site((_req, res, session) => {
    session.data.count = 1
    const old = res as unknown as { writeHeader(status: number, headers: Record<string, string>): void }
    old.writeHeader(201, { 'X-Old': 'yes' })
    res.end('done')
  })

  const { status, headers } = await ask()
  expect([status, valueOf(headers, 'x-old'), valueOf(headers, 'set-cookie')]).toEqual([201, 'yes', expect.stringMatching(/^sid=/)])
  expect(store.acknowledged.size).toBe(1)
})

test('no header of a head is lost, whatever its name', async () => {
  const { ask } = await site((_req, res) => res.writeHead(200, Object.fromEntries([['__proto__', 'kept']])).end('done'))

  expect(valueOf((await ask()).headers, '__proto__')).toBe('kept')
})
