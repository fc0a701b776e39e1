import type { NextFunction, Request, Response } from 'express'
import { describe, expect, test } from 'vitest'
import { session } from '../../src/adapters/express.ts'
import type { SojournError } from '../../src/core/errors.ts'
import { cookieFor } from '../../src/testing/cookie-for.ts'
import { application, counting, expressRows, sids } from './express-application.ts'
import { valueOf } from './wire.ts'

describe.each(expressRows)('Express $version, on a store that answers $answers', (row) => {
  const cookie = `sid=${'a'.repeat(48)}`

  test.each([
    { how: 'throws', get: () => { throw new Error('gone fishing') } }, // prettier-ignore
    { how: 'rejects', get: () => Promise.reject(new Error('gone fishing')) },
  ])('a store that $how when the session is opened is next(error), which Express answers 503 with Retry-After', async ({ get }) => {
    const { ask, store } = await application(row, (app, sessions) => {
      app.use(session(sessions))
      app.get('/', (_req, res) => void res.send('served'))
    })
    store.get = get

    const { status, headers } = await ask({ cookie })
    expect([status, valueOf(headers, 'retry-after')]).toEqual([503, '1'])
    expect((await ask()).body.toString(), 'who brings no cookie is served').toBe('served')
  })

  test("the application's error handler gets it, with its code and status", async () => {
    const { ask, store } = await application(row, (app, sessions) => {
      app.use(session(sessions))
      app.use((error: SojournError, _req: Request, res: Response, _next: NextFunction) => void res.status(error.status).send(error.code))
    })
    store.get = () => Promise.reject(new Error('gone fishing'))

    const { status, body } = await ask({ cookie })
    expect([status, body.toString()]).toEqual([503, 'ERR_SOJOURN_STORE'])
  })

  test('a write to a session that ended meanwhile is a 409 in either way', async () => {
    const { ask, sessions } = await application(row, (app, sessions) => {
      app.use(session(sessions))
      app.post('/update', (req, res, next) => {
        const mine = sessions.of(req)
        const updated = sessions.end(mine.id ?? '').then(() => mine.update((data) => void (data.count += 1)))
        updated.then(() => res.send('done'), next)
      })
      app.post('/change', (req, res, next) => {
        const mine = sessions.of(req)
        mine.data.count += 1
        sessions.end(mine.id ?? '').then(() => res.send('done'), next)
      })
    })

    for (const path of ['/update', '/change']) {
      const { status } = await ask({ method: 'POST', path, cookie: await cookieFor(sessions, { data: { count: 1 } }) })
      expect(status, path).toBe(409)
    }
  })

  test('the option answerError may use what Express adds to a response', async () => {
    const { ask, store } = await application(row, (app, sessions) => {
      app.use(
        session(sessions, { answerError: ({ code }, req, res) => void (res as Response).json({ code, path: (req as Request).path }) }),
      )
      app.use(counting(sessions))
      app.get('/cart', (_req, res) => void res.send('done'))
    })
    store.broken = true

    const { status, headers, body } = await ask({ path: '/cart' })
    expect([status, body.toString()]).toEqual([503, '{"code":"ERR_SOJOURN_STORE","path":"/cart"}'])
    expect(valueOf(headers, 'content-type')).toBe('application/json; charset=utf-8')
  })

  test('commitOnServerError: false leaves out the changes of a request that ended in the error handler', async () => {
    const { ask, store } = await application(row, (app, sessions) => {
      app.use(session(sessions, { commitOnServerError: false }), counting(sessions))
      app.get('/', (_req, _res, next) => next(new RangeError('out of stock')))
    })

    const answer = await ask()
    expect([answer.status, sids(answer).length, store.acknowledged.size]).toEqual([500, 0, 0])
  })
})

// Express 4 hears of no rejection.
describe.each(expressRows.filter(({ version }) => version === 5))('Express $version, on a store that answers $answers', (row) => {
  test('an async handler that rejects is answered by the status of the error', async () => {
    const { ask, sessions } = await application(row, (app, sessions) => {
      app.use(session(sessions))
      app.post('/', async (req, res) => {
        const mine = sessions.of(req)
        await sessions.end(mine.id ?? '')
        await mine.update((data) => void (data.count += 1))
        res.send('done')
      })
    })

    expect((await ask({ method: 'POST', cookie: await cookieFor(sessions, { data: { count: 1 } }) })).status).toBe(409)
  })
})
