import { setTimeout as pause } from 'node:timers/promises'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { describe, expect, test } from 'vitest'
import type { ChangeListener, GetOptions, Maybe, SessionRecord } from '../../src/core/store.ts'
import { TimedStore } from '../../src/core/timed-store.ts'
import { memory } from '../../src/stores/memory.ts'
import { OwnWrites } from '../../src/stores/redis/own-writes.ts'
import { tiered, type TieredOptions } from '../../src/stores/tiered.ts'
import { Recent } from '../../src/stores/tiered/recent.ts'
import { WriteThrough } from '../../src/stores/tiered/write-through.ts'
import { after, collect, insert, insertMany, newRecord, touchOf } from '../../src/testing/store-cases/rule.ts'
import { Counted, turn } from '../core/store-over.ts'

/** The memory store as one behind a wire: each read waits until it is let through. */
class Gated extends Counted {
  readonly waiting: (() => void)[] = []

  override async get(id: string, options?: { readonly fresh?: boolean }): Promise<SessionRecord | null> {
    const found = await super.get(id, options)
    await new Promise<void>((resolve) => this.waiting.push(resolve))
    return found
  }

  async letThrough(): Promise<void> {
    for (const open of this.waiting.splice(0)) open()
    await turn()
  }
}

/** A store that tells of changes, by the test's hand. */
class Telling extends Counted {
  listener: ChangeListener | null = null
  ended = false

  watchChanges(listener: ChangeListener): () => void {
    this.listener = listener
    return () => void (this.ended = true)
  }
}

describe('a near-cache', () => {
  test('answers at once, with the record itself, and asks nobody', async () => {
    const next = new Counted(memory())
    const store = tiered({ next })
    const record = await insert(store)
    for (let i = 0; i < 100; i++) expect(store.get(record.id)).toBe(record)
    expect(next.calls.get).toBe(0)
    expect(store.get(record.id, { fresh: true })).toEqual(record)
    expect(next.calls.get).toBe(1)
  })

  test('asks again when the bound has passed since the read was sent, not since it was answered', async () => {
    let now = 0
    const data = memory()
    const next = new Gated(data)
    const store = new WriteThrough(next, { maxBytes: 1e6, staleness: { told: 100, untold: 100 } }, () => now)
    const record = await insert(data)
    const read = store.get(record.id)
    await turn()
    now = 90
    await next.letThrough()
    expect(await read).toEqual(record)
    now = 99
    expect(store.get(record.id)).toEqual(record)
    now = 100
    void store.get(record.id)
    expect(next.calls.get).toBe(2)
  })

  test('shares reads: any number that may be old in one, any number of fresh ones in the next, and no more', async () => {
    const data = memory()
    const next = new Gated(data)
    const store = tiered({ next })
    const record = await insert(data)
    const old = Array.from({ length: 50 }, () => store.get(record.id))
    await turn()
    expect(next.calls.get).toBe(1)
    const newer = after(record)
    await data.put(newer, record.version)
    const fresh = Array.from({ length: 50 }, () => store.get(record.id, { fresh: true }))
    expect(next.calls.get).toBe(1)
    await next.letThrough()
    expect(await Promise.all(old)).toEqual(old.map(() => record))
    expect(next.calls.get).toBe(2)
    const later = store.get(record.id, { fresh: true })
    const newest = after(newer)
    await data.put(newest, newer.version)
    await next.letThrough()
    expect(await Promise.all(fresh)).toEqual(fresh.map(() => newer))
    await next.letThrough()
    expect(await later).toEqual(newest)
    expect(next.calls.get).toBe(3)
  })

  test('waits for no read that was lost, and shares the failure of none that another gave up', async () => {
    const data = memory()
    const next = new Gated(data)
    const store = tiered({ next })
    const record = await insert(data)
    void store.get(record.id)
    const fresh = store.get(record.id, { fresh: true })
    await pause(1100)
    expect(next.calls.get).toBe(2)
    next.waiting.shift()
    await next.letThrough()
    expect(await fresh).toEqual(record)

    class GivenUp extends Counted {
      override async get(id: string, options?: GetOptions): Promise<SessionRecord | null> {
        const signal = options?.signal
        const found = await super.get(id)
        await new Promise((resolve, reject) => {
          signal!.addEventListener('abort', () => reject(signal!.reason as Error))
          if (this.calls.get > 1) resolve(null)
        })
        return found
      }
    }
    const hung = new GivenUp(data)
    const cached = tiered({ next: hung })
    const hasty = new TimedStore(cached, 50).get(record.id) as Promise<unknown>
    const patient = new TimedStore(cached, 2000).get(record.id) as Promise<unknown>
    await expect(hasty).rejects.toMatchObject({ code: 'ERR_SOJOURN_STORE' })
    expect(await patient).toEqual(record)
  })

  test('keeps no record that is gone, and none of which a write failed', async () => {
    class Failing extends Counted {
      fails = false
      override put(record: SessionRecord, expected: number): Maybe<boolean> {
        const landed = super.put(record, expected)
        return this.fails ? Promise.reject(new Error('lost')) : landed
      }
    }
    const next = new Failing(memory())
    const store = tiered({ next })
    const record = await insert(store)
    next.fails = true
    await expect(async () => await store.put(after(record), record.version)).rejects.toThrow('lost')
    expect(store.get(record.id)).toEqual(after(record))
    next.fails = false
    expect(store.put(after(record), record.version)).toBe(false)
    await store.delete(record.id)
    const gets = next.calls.get
    expect(store.get(record.id)).toBeNull()
    expect(store.get(record.id)).toBeNull()
    expect(next.calls.get).toBe(gets + 2)
  })

  test('passes touches on, and has their times', async () => {
    const next = new Counted(memory())
    const store = tiered({ next })
    const record = await insert(store)
    await store.touch([touchOf(record)])
    expect((store.get(record.id) as SessionRecord).expiresAt).toBe(touchOf(record).expiresAt)
    expect(next.calls.get).toBe(0)
    expect(await next.get(record.id)).toEqual(store.get(record.id))
  })

  test('of a bounded store that gave a record up has it no more, and the listener is told', async () => {
    const store = tiered({ next: memory({ maxSessions: 2 }) })
    const evicted: string[] = []
    store.onEvicted = ({ id }) => evicted.push(id)
    const [first] = await insertMany(store, 3, () => ({}))
    expect(evicted).toEqual([first!.id])
    expect(store.get(first!.id)).toBeNull()
  })
})

describe('with a store that tells of changes', () => {
  test('what it tells of is dropped, what was read before it opened too, and it is ended with the store', async () => {
    const next = new Telling(memory())
    const store = tiered({ next })
    const record = await insert(store)
    next.listener!.opened()
    expect(store.get(record.id)).toEqual(record)
    expect(next.calls.get).toBe(1)
    expect(store.get(record.id)).toEqual(record)
    expect(next.calls.get).toBe(1)
    await next.next.put(after(record), record.version)
    next.listener!.changed(record.id)
    expect(store.get(record.id)).toEqual(after(record))
    await store.close()
    expect(next.ended).toBe(true)
  })

  test.each<[told: boolean, after: number, staleness: TieredOptions['staleness'], hits: boolean]>([
    [true, 29_000, undefined, true],
    [true, 30_000, undefined, false],
    [false, 4900, undefined, true],
    [false, 5000, undefined, false],
    [true, 900, '1s', true],
    [true, 1000, '1s', false],
    [false, 1000, '1s', false],
  ])('while it tells: %s, a record of %i ms ago under staleness %s is answered from memory: %s', async (told, age, staleness, hits) => {
    let now = 0
    const original = performance.now.bind(performance)
    performance.now = () => now
    try {
      const next = new Telling(memory())
      const store = tiered({ next, staleness })
      next.listener!.opened()
      if (!told) next.listener!.cut()
      const record = await insert(store)
      now = age
      expect(store.get(record.id)).toEqual(record)
      expect(next.calls.get).toBe(hits ? 0 : 1)
    } finally {
      performance.now = original
    }
  })

  test.each<[staleness: TieredOptions['staleness'], bound: number]>([
    [undefined, 5000],
    ['60s', 60_000],
  ])('without its channel it is asked to tell nothing, and staleness %s is the bound', async (staleness, bound) => {
    let now = 0
    const original = performance.now.bind(performance)
    performance.now = () => now
    try {
      const next = new Telling(memory())
      const store = tiered({ next, channel: false, staleness })
      expect(next.listener).toBeNull()
      const record = await insert(store)
      const newer = after(record)
      await next.next.put(newer, record.version)
      now = bound - 1
      expect(store.get(record.id)).toEqual(record)
      expect(next.calls.get).toBe(0)
      now = bound
      expect(await store.get(record.id)).toEqual(newer)
      expect(next.calls.get).toBe(1)
      await store.close()
      expect(next.ended).toBe(false)
      tiered({ next, channel: true, staleness })
      expect(next.listener).not.toBeNull()
    } finally {
      performance.now = original
    }
  })

  test('the capabilities pass through what the core puts before a store', () => {
    const timed = new TimedStore(tiered({ next: memory() }), 1000)
    expect(timed.caches).toBe(true)
    const telling = new Telling(memory())
    const opened = { changed: () => {}, opened: () => {}, cut: () => {} }
    expect(new TimedStore(telling, 1000).watchChanges!(opened)).toBeTypeOf('function')
    expect(telling.listener).toBe(opened)
    expect(new TimedStore(memory(), 1000).caches).toBe(false)
    expect(new TimedStore(memory(), 1000).watchChanges).toBeUndefined()
  })
})

describe('own writes', () => {
  test('are told from others’: of a put that landed one word is its own, of one that did not none', () => {
    const own = new OwnWrites()
    own.sent('a')
    expect(own.heard('b')).toBe(false)
    expect(own.heard('a')).toBe(true)
    expect(own.heard('a')).toBe(false)
    own.sent('a')
    own.sent('a')
    own.failed('a')
    expect([own.heard('a'), own.heard('a')]).toEqual([true, false])
    own.sent('a')
    own.clear()
    expect(own.heard('a')).toBe(false)
  })
})

describe('the memory of a near-cache', () => {
  test('stays within its bytes, by giving up what was not used for longest', () => {
    const recent = new Recent(20_000)
    const records = Array.from({ length: 100 }, () => newRecord({ data: 'x'.repeat(500) }))
    for (const record of records) {
      recent.keep(record, 0)
      recent.use(recent.find(records[0]!.id)!)
      expect(recent.bytes).toBeLessThanOrEqual(20_000)
    }
    expect(recent.count).toBeGreaterThan(10)
    expect(recent.find(records[0]!.id)).toBeDefined()
    expect(recent.find(records[1]!.id)).toBeUndefined()
    expect(recent.find(records.at(-1)!.id)).toBeDefined()
    recent.keep(newRecord({ id: records[0]!.id, data: 'x'.repeat(30_000) }), 0)
    expect(recent.find(records[0]!.id)).toBeUndefined()
    for (const { id } of records) recent.drop(id)
    expect([recent.bytes, recent.count]).toEqual([0, 0])
  })

  test('is counted on the high side, and not by far', () => {
    const count = 20_000
    setFlagsFromString('--expose-gc')
    const gc = runInNewContext('gc') as () => void
    gc()
    const before = process.memoryUsage().heapUsed
    const recent = new Recent(1e9)
    // Text as it comes from a driver: flat, and each its own.
    for (let i = 0; i < count; i++) {
      recent.keep(
        JSON.parse(JSON.stringify(newRecord({ userId: `user ${i}`, head: `${i}`.padEnd(200), data: `${i}`.padEnd(300) }))) as SessionRecord,
        i + 0.5,
      )
    }
    gc()
    const used = process.memoryUsage().heapUsed - before
    console.info(`${Math.round(used / count)} bytes an entry, ${Math.round(recent.bytes / count)} counted`)
    expect(recent.bytes).toBeGreaterThan(used)
    expect(recent.bytes).toBeLessThan(1.5 * used)
    expect(recent.count).toBe(count)
  })
})

test('options that are none are refused', async () => {
  const next = memory()
  const refused: unknown[] = [
    {},
    { next, mode: 'write-back' },
    { next, staleness: 0 },
    { next, backup: '1m' },
    { next, mode: 'overflow', staleness: '1s' },
    { next, mode: 'overflow', channel: false },
    { next, channel: 'off' },
    { next, channel: null },
    { next, memory: { maxSize: 1 } },
    { next, memory: { maxBytes: '5 sessions' } },
    { next, maxBytes: 1 },
  ]
  for (const options of refused) {
    expect(() => tiered(options as TieredOptions)).toThrow(expect.objectContaining({ code: 'ERR_SOJOURN_OPTION' }))
  }
  expect(await collect(tiered({ next }).list())).toEqual([])
})
