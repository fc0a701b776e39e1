import { describe, expect, test } from 'vitest'
import { cookieFor } from '../../src/testing/cookie-for.ts'
import { type SiteOptions, site, type VisitedSite } from './site.ts'
import { valueOf, valuesOf } from './wire.ts'

const endings = [
  {
    what: 'was ended by the application',
    code: 'ERR_SOJOURN_ENDED',
    end: async (sessions: VisitedSite['sessions'], id: string) => void (await sessions.end(id)),
  },
  {
    what: 'was logged out elsewhere',
    code: 'ERR_SOJOURN_ENDED',
    end: async (sessions: VisitedSite['sessions'], _id: string, cookie: string) => {
      const other = await sessions.open(new Request('http://localhost/', { headers: { cookie } }))
      await other.logout()
    },
  },
  {
    what: 'moved by a login elsewhere',
    code: 'ERR_SOJOURN_MOVED',
    end: async (sessions: VisitedSite['sessions'], _id: string, cookie: string) => {
      const other = await sessions.open(new Request('http://localhost/', { headers: { cookie } }))
      await other.login('ada')
    },
  },
]

/** A site whose session ends while its handler has it open and has changed it. */
async function endingSite({ end }: (typeof endings)[number], options: SiteOptions) {
  let cookie = ''
  const made = await site(async (_req, res, session) => {
    session.data.count += 1
    await end(made.sessions, session.id ?? '', cookie)
    res.setHeader('Set-Cookie', 'theme=dark')
    res.setHeader('Content-Type', 'text/html')
    res.end('<p>done</p>')
  }, options)
  cookie = await cookieFor(made.sessions, { data: { count: 41 } })
  return { ...made, ask: (method: string, headers: Record<string, string> = {}) => made.ask({ method, cookie, headers }) }
}

const rows = [false, true].flatMap((http2) =>
  [0, 4].map((delay) => ({ http2, delay, over: http2 ? 'http2' : 'http', answers: delay === 0 ? 'at once' : 'late' })),
)

describe.each(rows)('over $over, on a store that answers $answers', ({ http2, delay }) => {
  describe.each(endings)('when the session $what', (ending) => {
    test.each(['POST', 'PUT', 'PATCH', 'DELETE'])('a %s that changed it is answered 409, and the loss is reported', async (method) => {
      const { ask, errors, store } = await endingSite(ending, { http2, delay })

      const { status, headers, body } = await ask(method)
      expect(status).toBe(409)
      expect(body.toString()).toMatch(/^Session [\w-]{16} .*changes were not stored/)
      expect(valueOf(headers, 'content-type')).toBe('text/plain; charset=utf-8')
      expect(valueOf(headers, 'retry-after')).toBeUndefined()
      expect(valuesOf(headers, 'set-cookie'), 'no cookie, so that a newer one is not clobbered').toEqual([])
      expect(errors).toEqual([ending.code])
      expect([...store.acknowledged.values()].filter(({ data }) => data.includes('42'))).toEqual([])
    })

    test.each(['GET', 'HEAD', 'OPTIONS'])('a %s passes, and the loss is reported', async (method) => {
      const { ask, errors, store } = await endingSite(ending, { http2, delay })

      const { status, headers, body } = await ask(method)
      expect(status).toBe(200)
      expect(body.toString()).toBe(method === 'HEAD' ? '' : '<p>done</p>')
      expect(valueOf(headers, 'content-type')).toBe('text/html')
      expect(valuesOf(headers, 'set-cookie')).toEqual(['theme=dark'])
      expect(errors).toEqual([ending.code])
      expect([...store.acknowledged.values()].filter(({ data }) => data.includes('42'))).toEqual([])
    })

    test('the 409 is JSON for who speaks it', async () => {
      const { ask } = await endingSite(ending, { http2, delay })

      expect(JSON.parse((await ask('POST', { accept: 'application/json' })).body.toString())).toEqual({
        error: { code: ending.code, message: expect.stringContaining('not stored') },
      })
    })
  })

  test('a request that only read is served, whatever became of the session', async () => {
    const { ask, sessions, errors } = await site(
      async (_req, res, session) => {
        const { count } = session.data
        await sessions.end(session.id ?? '')
        res.end(`${count}`)
      },
      { http2, delay },
    )
    const cookie = await cookieFor(sessions, { data: { count: 41 } })

    expect((await ask({ method: 'POST', cookie })).body.toString()).toBe('41')
    expect(errors).toEqual([])
  })
})
