import { afterEach, expect, test, vi } from 'vitest'
import type { Maybe, Swept } from '../../src/core/store.ts'
import { createSessions } from '../../src/sessions.ts'
import { memory } from '../../src/stores/memory.ts'
import { fakeClock } from '../../src/testing/fake-clock.ts'
import { StoreOver } from './store-over.ts'

afterEach(() => void vi.useRealTimers())

/** A store whose server has a clock of its own. */
class Timed extends StoreOver {
  sweeps = 0
  readonly #time: () => Maybe<number>

  constructor(time: () => Maybe<number>) {
    super(memory())
    this.#time = time
  }

  time(): Maybe<number> {
    return this.#time()
  }

  override sweep(now: number, limit: number): Maybe<Swept> {
    this.sweeps++
    return super.sweep(now, limit)
  }
}

test.each([31_000, -31_000, 86_400_000])(
  'a process whose clock is %i ms from the server’s does not sweep, and says so',
  async (distance) => {
    for (const answer of [(time: number) => time, async (time: number) => await Promise.resolve(time)]) {
      const store = new Timed(() => answer(Date.now() - distance))
      await expect(createSessions({ store }).sweep()).rejects.toMatchObject({
        code: 'ERR_SOJOURN_CLOCK',
        message: expect.stringMatching(new RegExp(`${Math.abs(distance) / 1000} s apart.*NTP`)),
      })
      expect(store.sweeps).toBe(0)
    }
  },
)

test.each([29_000, -29_000, 0])('%i ms are no hindrance', async (distance) => {
  const store = new Timed(() => Date.now() - distance)
  expect(await createSessions({ store }).sweep()).toBe(0)
  expect(store.sweeps).toBe(1)
})

test('the time that the server takes to answer is not held against it', async () => {
  vi.useFakeTimers({ toFake: ['Date'] })
  const store = new Timed(async () => {
    const time = Date.now()
    vi.setSystemTime(time + 60_000)
    return await Promise.resolve(time + 25_000)
  })
  expect(await createSessions({ store }).sweep()).toBe(0)
})

test('a clock that was handed in is taken at its word', async () => {
  const store = new Timed(() => Date.now() - 86_400_000)
  expect(await createSessions({ store, clock: fakeClock() }).sweep()).toBe(0)
  expect(store.sweeps).toBe(1)
})

test('the sweeper tells of it each time, and sweeps once the clock is right', async () => {
  let distance = 60_000
  const store = new Timed(() => Date.now() - distance)
  const sessions = createSessions({ store, sweepInterval: '10ms' })
  const codes: string[] = []
  sessions.on('error', ({ error }) => void codes.push(error.code))
  await vi.waitFor(() => expect(codes.length).toBeGreaterThan(1))
  expect(new Set(codes)).toEqual(new Set(['ERR_SOJOURN_CLOCK']))
  expect(store.sweeps).toBe(0)
  distance = 0
  await vi.waitFor(() => expect(store.sweeps).toBeGreaterThan(0))
  await sessions.close()
})

test('a server that does not tell its time is a store’s failure', async () => {
  const store = new Timed(() => {
    throw new Error('the clock has stopped')
  })
  await expect(createSessions({ store }).sweep()).rejects.toMatchObject({ code: 'ERR_SOJOURN_STORE', status: 503 })
})

test('an interval longer than Node’s timers know does not make it sweep all the time', async () => {
  const store = new Timed(() => Date.now())
  const sessions = createSessions({ store, sweepInterval: '60d' })
  await new Promise((resolve) => setTimeout(resolve, 30))
  expect(store.sweeps).toBe(0)
  await sessions.close()
})
