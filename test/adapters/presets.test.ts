import { describe, expect, test } from 'vitest'
import { fakeClock } from '../../src/testing/fake-clock.ts'
import { everyAdapter } from './every-adapter.ts'
import { valueOf } from './wire.ts'

const minutes = 60_000

describe.each(everyAdapter)('over $adapter', ({ start }) => {
  test.each([false, true])('a policy ends a login at its very millisecond, remembered: %s', async (remember) => {
    for (const [unused, user] of [
      [15 * minutes - 1, 'ada'],
      [15 * minutes, 'null'],
    ] as const) {
      const clock = fakeClock()
      const { ask } = await start(
        async (req, res, session) => {
          if (req.url === '/login') await session.login('ada', { remember })
          res.end(String(session.userId))
        },
        { sessions: { clock, policy: 'nist-aal3' } },
      )
      const set = valueOf((await ask({ path: '/login' })).headers, 'set-cookie')!
      expect(/Max-Age=43200;/.test(set)).toBe(remember)
      clock.advance(unused)
      expect((await ask({ cookie: set.replace(/;.*/, '') })).body.toString()).toBe(user)
    }
  })
})
