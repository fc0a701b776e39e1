import { beforeEach, describe, expect, test } from 'vitest'
import { createSessions, type Session, type Sessions } from '../../src/index.ts'
import { cookieFor } from '../../src/testing/cookie-for.ts'
import { fakeClock } from '../../src/testing/fake-clock.ts'

interface Data {
  n: number
}

/** A slow request knows a record that has expired by its own times; another request has used the session since. */
describe('a slow request whose record looks expired, of a session that was used meanwhile', () => {
  let sessions: Sessions<Data>
  let cookie: string
  let slow: Session<Data>
  const open = () => sessions.open(new Request('http://localhost/', { headers: { cookie } }))

  beforeEach(async () => {
    const clock = fakeClock()
    sessions = createSessions<Data>({ clock, initial: () => ({ n: 0 }), timeouts: { idle: '10s', slice: '1s' } })
    cookie = await cookieFor(sessions, { userId: 'ada' })
    slow = await open()
    clock.advance(8000)
    const other = await open()
    other.data.n = 7
    await other.commit()
    clock.advance(4000)
  })

  test('logs out for good', async () => {
    await slow.logout()
    expect((await open()).userId).toBeNull()
  })

  test('logs in with the data of today, and the old token is dead', async () => {
    await slow.login('ada')
    expect(slow.data.n).toBe(7)
    expect((await open()).userId).toBeNull()
  })

  test('writes as any other', async () => {
    await slow.update((data) => void (data.n += 1))
    expect((await open()).data.n).toBe(8)
  })
})
