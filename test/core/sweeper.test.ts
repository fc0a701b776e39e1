import { afterEach, describe, expect, test, vi } from 'vitest'
import type { Maybe, Swept } from '../../src/core/store.ts'
import { memory } from '../../src/stores/memory.ts'
import { days, grace, idle, Site, slice } from './site.ts'
import { Counted, Later, StoreOver, turn } from './store-over.ts'

afterEach(() => void vi.useRealTimers())

describe('a sweep', () => {
  test('removes what has expired and reports each session once', async () => {
    const site = new Site()
    const members = await Promise.all(Array.from({ length: 30 }, (_, i) => site.member(`user ${i}`)))
    const anonymous = await site.visitor()
    const remembered = await site.member('alan', { remember: true })
    site.clock.advance(idle + slice - 1)
    expect(await site.sessions.sweep()).toBe(0)
    site.clock.advance(1)
    expect(await site.sessions.sweep()).toBe(31)
    expect(await site.sessions.sweep()).toBe(0)
    const expected = [...members.map(({ id }, i) => ({ id, userId: `user ${i}` })), { id: anonymous.id, userId: null }]
    expect(site.told('expired').toSorted(byId)).toEqual(expected.toSorted(byId))
    expect(await remembered.visit()).toBe('alan')
    expect(await site.record(members[0]!)).toBeNull()
  })

  test('removes tombstones a grace after the end, and says nothing of them', async () => {
    const site = new Site()
    const [out, ended, moved] = [await site.member(), await site.member(), await site.member()]
    const ids = [out, ended, moved].map(({ id }) => id!)
    await out.send(async (session) => await session.logout())
    await site.sessions.end(ended.id!)
    await moved.send(async (session) => await session.login('alan'))
    site.clock.advance(grace - 1)
    expect(await site.sessions.sweep()).toBe(0)
    site.clock.advance(1)
    expect(await site.sessions.sweep()).toBe(3)
    for (const id of ids) expect(await site.store.get(id)).toBeNull()
    expect(site.told('expired')).toEqual([])
    expect(await moved.visit()).toBe('alan')
  })

  test('asked for twice at once is one', async () => {
    const store = new Counted(new Later(memory()))
    const site = new Site({ store })
    await Promise.all(Array.from({ length: 10 }, () => site.member()))
    site.clock.advance(days)
    expect(await Promise.all([site.sessions.sweep(), site.sessions.sweep()])).toEqual([10, 10])
    expect(store.calls.sweep).toBe(1)
    expect(site.told('expired')).toHaveLength(10)
  })

  test('of two processes at once reports each session once', async () => {
    const store = new Later(memory())
    const sites = [new Site({ store }), new Site({ store })]
    await Promise.all(Array.from({ length: 500 }, () => sites[0]!.member()))
    for (const { clock } of sites) clock.advance(days)
    const counts = await Promise.all(sites.map(({ sessions }) => sessions.sweep()))
    expect(counts[0]! + counts[1]!).toBe(500)
    const ids = sites.flatMap((site) => site.told('expired').map(({ id }) => id))
    expect([ids.length, new Set(ids).size]).toEqual([500, 500])
  })

  test('works in bounded batches and leaves the event loop free between them', async () => {
    const limits: number[] = []
    let free = 0
    const freeAt: number[] = []
    class Watched extends StoreOver {
      override sweep(now: number, limit: number): Maybe<Swept> {
        limits.push(limit)
        freeAt.push(free)
        return super.sweep(now, limit)
      }
    }
    const site = new Site({ store: new Watched(memory()) })
    for (let i = 0; i < 3000; i++) await site.visitor()
    site.clock.advance(days)
    let sweeping = true
    const beat = (): void => {
      free++
      if (sweeping) setImmediate(beat)
    }
    setImmediate(beat)
    expect(await site.sessions.sweep()).toBe(3000)
    sweeping = false
    expect(Math.max(...limits)).toBeLessThanOrEqual(500)
    expect(limits.length).toBeGreaterThanOrEqual(3000 / 500)
    for (let i = 1; i < freeAt.length; i++) expect(freeAt[i]).toBeGreaterThan(freeAt[i - 1]!)
  })
})

describe('the sweeper', () => {
  test('sweeps by itself', async () => {
    const site = new Site({ sweepInterval: '20ms' })
    const owner = await site.member()
    site.clock.advance(days)
    await vi.waitFor(() => expect(site.told('expired')).toEqual([{ id: owner.id, userId: 'ada' }]))
    await site.sessions.close()
  })

  test('comes about every minute, jittered by a quarter, each time anew', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
    const gaps: number[] = []
    for (let process = 0; process < 10; process++) {
      const store = new Counted(memory())
      const site = new Site({ store })
      let last = 0
      for (let passed = 100; passed <= 10 * 60_000; passed += 100) {
        const before = store.calls.sweep
        vi.advanceTimersByTime(100)
        await turn()
        if (store.calls.sweep === before) continue
        gaps.push(passed - last)
        last = passed
      }
      await site.sessions.close()
    }
    expect(gaps.length).toBeGreaterThan(75)
    expect(Math.min(...gaps)).toBeGreaterThanOrEqual(45_000 - 100)
    expect(Math.max(...gaps)).toBeLessThanOrEqual(75_000 + 100)
    expect(new Set(gaps).size).toBeGreaterThan(40)
    expect(Math.max(...gaps) - Math.min(...gaps)).toBeGreaterThan(15_000)
  })

  test.each([
    ['at once', (store: StoreOver) => store],
    ['later', (store: StoreOver) => new Later(store)],
  ])('tells of a sweep that failed %s, and tries again', async (_, answering) => {
    let fails = 2
    class Failing extends StoreOver {
      override sweep(now: number, limit: number): Maybe<Swept> {
        if (fails-- > 0) throw new Error('the disk is asleep')
        return super.sweep(now, limit)
      }
    }
    const site = new Site({ store: answering(new Failing(memory())), sweepInterval: '20ms' })
    await site.member()
    site.clock.advance(days)
    await vi.waitFor(() => expect(site.told('expired')).toHaveLength(1))
    expect(site.errors).toEqual(['ERR_SOJOURN_STORE', 'ERR_SOJOURN_STORE'])
    await site.sessions.close()
  })

  test('does not make a failed sweep() of the application’s own a silent one', async () => {
    class Failing extends StoreOver {
      override sweep(): Maybe<Swept> {
        throw new Error('the disk is asleep')
      }
    }
    await expect(new Site({ store: new Failing(memory()) }).sessions.sweep()).rejects.toMatchObject({
      code: 'ERR_SOJOURN_STORE',
      status: 503,
    })
  })
})

function byId(a: { id: string | null }, b: { id: string | null }): number {
  return a.id! < b.id! ? -1 : 1
}
