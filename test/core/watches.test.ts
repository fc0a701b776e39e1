import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import type { WatchEnd } from '../../src/core/watches.ts'
import { memory } from '../../src/stores/memory.ts'
import type { Maybe, SessionRecord } from '../../src/core/store.ts'
import { Counted, StoreOver } from './store-over.ts'
import { Site } from './site.ts'

// The checks are a matter of timers, which these tests turn by hand; the clock of the sessions is the site's own.
beforeEach(() => void vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] }))
afterEach(() => void vi.useRealTimers())

const interval = 10_000

/** Two processes on one store, and what a watcher in the first one heard. */
async function watched() {
  const store = memory()
  const here = new Site({ store })
  const there = new Site({ store, clock: here.clock })
  const browser = await here.member('ada')
  const heard: WatchEnd[] = []
  const stop = here.sessions.watch(browser.id!, (end) => heard.push(end))
  return { here, there, browser, heard, stop, id: browser.id! }
}

describe('who watches a session hears of its end', () => {
  test('by logout, at once', async () => {
    const { browser, heard } = await watched()
    await browser.send((session) => session.logout())
    expect(heard).toEqual(['logout'])
  })

  test('by the application, at once, and once', async () => {
    const { here, id, heard } = await watched()
    await here.sessions.end(id)
    await here.sessions.end(id)
    await here.sessions.endUser('ada')
    await vi.advanceTimersByTimeAsync(3 * interval)
    expect(heard).toEqual(['ended'])
  })

  test('by a login, which moves it to a new ID, at once', async () => {
    const { browser, heard } = await watched()
    await browser.send((session) => session.login('ada'))
    expect(heard).toEqual(['login'])
  })

  test('by a sweep, at once', async () => {
    const { here, heard } = await watched()
    here.clock.advance(3_600_000)
    await here.sessions.sweep()
    expect(heard).toEqual(['expired'])
  })

  test('by its time, within the interval, with no sweep', async () => {
    const { here, heard } = await watched()
    await vi.advanceTimersByTimeAsync(5 * interval)
    expect(heard).toEqual([])
    here.clock.advance(3_600_000)
    await vi.advanceTimersByTimeAsync(1.1 * interval)
    expect(heard).toEqual(['expired'])
  })

  test.each<[WatchEnd, (world: Awaited<ReturnType<typeof watched>>) => Promise<unknown>]>([
    ['ended', ({ there, id }) => there.sessions.end(id)],
    ['logout', ({ there, browser }) => there.browser(undefined, browser.token).send((session) => session.logout())],
    ['login', ({ there, browser }) => there.browser(undefined, browser.token).send((session) => session.login('ada'))],
    ['expired', ({ here, there }) => (here.clock.advance(3_600_000), there.sessions.sweep())],
  ])('by another process, within the interval: %s', async (end, act) => {
    const world = await watched()
    await act(world)
    expect(world.heard).toEqual([])
    await vi.advanceTimersByTimeAsync(1.1 * interval)
    expect(world.heard).toEqual([end])
  })

  test('also when it had ended before the watch began', async () => {
    const { here, id } = await watched()
    await here.sessions.end(id)
    const heard: WatchEnd[] = []
    here.sessions.watch(id, (end) => heard.push(end))
    await vi.advanceTimersByTimeAsync(1.1 * interval)
    expect(heard).toEqual(['ended'])
  })

  test('unless it stopped', async () => {
    const { here, id, heard, stop } = await watched()
    stop()
    stop()
    await here.sessions.end(id)
    await vi.advanceTimersByTimeAsync(3 * interval)
    expect(heard).toEqual([])
  })

  test('for each watch by itself, though all hand in one function', async () => {
    const { here, id } = await watched()
    let calls = 0
    const listener = (): void => void calls++
    const stop = here.sessions.watch(id, listener)
    here.sessions.watch(id, listener)
    stop()
    await here.sessions.end(id)
    expect(calls).toBe(1)
  })

  test('whatever another listener throws, which is told', async () => {
    const { here, id, heard } = await watched()
    here.sessions.watch(id, () => {
      throw new Error('broken')
    })
    here.sessions.watch(id, () => Promise.reject(new Error('broken later')))
    here.sessions.watch(id, (end) => heard.push(end))
    await here.sessions.end(id)
    await vi.advanceTimersByTimeAsync(0)
    expect(heard).toEqual(['ended', 'ended'])
    expect(here.errors).toEqual(['ERR_SOJOURN_LISTENER', 'ERR_SOJOURN_LISTENER'])
  })

  test('while renewal, writes and uses are no end', async () => {
    const { here, browser, heard } = await watched()
    for (let i = 0; i < 5; i++) {
      here.clock.advance(16 * 60_000)
      await browser.send((session) => void session.data.visits++)
      await vi.advanceTimersByTimeAsync(interval)
    }
    expect(heard).toEqual([])
  })
})

describe('watching costs', () => {
  test('one read of each session in an interval, however many sockets it has, spread over the time', async () => {
    const store = new Counted(memory())
    const site = new Site({ store })
    const browsers = await Promise.all(Array.from({ length: 100 }, (_, i) => site.member(`user ${i}`)))
    for (const { id } of browsers) for (let i = 0; i < 10; i++) site.sessions.watch(id!, () => {})
    store.calls.get = 0
    let most = 0
    for (let tick = 0; tick < 100; tick++) {
      const before = store.calls.get
      await vi.advanceTimersByTimeAsync(interval / 10)
      most = Math.max(most, store.calls.get - before)
    }
    expect(store.calls.get).toBeGreaterThanOrEqual(900)
    expect(store.calls.get).toBeLessThanOrEqual(1000)
    expect(most).toBeLessThanOrEqual(15)
  })

  test('one timer for all, and none when nobody watches', async () => {
    const site = new Site()
    const before = vi.getTimerCount()
    const browsers = await Promise.all(Array.from({ length: 20 }, (_, i) => site.member(`user ${i}`)))
    const idle = vi.getTimerCount()
    expect(idle).toBe(before)
    const stops = browsers.map(({ id }) => site.sessions.watch(id!, () => {}))
    expect(vi.getTimerCount()).toBe(before + 1)
    for (const stop of stops) stop()
    await vi.advanceTimersByTimeAsync(interval)
    expect(vi.getTimerCount()).toBe(before)
  })

  test('no pile of reads on a store that is slow', async () => {
    let reads = 0
    let atOnce = 0
    let going = 0
    class Slow extends StoreOver {
      override get(id: string): Maybe<SessionRecord | null> {
        reads++
        atOnce = Math.max(atOnce, ++going)
        return new Promise((resolve) => setTimeout(() => (going--, resolve(super.get(id))), 1500))
      }
    }
    const site = new Site({ store: new Slow(memory()) })
    const made: string[] = []
    site.sessions.on('loggedIn', ({ id }) => made.push(id))
    await Promise.all(Array.from({ length: 1000 }, (_, i) => site.member(`user ${i}`)))
    for (const id of made) site.sessions.watch(id, () => {})
    ;[reads, atOnce] = [0, 0]
    await vi.advanceTimersByTimeAsync(30_000)
    expect(reads).toBeGreaterThan(100)
    expect(atOnce).toBeLessThanOrEqual(16)
  })
})

test('a store that can not be read is told of, ends nothing, and is asked again', async () => {
  class Failing extends StoreOver {
    isAway = false
    override get(id: string, options?: { readonly fresh?: boolean }): Maybe<SessionRecord | null> {
      if (this.isAway) throw new Error('away')
      return super.get(id, options)
    }
  }
  const store = new Failing(memory())
  const [here, there] = [new Site({ store }), new Site({ store: store.next })]
  const { id } = await here.member()
  const heard: WatchEnd[] = []
  here.sessions.watch(id!, (end) => heard.push(end))
  store.isAway = true
  await there.sessions.end(id!)
  await vi.advanceTimersByTimeAsync(2 * interval)
  expect(heard).toEqual([])
  expect(new Set(here.errors)).toEqual(new Set(['ERR_SOJOURN_STORE']))
  store.isAway = false
  await vi.advanceTimersByTimeAsync(1.1 * interval)
  expect(heard).toEqual(['ended'])
})

test('what a cache in front says is no end until the store says so', async () => {
  class Cached extends StoreOver {
    override get(id: string, options?: { readonly fresh?: boolean }): Maybe<SessionRecord | null> {
      return options?.fresh === true ? super.get(id, options) : null
    }
  }
  const store = memory()
  const { id } = await new Site({ store }).member()
  const site = new Site({ store: new Cached(store) })
  const heard: WatchEnd[] = []
  site.sessions.watch(id!, (end) => heard.push(end))
  await vi.advanceTimersByTimeAsync(2 * interval)
  expect(heard).toEqual([])
})

test('closed sessions watch nothing more, and call nobody', async () => {
  const { here, there, id, heard } = await watched()
  await here.sessions.close()
  await there.sessions.end(id).catch(() => {})
  await vi.advanceTimersByTimeAsync(3 * interval)
  expect(here.sessions.watch(id, () => {})()).toBeUndefined()
  expect(heard).toEqual([])
})

test.each([null, '', 'x', 'a'.repeat(48), 7])('%j is no ID to watch', (id) => {
  expect(() => new Site().sessions.watch(id as string, () => {})).toThrow(expect.objectContaining({ code: 'ERR_SOJOURN_OPTION' }))
})
