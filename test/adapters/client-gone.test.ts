import { connect as connectHttp2 } from 'node:http2'
import { connect } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { describe, expect, test } from 'vitest'
import { gone, site, told } from './site.ts'

/** Sends a request, and is gone as soon as it is told to. */
function visit(port: number, http2: boolean): () => void {
  if (http2) {
    const session = connectHttp2(`http://127.0.0.1:${port}`).on('error', () => {})
    session.request({ ':path': '/' }).on('error', () => {})
    return () => session.destroy()
  }
  const socket = connect(port, '127.0.0.1', () => socket.write('GET / HTTP/1.1\r\nHost: localhost\r\n\r\n'))
  socket.on('error', () => {})
  return () => socket.destroy()
}

const rows = [false, true].flatMap((http2) =>
  [0, 10].map((delay) => ({ http2, delay, over: http2 ? 'http2' : 'http', answers: delay === 0 ? 'at once' : 'late' })),
)

describe.each(rows)('over $over, on a store that answers $answers', ({ http2, delay }) => {
  test('an answer that is finished after the client has gone is committed', async () => {
    const asked = told<void>()
    const answered = told<void>()
    const { port, store } = await site(
      async (_req, res, session) => {
        asked.tell()
        await gone(res)
        session.data.count = 1
        res.end('to nobody')
        answered.tell()
      },
      { http2, delay },
    )

    const leave = visit(port, http2)
    await asked.heard
    leave()
    await answered.heard
    await expect.poll(() => store.acknowledged.size).toBe(1)
  })

  test('an answer that was begun before the client went is committed', async () => {
    const asked = told<void>()
    const over = told<void>()
    const { port, store, errors } = await site(
      async (_req, res, session) => {
        session.data.count = 1
        res.writeHead(200)
        res.write('one')
        asked.tell()
        await gone(res)
        res.write('two')
        res.end('three')
        over.tell()
      },
      { http2, delay },
    )

    const leave = visit(port, http2)
    await asked.heard
    leave()
    await over.heard
    await expect.poll(() => store.acknowledged.size).toBe(1)
    expect(errors).toEqual([])
  })

  test('one that was never begun nor ended is not', async () => {
    const over = told<void>()
    const { port, store, errors } = await site(
      async (_req, res, session) => {
        session.data.count = 1
        res.setHeader('X-Half', 'done')
        asked.tell()
        await gone(res)
        over.tell()
      },
      { http2, delay },
    )
    const asked = told<void>()

    const leave = visit(port, http2)
    await asked.heard
    leave()
    await over.heard
    await sleep(50)
    expect(store.acknowledged.size).toBe(0)
    expect(errors).toEqual([])
  })

  test('a commit that fails after the client has gone is reported', async () => {
    const asked = told<void>()
    const made = await site(
      async (_req, res, session) => {
        asked.tell()
        await gone(res)
        session.data.count = 1
        res.end('to nobody')
      },
      { http2, delay },
    )
    const error = made.nextError()
    made.store.broken = true

    const leave = visit(made.port, http2)
    await asked.heard
    leave()
    expect((await error).code).toBe('ERR_SOJOURN_STORE')
  })
})
