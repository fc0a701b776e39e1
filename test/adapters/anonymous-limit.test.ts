import { setTimeout as delay } from 'node:timers/promises'
import { describe, expect, test } from 'vitest'
import { session as expressSession } from '../../src/adapters/express.ts'
import { session as fastifySession } from '../../src/adapters/fastify.ts'
import { application, counting, expressRows, sids } from './express-application.ts'
import { application as fastifyApplication, fastifyRows } from './fastify-application.ts'
import { site, type SiteOptions, type VisitedSite } from './site.ts'

const limits = { anonymousTotal: 1 }

const rows: { name: string; start: () => Promise<VisitedSite> }[] = [
  ...[false, true].map((http2) => ({
    name: http2 ? 'http2' : 'http',
    start: () =>
      site((_req, res, session) => res.end(String((session.data.count += 1))), { http2, sessions: { limits } } satisfies SiteOptions),
  })),
  ...expressRows.map((row) => ({
    name: `Express ${row.version}, a store that answers ${row.answers}`,
    start: () =>
      application(
        row,
        (app, sessions) => {
          app.use(expressSession(sessions), counting(sessions))
          app.get('/', (req, res) => void res.send(String(sessions.of(req).data.count)))
        },
        { limits },
      ),
  })),
  ...fastifyRows.map((row) => ({
    name: `Fastify 5, a store that answers ${row.answers}`,
    start: () =>
      fastifyApplication(
        row,
        async (app, sessions) => {
          await app.register(fastifySession, { sessions })
          app.get('/', (request) => String((sessions.of(request).data.count += 1)))
        },
        { sessions: { limits } },
      ),
  })),
]

describe.each(rows)('over $name', ({ start }) => {
  test('an anonymous session that is one too many is served, with no cookie, not stored, and no loss is reported afterwards', async () => {
    const { ask, store, errors, sessions } = await start()
    const limited: unknown[] = []
    sessions.on('limited', (event) => limited.push(event))
    expect(sids(await ask())).toHaveLength(1)
    for (let i = 0; i < 3; i++) {
      const answer = await ask()
      expect([answer.status, answer.body.toString(), sids(answer)]).toEqual([200, '1', []])
    }
    expect(store.acknowledged.size).toBe(1)
    expect(limited).toEqual([{ limit: 'anonymousTotal', network: null }])
    await delay(700) // Late changes are looked for half a second after an answer.
    expect(errors).toEqual([])
  })
})
