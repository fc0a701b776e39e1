import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import type { Maybe, Touch } from '../../src/core/store.ts'
import { memory } from '../../src/stores/memory.ts'
import { hours, idle, minutes, renew, Site, slice, start } from './site.ts'
import { Counted, Later, StoreOver, turn } from './store-over.ts'

beforeEach(() => void vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] }))
afterEach(() => void vi.useRealTimers())

/** The time after which a batch is sent. */
const batchTime = 1000

describe('a session that is only read', () => {
  test('costs one store read each time and no write within a slice of its last use', async () => {
    const store = new Counted(memory())
    const site = new Site({ store })
    const owner = await site.member()
    const before = { ...store.calls }
    for (let i = 1; i <= 1000; i++) {
      site.clock.set(start + Math.floor((i * slice) / 1000))
      expect(await owner.send((session) => [session.userId, session.data.visits])).toEqual(['ada', 0])
    }
    vi.advanceTimersByTime(2 * batchTime)
    expect(store.calls).toEqual({ ...before, get: before.get + 1000 })
  })

  test('is noted once for a thousand reads after that', async () => {
    const store = new Counted(memory())
    const site = new Site({ store })
    const owner = await site.member()
    const { put } = store.calls
    site.clock.advance(slice + 1)
    for (let i = 0; i < 1000; i++) await owner.visit()
    expect(store.calls.touch).toBe(0)
    vi.advanceTimersByTime(batchTime)
    expect(store.touches.map((batch) => batch.length)).toEqual([1])
    expect(store.calls.put).toBe(put)
    expect((await site.record(owner))!.lastSeenAt).toBe(site.clock.now())
    for (let i = 0; i < 1000; i++) await owner.visit()
    vi.advanceTimersByTime(batchTime)
    expect(store.calls.touch).toBe(1)
  })

  test('is noted in one batch with others, of five hundred at most', async () => {
    const store = new Counted(memory())
    const site = new Site({ store })
    const members = await Promise.all(Array.from({ length: 1200 }, (_, i) => site.member(`user ${i}`)))
    site.clock.advance(slice + 1)
    for (const member of members) await member.visit()
    expect(store.touches.map((batch) => batch.length)).toEqual([500, 500])
    vi.advanceTimersByTime(batchTime)
    expect(store.touches.map((batch) => batch.length)).toEqual([500, 500, 200])
    for (const member of members) expect((await site.record(member))!.lastSeenAt).toBe(site.clock.now())
  })

  test('is noted by the write where there is one', async () => {
    const store = new Counted(memory())
    const site = new Site({ store })
    const owner = await site.member()
    site.clock.advance(slice + 1)
    await owner.send((session) => void session.data.visits++)
    vi.advanceTimersByTime(batchTime)
    expect(store.calls.touch).toBe(0)
    expect((await site.record(owner))!.lastSeenAt).toBe(site.clock.now())
  })

  test('keeps its version', async () => {
    const site = new Site()
    const owner = await site.member()
    const { version } = (await site.record(owner))!
    site.clock.advance(slice + 1)
    await owner.visit()
    vi.advanceTimersByTime(batchTime)
    expect((await site.record(owner))!).toMatchObject({ version, lastSeenAt: start + slice + 1, expiresAt: start + idle + 2 * slice + 1 })
  })

  test('is noted also where its new secret is waited for', async () => {
    const site = new Site()
    const owner = await site.member()
    const fixed = owner.token
    site.clock.advance(renew)
    // The first new secret, then, within the wait for it, uses of the old one.
    for (const ms of [0, 40_000, 80_000, 150_000]) {
      site.clock.set(start + renew + ms)
      owner.token = fixed
      await owner.visit()
    }
    for (let ms = 4 * minutes; ms < 14 * minutes; ms += minutes) {
      site.clock.set(start + renew + ms)
      owner.token = fixed
      await owner.visit()
      vi.advanceTimersByTime(batchTime)
      expect(site.clock.now() - (await site.record(owner))!.lastSeenAt).toBeLessThanOrEqual(slice)
    }
  })
})

/** Does not note uses while it is told to fail. */
class Forgetful extends StoreOver {
  fails = true

  override touch(batch: readonly Touch[]): Maybe<void> {
    if (this.fails) throw new Error('no room for notes')
    return super.touch(batch)
  }
}

describe.each([
  ['at once', (store: StoreOver) => store],
  ['later', (store: StoreOver) => new Later(store)],
])('on a store that answers %s', (_, answering) => {
  test('a use within a slice of the end is noted before the answer', async () => {
    const kept = memory()
    const site = new Site({ store: answering(new StoreOver(kept)), timeouts: { renew: '11h' } })
    const owner = await site.member()
    const session = await owner.open()
    site.clock.advance(idle + 1)
    const answer = session.commit().then(() => kept.get(owner.id!))
    expect(await answer).toMatchObject({ lastSeenAt: start + idle + 1, expiresAt: start + idle + 1 + idle + slice })
  })

  test('its failure is reported, and the request served', async () => {
    const store = new Forgetful(memory())
    const site = new Site({ store: answering(store), timeouts: { renew: '11h' } })
    const owner = await site.member()
    site.clock.advance(idle + 1)
    expect(await owner.visit()).toBe('ada')
    expect(site.errors).toEqual(['ERR_SOJOURN_STORE'])
    store.fails = false
    expect(await owner.visit()).toBe('ada')
    expect((await site.record(owner))!.lastSeenAt).toBe(site.clock.now())
  })

  test('a batch that fails is reported, and the next one goes out', async () => {
    const store = new Forgetful(memory())
    const site = new Site({ store: answering(store) })
    const owner = await site.member()
    site.clock.advance(slice + 1)
    expect(await owner.visit()).toBe('ada')
    expect(site.errors).toEqual([])
    vi.advanceTimersByTime(batchTime)
    await turn()
    await turn()
    expect(site.errors).toEqual(['ERR_SOJOURN_STORE'])
    store.fails = false
    expect(await owner.visit()).toBe('ada')
    vi.advanceTimersByTime(batchTime)
    await turn()
    await turn()
    expect((await site.record(owner))!.lastSeenAt).toBe(site.clock.now())
    expect(site.errors).toHaveLength(1)
  })
})

describe('a noted use', () => {
  test('never revives a session that ended before the batch went out', async () => {
    const site = new Site()
    const [ended, out, moved] = [await site.member(), await site.member(), await site.member()]
    const copies = [ended, out, moved].map((browser) => site.browser(undefined, browser.token))
    site.clock.advance(slice + 1)
    for (const copy of copies) await copy.visit()
    await site.sessions.end(ended.id!)
    await out.send(async (session) => await session.logout())
    await moved.send(async (session) => await session.login('ada'))
    vi.advanceTimersByTime(batchTime)
    for (const copy of copies) {
      expect(await copy.visit()).toBeNull()
      expect((await site.record(copy))!.expiresAt).toBe(site.clock.now() + minutes)
    }
  })

  test('never revives one that expired meanwhile', async () => {
    const site = new Site({ timeouts: { renew: '11h' } })
    const owner = await site.member()
    const slow = await owner.open()
    site.clock.advance(idle + slice)
    slow.touch()
    await slow.commit()
    vi.advanceTimersByTime(batchTime)
    expect((await site.record(owner))!.expiresAt).toBe(site.clock.now())
    expect(await owner.visit()).toBeNull()
  })

  test('never makes a session live longer than its absolute timeout, nor shorter than it was', async () => {
    const site = new Site({ timeouts: { idle: '2h', absolute: '3h', renew: '2h' } })
    const owner = await site.member()
    for (const at of [hours, 2 * hours, 2.5 * hours, 3 * hours - 1]) {
      site.clock.set(start + at)
      const before = (await site.record(owner))!.expiresAt
      expect(await owner.visit()).toBe('ada')
      vi.advanceTimersByTime(batchTime)
      const { expiresAt } = (await site.record(owner))!
      expect(expiresAt).toBeGreaterThanOrEqual(before)
      expect(expiresAt).toBeLessThanOrEqual(start + 3 * hours)
    }
  })

  test('gives way to a write that came between', async () => {
    const site = new Site()
    const owner = await site.member()
    site.clock.advance(slice + 1)
    await owner.visit()
    site.clock.advance(1)
    await owner.send((session) => void session.data.cart.push('tea'))
    vi.advanceTimersByTime(batchTime)
    expect((await site.record(owner))!.lastSeenAt).toBe(site.clock.now())
    expect(await owner.send((session) => session.data.cart)).toEqual(['tea'])
    expect(site.errors).toEqual([])
  })
})

describe('session.touch()', () => {
  test('notes a use now, within the slice too, before the answer', async () => {
    const store = new Counted(memory())
    const site = new Site({ store })
    const owner = await site.member()
    site.clock.advance(1)
    await owner.send((session) => session.touch())
    expect(store.calls.touch).toBe(1)
    expect((await site.record(owner))!).toMatchObject({ lastSeenAt: start + 1, expiresAt: start + 1 + idle + slice })
  })

  test('does so with a write in the same request', async () => {
    const site = new Site()
    const owner = await site.member()
    site.clock.advance(1)
    await owner.send((session) => {
      session.data.visits++
      session.touch()
    })
    expect((await site.record(owner))!.lastSeenAt).toBe(start + 1)
  })

  test('stores nothing for a new visitor', async () => {
    const store = new Counted(memory())
    const site = new Site({ store })
    await site.browser().send((session) => session.touch())
    expect(store.calls).toEqual({ get: 0, put: 0, touch: 0, delete: 0, sweep: 0 })
  })
})
