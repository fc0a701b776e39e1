import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import type { NextFunction, Request, Response } from 'express'
import { describe, expect, onTestFinished, test } from 'vitest'
import { session } from '../../src/adapters/express.ts'
import type { SojournError } from '../../src/core/errors.ts'
import type { SessionEvents } from '../../src/core/events.ts'
import { cookieFor } from '../../src/testing/cookie-for.ts'
import { everyAdapter } from './every-adapter.ts'
import { application, expressRows } from './express-application.ts'
import type { SiteHandler } from './site.ts'
import { type Answer, valueOf, valuesOf } from './wire.ts'

const host = 'shop.example'
const evil = { origin: 'https://evil.example' }
const unsafe = ['POST', 'PUT', 'PATCH', 'DELETE']

/** Counts visits in the session, and how often it was called at all. */
function counting(): { handler: SiteHandler; calls: () => number } {
  let calls = 0
  const handler: SiteHandler = (_req, res, mine) => {
    calls += 1
    mine.data.count += 1
    res.end(`${mine.data.count} by ${mine.userId}`)
  }
  return { handler, calls: () => calls }
}

const code = ({ body }: Answer<null>) => /ERR_SOJOURN_CROSS_ORIGIN/.test(body.toString())

describe.each(everyAdapter)('over $adapter', ({ start }) => {
  test.each([0, 4])('what another site sends is answered 403: no handler, no read, no write, no cookie (store: %i ms)', async (delay) => {
    const { handler, calls } = counting()
    const { ask, sessions, store } = await start(handler, { delay })
    const cookie = await cookieFor(sessions, { userId: 'ada' })
    const before = [...store.acknowledged.values()]
    store.get = () => expect.fail('the store was read')
    store.put = () => expect.fail('the store was written')

    for (const method of unsafe) {
      for (const headers of [
        { 'sec-fetch-site': 'cross-site', ...evil },
        { 'sec-fetch-site': 'cross-site' },
        { 'sec-fetch-site': 'same-site', origin: `https://blog.${host}` },
        evil,
        { origin: 'null' },
      ]) {
        const answer = await ask({ method, host, cookie, headers })
        expect([method, headers, answer.status, valuesOf(answer.headers, 'set-cookie')]).toEqual([method, headers, 403, []])
      }
    }
    expect([calls(), [...store.acknowledged.values()]]).toEqual([0, before])
  })

  test('what the site itself, the address bar, or a client that is no browser sends is served', async () => {
    const { handler } = counting()
    const { ask, sessions } = await start(handler)
    const cookie = await cookieFor(sessions, { userId: 'ada' })

    let count = 0
    for (const headers of [
      {},
      { origin: `https://${host}` },
      { 'sec-fetch-site': 'same-origin', origin: `https://${host}` },
      { 'sec-fetch-site': 'same-origin', origin: 'https://behind.a.proxy.example' },
      { 'sec-fetch-site': 'none' },
    ]) {
      const { status, body } = await ask({ method: 'POST', host, cookie, headers })
      expect([headers, status, body.toString()]).toEqual([headers, 200, `${++count} by ada`])
    }
  })

  test('a safe method is served, wherever it comes from', async () => {
    const { ask } = await start((_req, res) => void res.end('served'))
    for (const method of ['GET', 'HEAD', 'OPTIONS'])
      expect((await ask({ method, host, headers: { 'sec-fetch-site': 'cross-site', ...evil } })).status, method).toBe(200)
  })

  test('a trusted origin is served, others are not', async () => {
    const { handler } = counting()
    const { ask } = await start(handler, { sessions: { crossOrigin: { trusted: ['https://accounts.example'] } } })
    const from = async (origin: string, more = {}) => (await ask({ method: 'POST', host, headers: { origin, ...more } })).status

    expect(await from('https://accounts.example')).toBe(200)
    expect(await from('https://accounts.example', { 'sec-fetch-site': 'cross-site' })).toBe(200)
    expect(await from('http://accounts.example')).toBe(403)
    expect(await from('https://accounts.example:8443', { 'sec-fetch-site': 'cross-site' })).toBe(403)
    expect(await from('https://accounts.example.evil.example')).toBe(403)
    expect(await from('null', { 'sec-fetch-site': 'cross-site' })).toBe(403)
  })

  test('crossOrigin: false serves everyone', async () => {
    const { handler, calls } = counting()
    const { ask } = await start(handler, { sessions: { crossOrigin: false } })
    expect((await ask({ method: 'POST', host, headers: { 'sec-fetch-site': 'cross-site', ...evil } })).status).toBe(200)
    expect(calls()).toBe(1)
  })

  test('no header of a proxy loosens it, be the proxy trusted or not; its own origin, named, is what lets a rewritten Host be', async () => {
    const { handler } = counting()
    const claims = { 'x-forwarded-host': 'evil.example', forwarded: 'host=evil.example', 'x-original-host': 'evil.example' }
    for (const trustProxy of [false, true]) {
      const { ask } = await start(handler, { sessions: { trustProxy } })
      expect((await ask({ method: 'POST', host, headers: { ...evil, ...claims } })).status).toBe(403)
    }
    const rewritten = { method: 'POST', host: 'upstream:8080', headers: { origin: `https://${host}`, 'x-forwarded-host': host } }
    expect((await (await start(handler, { sessions: { trustProxy: true } })).ask(rewritten)).status).toBe(403)
    const { ask } = await start(handler, { sessions: { crossOrigin: { trusted: [`https://${host}`] } } })
    expect((await ask(rewritten)).status).toBe(200)
    expect((await ask({ ...rewritten, headers: evil })).status).toBe(403)
  })

  test('headers that are doubled, long or odd are refused, and break nothing', async () => {
    const { handler } = counting()
    const { ask } = await start(handler)
    for (const headers of [
      { 'sec-fetch-site': 'same-origin,cross-site' },
      { origin: `https://${host}, https://evil.example` },
      { origin: `https://${'a'.repeat(8000)}.example` },
      { origin: `https://${host}%00.evil.example` },
      { origin: '' },
      { 'sec-fetch-site': '' },
    ])
      expect((await ask({ method: 'POST', host, headers })).status, JSON.stringify(headers).slice(0, 80)).toBe(403)
  })

  test('a refusal is an event, with the method and the origin where there is one, and nothing else', async () => {
    const { handler } = counting()
    const { ask, sessions, errors } = await start(handler)
    const [heard, published]: [SessionEvents['refused'][], unknown[]] = [[], []]
    sessions.on('refused', (event) => heard.push(event))
    const listener = (event: unknown): void => void published.push(event)
    subscribe('sojourn:refused', listener)
    onTestFinished(() => void unsubscribe('sojourn:refused', listener))

    const cookie = await cookieFor(sessions, { userId: 'ada' })
    for (const headers of [evil, { 'sec-fetch-site': 'cross-site' }, { origin: 'null' }, { origin: `https://${'a'.repeat(8000)}` }])
      await ask({ method: 'DELETE', path: '/?secret', host, cookie, headers })
    expect(heard).toEqual([
      { method: 'DELETE', origin: 'https://evil.example' },
      { method: 'DELETE', origin: null },
      { method: 'DELETE', origin: null },
      { method: 'DELETE', origin: null },
    ])
    expect([published, errors]).toEqual([heard, []])
  })
})

describe('the answer to a refused request', () => {
  const asked = { method: 'POST', host, headers: { ...evil, accept: 'application/json' } }

  test.each(everyAdapter.filter(({ adapter }) => adapter.startsWith('node')))('over $adapter names the code', async ({ start }) => {
    const { ask } = await start(() => expect.fail('the handler was called'))
    const answer = await ask(asked)
    expect([answer.status, code(answer), valueOf(answer.headers, 'cache-control')]).toEqual([403, true, 'no-store'])
    expect(answer.body.toString()).toContain('came from https://evil.example')
    expect((await ask({ ...asked, headers: evil })).body.toString()).toMatch(/^This POST request came from https:\/\/evil\.example, so it/)
  })

  test.each(expressRows)("in Express $version, on a store that answers $answers, is the application's", async (row) => {
    const { ask } = await application(row, (app, sessions) => {
      app.use(session(sessions))
      app.use(() => expect.fail('the handler was called'))
      app.use((error: SojournError, _req: Request, res: Response, _next: NextFunction) => void res.status(error.status).send(error.code))
    })
    const answer = await ask(asked)
    expect([answer.status, answer.body.toString()]).toEqual([403, 'ERR_SOJOURN_CROSS_ORIGIN'])
  })

  test.each(expressRows)('in Express $version, on a store that answers $answers, opens no session to a later handler', async (row) => {
    const { ask } = await application(row, (app, sessions) => {
      app.use(session(sessions))
      // An error handler that lets the request go on all the same.
      app.use((_error: SojournError, _req: Request, _res: Response, next: NextFunction) => next())
      app.use(session(sessions))
      app.use((req, res) => void res.send(String(sessions.of(req).data.count)))
    })
    expect((await ask(asked)).status).toBe(403)
  })
})
