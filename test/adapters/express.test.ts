import { ServerResponse } from 'node:http'
import { describe, expect, onTestFinished, test } from 'vitest'
import type { NextFunction, Response } from 'express'
import { session } from '../../src/adapters/express.ts'
import { createSessions } from '../../src/sessions.ts'
import { application, counting, expressRows, sids, type WithSession } from './express-application.ts'
import type { Data, VisitedSite } from './site.ts'
import { valuesOf } from './wire.ts'

describe.each(expressRows)('Express $version, on a store that answers $answers', (row) => {
  const { express } = row

  test('req.session and sessions.of(req) are the same object', async () => {
    const { ask } = await application(row, (app, sessions) => {
      app.use(session(sessions))
      app.get('/', (req: WithSession, res) => void res.send(String(req.session === sessions.of(req) && req.session !== undefined)))
    })

    expect((await ask()).body.toString()).toBe('true')
  })

  test('without the middleware there is no req.session', async () => {
    const { ask } = await application(row, (app, sessions) => {
      app.get('/without', (req: WithSession, res) => void res.send(typeof req.session))
      app.use(session(sessions))
      app.get('/with', (req: WithSession, res) => void res.send(typeof req.session))
    })

    expect((await ask({ path: '/with' })).body.toString()).toBe('object')
    expect((await ask({ path: '/without' })).body.toString()).toBe('undefined')
  })

  test('other middleware may put something of its own into req.session', async () => {
    const { ask } = await application(row, (app, sessions) => {
      app.use(session(sessions))
      app.get('/', (req: WithSession, res) => {
        req.session = { data: { count: 7 } }
        res.json([req.session.data.count, sessions.of(req).data.count, Object.keys(req).includes('session')])
      })
    })

    expect((await ask()).body.toString()).toBe('[7,0,true]')
  })

  test('a request that is made of another, as for a part of a page, has the session of that one', async () => {
    const { ask } = await application(row, (app, sessions) => {
      app.use(session(sessions))
      app.get('/', (req: WithSession, res, next: NextFunction) => {
        const part = Object.create(req) as WithSession
        session(sessions)(part as never, res, (error) => {
          if (error !== undefined) return next(error)
          res.send(String(sessions.of(part) === sessions.of(req) && sessions.of(part) !== undefined))
        })
      })
    })

    expect((await ask()).body.toString()).toBe('true')
  })

  describe('sub-applications and routers', () => {
    test('middleware in the root serves sub-applications and routers', async () => {
      const { ask, store } = await application(row, (app, sessions) => {
        const inner = express().get('/', counting(sessions), (req: WithSession, res) => void res.send(String(req.session?.data.count)))
        const outer = express().use('/inner', inner)
        const router = express
          .Router()
          .get('/', counting(sessions), (req: WithSession, res) => void res.send(String(req.session?.data.count)))
        app.use(session(sessions))
        app.use('/outer', outer)
        app.use('/router', router)
      })

      for (const [count, path] of [
        [1, '/outer/inner'],
        [2, '/router'],
      ] as const) {
        // prettier-ignore
        const answer = await ask({ path })
        expect(answer.body.toString()).toBe('1')
        expect(sids(answer)).toHaveLength(1)
        expect(store.acknowledged.size).toBe(count)
      }
    })

    test('middleware in a sub-application serves it alone', async () => {
      const { ask, store } = await application(row, (app, sessions) => {
        const shop = express().use(session(sessions), counting(sessions))
        shop.get('/', (_req, res) => void res.send('shop'))
        app.get('/health', (req: WithSession, res) => void res.send(typeof req.session))
        app.use('/shop', shop)
      })

      expect((await ask({ path: '/health' })).body.toString()).toBe('undefined')
      const answer = await ask({ path: '/shop' })
      expect([answer.body.toString(), sids(answer).length, store.acknowledged.size]).toEqual(['shop', 1, 1])
    })

    test('a request that leaves the sub-application is answered by the parent, committed', async () => {
      const { ask, store } = await application(row, (app, sessions) => {
        app.use('/shop', express().use(session(sessions), counting(sessions)))
        app.use((req: WithSession, res) => void res.status(404).json({ count: req.session?.data.count }))
      })

      const answer = await ask({ path: '/shop/nowhere' })
      expect([answer.status, answer.body.toString(), sids(answer).length, store.acknowledged.size]).toEqual([404, '{"count":1}', 1, 1])
    })

    test("an error of a sub-application is answered by the parent's error handler, committed", async () => {
      const { ask, store } = await application(row, (app, sessions) => {
        const shop = express().use(session(sessions), counting(sessions))
        shop.get('/', () => {
          throw new RangeError('out of stock')
        })
        app.use('/shop', shop)
        app.use(
          (error: Error, req: WithSession, res: Response, _next: NextFunction) =>
            void res.status(500).send(`${error.message}, ${req.session?.data.count}`),
        )
      })

      const answer = await ask({ path: '/shop' })
      expect([answer.status, answer.body.toString(), sids(answer).length, store.acknowledged.size]).toEqual([500, 'out of stock, 1', 1, 1])
    })

    test('a sub-application that two applications share is served in both', async () => {
      const shared = express()
      const build = async (): Promise<VisitedSite> =>
        await application(row, (app, sessions) => {
          app.use(session(sessions), counting(sessions))
          app.use(shared)
        })
      shared.get('/', (req: WithSession, res) => void res.send(String(req.session?.data.count)))
      const [one, other] = [await build(), await build()]

      for (const { ask, store } of [one, other]) {
        const answer = await ask()
        expect([answer.body.toString(), sids(answer).length, store.acknowledged.size]).toEqual(['1', 1, 1])
      }
    })
  })

  test('a part of a page, with a response of its own, leaves the commit to the page', async () => {
    const { ask } = await application(row, (app, sessions) => {
      app.use(session(sessions))
      app.get('/part', (_req, res) => void res.end('part'))
      app.get('/count', (req, res) => void res.send(String(sessions.of(req).data.count)))
      app.get('/', (req, res) => {
        sessions.of(req).data.count = 1
        req.url = '/part'
        app(req, new ServerResponse(req) as Response, () => {})
        setImmediate(() => {
          sessions.of(req).data.count = 7
          res.end('page')
        })
      })
    })
    const answer = await ask()
    const [cookie] = sids(answer)
    expect(answer.body.toString()).toBe('page')
    expect((await ask({ path: '/count', cookie: cookie!.slice(0, cookie!.indexOf(';')) })).body.toString()).toBe('7')
  })

  test('middleware that is mounted twice opens one session and commits once', async () => {
    const { ask, store } = await application(row, (app, sessions) => {
      const mounted = session(sessions)
      app.use(mounted)
      app.use((req: WithSession, _res, next) => {
        if (req.session) req.session.data.count += 1
        next()
      })
      app.use(mounted, session(sessions), counting(sessions))
      app.get('/', (req: WithSession, res) => void res.send(String(req.session?.data.count)))
    })

    const answer = await ask()
    expect([answer.body.toString(), sids(answer).length, store.acknowledged.size]).toEqual(['2', 1, 1])
  })

  test('two managers on one application each have their session and their cookie; req.session is the first', async () => {
    const admin = createSessions<Data>({ initial: () => ({ count: 100 }), cookie: { name: 'admin' } })
    onTestFinished(() => admin.close())
    const { ask } = await application(row, (app, sessions) => {
      app.use(session(sessions), session(admin))
      app.get('/', (req: WithSession, res) => {
        sessions.of(req).data.count += 1
        admin.of(req).data.count += 1
        res.json([sessions.of(req).data.count, admin.of(req).data.count, req.session === sessions.of(req)])
      })
    })

    const first = await ask()
    expect(first.body.toString()).toBe('[1,101,true]')
    const cookies = valuesOf(first.headers, 'set-cookie')
    expect(cookies).toEqual([expect.stringMatching(/^sid=[\w-]{48};/), expect.stringMatching(/^admin=[\w-]{48};/)])
    const cookie = cookies.map((value) => value.slice(0, value.indexOf(';'))).join('; ')
    expect((await ask({ cookie })).body.toString()).toBe('[2,102,true]')
  })
})
