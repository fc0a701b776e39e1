import { once } from 'node:events'
import { randomBytes } from 'node:crypto'
import type { IncomingMessage } from 'node:http'
import { request } from 'node:https'
import { describe, expect, onTestFinished, test } from 'vitest'
import { withSession } from '../../src/adapters/node.ts'
import { sealed } from '../../src/sealed.ts'
import { createSessions, type SessionsOptions } from '../../src/sessions.ts'
import { cookieFor, fakeClock } from '../../src/testing/index.ts'
import { type Certificate, selfSigned } from '../adapters/certificate.ts'
import { listen } from '../adapters/server.ts'

interface Data {
  cart: string[]
  theme: 'light' | 'dark'
}

/** An application that tells what it knows of its visitor. */
async function application(options: Partial<SessionsOptions<Data>> = {}, tls?: Certificate) {
  const sessions = createSessions<Data>({ ...options, initial: () => ({ cart: [], theme: 'light' }) })
  const server = await listen(
    withSession(sessions, (_req, res, { userId, data, isNew }) => res.end(JSON.stringify({ userId, data, isNew }))),
    tls && { tls },
  )
  onTestFinished(async () => {
    await server.close()
    await sessions.close()
  })
  return {
    sessions,
    url: server.url,
    visit: async (cookie: string): Promise<unknown> => await (await fetch(server.url, { headers: { cookie } })).json(),
  }
}

async function listed<T>(all: AsyncIterable<T>): Promise<T[]> {
  const found: T[] = []
  for await (const one of all) found.push(one)
  return found
}

describe('cookieFor', () => {
  test('logs a user in', async () => {
    const { sessions, visit } = await application()

    const cookie = await cookieFor(sessions, { userId: 'ada' })
    expect(cookie).toMatch(/^sid=[\w-]{48}$/)
    expect(await visit(cookie)).toEqual({ userId: 'ada', data: { cart: [], theme: 'light' }, isNew: false })
  })

  test('lays data over the initial ones', async () => {
    const { sessions, visit } = await application()

    const data = { cart: ['mug'] }
    expect(await visit(await cookieFor(sessions, { userId: 'ada', data }))).toEqual({
      userId: 'ada',
      data: { cart: ['mug'], theme: 'light' },
      isNew: false,
    })
    expect(await visit(await cookieFor(sessions, { data }))).toEqual({
      userId: null,
      data: { cart: ['mug'], theme: 'light' },
      isNew: false,
    })
  })

  test('makes the cookies of a sealed session, as many as it takes', async () => {
    const sessions = sealed({ keys: [randomBytes(32)], initial: () => ({ note: '' }) })
    for (const [note, count] of [
      ['short', 1],
      ['long'.repeat(1000), 2],
    ] as const) {
      const cookie = await cookieFor(sessions, { userId: 'ada', data: { note } })
      expect(cookie.split('; ')).toHaveLength(count)
      const { userId, data } = await sessions.open(new Headers({ cookie }))
      expect([userId, data.note]).toEqual(['ada', note])
    }
  })

  test('makes another session each time', async () => {
    const { sessions } = await application()

    const cookies = [await cookieFor(sessions, { userId: 'ada' }), await cookieFor(sessions, { userId: 'ada' })]
    const ids = (await listed(sessions.listByUser('ada'))).map(({ id }) => id)
    expect(ids.toSorted()).toEqual(cookies.map((cookie) => cookie.slice(4, 20)).toSorted())
  })

  test('takes the device from a User-Agent', async () => {
    const { sessions } = await application()
    await cookieFor(sessions, { userId: 'ada', userAgent: 'Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Gecko/20100101 Firefox/145.0' })
    await cookieFor(sessions, { userId: 'alan' })

    expect(await listed(sessions.listByUser('ada'))).toMatchObject([{ device: 'Firefox on Linux' }])
    expect(await listed(sessions.listByUser('alan'))).toMatchObject([{ device: null }])
  })

  test('remembers where it is asked to', async () => {
    const clock = fakeClock()
    const { sessions, visit } = await application({ clock })
    const cookies = {
      remembered: await cookieFor(sessions, { userId: 'ada', remember: true }),
      visit: await cookieFor(sessions, { userId: 'ada' }),
    }

    clock.advance(13 * 3_600_000)
    expect(await visit(cookies.remembered)).toMatchObject({ userId: 'ada' })
    expect(await visit(cookies.visit)).toMatchObject({ userId: null })
  })

  test('makes the cookie of an application that is reached by https', async () => {
    const tls = selfSigned()
    const { sessions, url } = await application({}, tls)

    const cookie = await cookieFor(sessions, { userId: 'ada', secure: true })
    expect(cookie).toMatch(/^__Host-sid=[\w-]{48}$/)
    const asked = request(url, { headers: { cookie }, ca: tls.cert, agent: false }).end()
    const [response] = (await once(asked, 'response')) as [IncomingMessage]
    const [body] = (await once(response, 'data')) as [Buffer]
    expect(JSON.parse(body.toString())).toMatchObject({ userId: 'ada' })
  })

  test("goes by the application's own cookie options", async () => {
    const { sessions, visit } = await application({ cookie: { name: 'shop' } })

    const cookie = await cookieFor(sessions, { userId: 'ada' })
    expect(cookie).toMatch(/^shop=/)
    expect(await visit(cookie)).toMatchObject({ userId: 'ada' })
  })

  test.each([
    ['nothing', undefined],
    ['the initial data', { data: { cart: [] } }],
    ['no data', { data: {} }],
  ])('says why there is no session when it is given %s', async (_what, options) => {
    const { sessions } = await application()
    await expect(cookieFor(sessions, options)).rejects.toThrow(/stored/)
  })
})
