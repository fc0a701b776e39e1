import { expect, onTestFinished, test } from 'vitest'
import { createSessions } from '../../src/sessions.ts'
import { cookieFor, fakeClock } from '../../src/testing/index.ts'

test('a fake clock stands still until it is moved', async () => {
  const clock = fakeClock(1000)
  await new Promise((resolve) => setTimeout(resolve, 5))
  expect(clock.now()).toBe(1000)
  clock.advance(500)
  expect(clock.now()).toBe(1500)
  clock.advance(-1000)
  expect(clock.now()).toBe(500)
  clock.set(7)
  expect(clock.now()).toBe(7)
})

test('it begins now, unless it is told when', () => {
  const before = Date.now()
  const start = fakeClock().now()
  expect(start).toBeGreaterThanOrEqual(before)
  expect(start).toBeLessThanOrEqual(Date.now())
})

test('two clocks go each by itself', () => {
  const [one, other] = [fakeClock(0), fakeClock(0)]
  one.advance(60_000)
  expect(other.now()).toBe(0)
})

test('sessions live by it: half an hour of it without a visit ends one', async () => {
  const clock = fakeClock(0)
  const sessions = createSessions({ clock, timeouts: { idle: '30m', slice: '1m' } })
  onTestFinished(() => sessions.close())
  const cookie = await cookieFor(sessions, { userId: 'ada' })
  const visit = async () => (await sessions.open(new Request('http://localhost/', { headers: { cookie } }))).userId

  clock.advance(30 * 60_000)
  expect(await visit()).toBe('ada')
  clock.advance(60_000)
  expect(await visit()).toBeNull()
})
