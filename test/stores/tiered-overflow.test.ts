import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { setImmediate as tick, setTimeout as pause } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { afterEach, describe, expect, test } from 'vitest'
import type { Maybe, SessionRecord, Store, Swept, Touch } from '../../src/core/store.ts'
import { createSessions } from '../../src/sessions.ts'
import { disk } from '../../src/stores/disk.ts'
import { memory } from '../../src/stores/memory.ts'
import { tiered } from '../../src/stores/tiered.ts'
import { claimId } from '../../src/stores/tiered/claim.ts'
import { after, collect, hour, idsOf, insertMany, newRecord, start, sweepAll, touchOf } from '../../src/testing/store-cases/rule.ts'
import { Counted, StoreOver } from '../core/store-over.ts'
import { Visitor } from '../core/visitor.ts'
import { newFolder } from './disk-folder.ts'
import { slow } from './variants.ts'

const opened: Store[] = []
const children: ChildProcess[] = []

afterEach(async () => {
  for (const store of opened.splice(0)) await store.close()
  for (const child of children.splice(0)) child.kill('SIGKILL')
})

function overflow(next: Store, maxBytes = 1e6, backup = 60_000): Store {
  const store = tiered({ mode: 'overflow', memory: { maxBytes }, backup, next })
  opened.push(store)
  return store
}

/** The memory store, which stays when who is before it closes it. */
class Kept extends Counted {
  fails = false

  override close(): void {}

  override put(record: SessionRecord, expected: number): Maybe<boolean> {
    if (this.fails) throw new Error('out of order')
    return super.put(record, expected)
  }
}

const sessionsOf = async (store: Store) => (await collect(store.list())).filter(({ id }) => id !== claimId)

describe('a store that overflows', () => {
  test('while memory has room writes nothing behind it, and answers at once', async () => {
    const next = new Kept(memory())
    const store = overflow(next)
    await insertMany(store, 1, () => ({}))
    const before = next.calls.put
    const records = Array.from({ length: 200 }, () => newRecord())
    for (const record of records) expect(store.put(record, 0)).toBe(true)
    for (const record of records) expect(store.get(record.id)).toEqual(record)
    expect(store.put(after(records[0]!), records[0]!.version)).toBe(true)
    expect(store.touch([touchOf(records[1]!)])).toBeUndefined()
    expect(next.calls.put).toBe(before)
    expect(await sessionsOf(next)).toEqual([])
  })

  test('keeps what was used last in memory when it is full, and moves the rest, at the cost of what moves', async () => {
    const next = new Kept(memory())
    const store = overflow(next, 60_000)
    const records = await insertMany(store, 300, () => ({ data: 'x'.repeat(200) }))
    await pause(50)
    const moved = await sessionsOf(next)
    expect(moved.length).toBeGreaterThan(200)
    // The claim's own renewals aside.
    expect(next.calls.put).toBeLessThan(moved.length + 10)
    expect(idsOf(await collect(store.list()))).toEqual(idsOf(records))
    const isHere = (id: string) => !moved.some((one) => one.id === id)
    expect(records.slice(-10).every(({ id }) => isHere(id))).toBe(true)
    expect(records.slice(0, 10).some(({ id }) => isHere(id))).toBe(false)
  })

  test('brings back what is used, and moves it again for nothing if it did not change', async () => {
    const next = new Kept(memory())
    const store = overflow(next, 600_000)
    const records = await insertMany(store, 3000, () => ({ data: 'x'.repeat(200) }))
    await pause(50)
    const gets = next.calls.get
    const old = records[0]!
    expect(await store.get(old.id)).toEqual(old)
    expect(await store.get(old.id)).toEqual(old)
    expect(next.calls.get).toBe(gets + 1)
    // Those that were in memory alone until then move, sooner or later.
    for (let round = 0; round < 3; round++) for (const record of records) expect(await store.get(record.id)).toEqual(record)
    await pause(50)
    const puts = next.calls.put
    for (let round = 0; round < 3; round++) for (const record of records) await store.get(record.id)
    await pause(50)
    expect(next.calls.put - puts).toBeLessThan(5)
  })

  test('keeps a session whose copy is swept while its use is on the way there', { timeout: 20_000 }, async () => {
    class Slow extends Kept {
      let: (() => void) | null = null
      holds = false
      override async touch(batch: readonly Touch[]): Promise<void> {
        if (this.holds) await new Promise<void>((resolve) => (this.let = resolve))
        await super.touch(batch)
      }
    }
    const data = memory()
    const next = new Slow(slow(data))
    const store = overflow(next, 1e6, 1000)
    const record = newRecord({ expiresAt: start + hour })
    await store.put(record, 0)
    await expect.poll(() => data.get(record.id), { timeout: 5000 }).not.toBeNull()
    // Used just before its end, so that it lives on here.
    next.holds = true
    const { id, userId, version } = record
    await store.touch([{ id, userId, version, lastSeenAt: start + hour - 1, expiresAt: start + 2 * hour }])
    await expect.poll(() => next.let, { timeout: 5000 }).not.toBeNull()
    expect((await store.sweep(start + hour + 1, 100)).removed).toEqual([])
    next.holds = false
    next.let!()
    await expect.poll(() => data.get(id), { timeout: 5000 }).toMatchObject({ expiresAt: start + 2 * hour })
    expect(await store.get(id)).toMatchObject({ expiresAt: start + 2 * hour })
  })

  test('moves all when it is closed, and another finds them', async () => {
    const folder = newFolder()
    const store = overflow(disk(folder))
    const records = await insertMany(store, 500, (index) => ({ userId: index % 2 === 0 ? 'ada' : null }))
    await store.touch(records.slice(0, 50).map((record) => touchOf(record)))
    await store.close()
    const again = overflow(disk(folder))
    expect(idsOf(await collect(again.list()))).toEqual(idsOf(records))
    expect(await collect(again.list('ada'))).toHaveLength(250)
    expect((await again.get(records[0]!.id))!.expiresAt).toBe(touchOf(records[0]!).expiresAt)
  })

  test('noted many uses in memory alone: all of them count when it moves', async () => {
    const next = new Kept(memory())
    const store = overflow(next)
    const [record] = await insertMany(store, 1, () => ({}))
    const { id, userId, version } = record!
    // A copy of now, and then uses that each came before the last expiry, and long after the copy's.
    await store.close()
    const again = overflow(next)
    for (let use = 1; use < 5; use++) {
      await again.touch([{ id, userId, version, lastSeenAt: start + use * 50 * 60_000, expiresAt: start + use * 50 * 60_000 + hour }])
    }
    const now = await again.get(id)
    await again.close()
    expect(await next.get(id)).toEqual(now)
    expect(now!.lastSeenAt).toBe(start + 200 * 60_000)
  })

  test('tells of what expired in either place once', async () => {
    const next = new Kept(memory())
    const store = overflow(next, 40_000)
    const records = await insertMany(store, 200, (index) => ({ expiresAt: start + hour + index, data: 'x'.repeat(100) }))
    for (const record of records.slice(0, 100)) await store.get(record.id)
    expect(idsOf(await sweepAll(store, start + 2 * hour, 7))).toEqual(idsOf(records))
    expect(await sweepAll(store, start + 3 * hour)).toEqual([])
    expect(await sessionsOf(next)).toEqual([])
  })

  test.each([
    ['comes upon a copy before it is removed', 20, 0],
    ['removed a copy, and answers when that was to be removed as well', 0, 20],
  ])('tells of what expired here once, where a sweep at the same moment %s', async (_, beforeDelete, afterSweep) => {
    class Late extends Kept {
      override async delete(id: string): Promise<boolean> {
        await pause(beforeDelete)
        return await super.delete(id)
      }
      override async sweep(now: number, limit: number): Promise<Swept> {
        const swept = await super.sweep(now, limit)
        await pause(afterSweep)
        return swept
      }
    }
    const data = memory()
    const store = overflow(new Late(data), 1e6, 1)
    const records = await insertMany(store, 10, () => ({ expiresAt: start + hour }))
    const last = await insertMany(store, 10, () => ({ expiresAt: start + hour + 10 }))
    await expect.poll(async () => (await collect(data.list())).length, { timeout: 5000 }).toBe(21)
    // The first finds all in memory that has expired, and the second nothing there; then time goes on.
    const first = store.sweep(start + hour, 100)
    const second = store.sweep(start + hour, 100)
    const third = store.sweep(start + 2 * hour, 100)
    const all = (await Promise.all([first, second, third])).flatMap(({ removed }) => removed)
    expect(idsOf(all)).toEqual(idsOf([...records, ...last]))
    expect(await collect(data.list())).toHaveLength(1)
    expect(await sweepAll(store, start + 3 * hour)).toEqual([])
  })

  test('lists each session once, with its newest state, while sessions move to and fro', async () => {
    const store = overflow(slow(memory()), 30_000)
    const records = await insertMany(store, 150, () => ({ userId: 'ada', data: '0' }))
    let isOver = false
    const stir = async () => {
      while (!isOver) {
        await store.get(records[Math.floor(Math.random() * records.length)]!.id)
        await tick()
      }
    }
    const stirring = Promise.all([stir(), stir(), stir()])
    for (let round = 0; round < 5; round++) {
      const listed = await collect(store.list('ada'))
      expect(idsOf(listed)).toEqual(idsOf(records))
    }
    isOver = true
    await stirring
  })

  test('takes a session that memory can’t hold to the store behind, and back when it has shrunk', async () => {
    const next = new Kept(memory())
    const store = overflow(next, 30_000)
    const [record] = await insertMany(store, 1, () => ({}))
    const large = after(record!, { data: 'x'.repeat(50_000) })
    expect(await store.put(large, record!.version)).toBe(true)
    expect(await next.get(large.id)).toEqual(large)
    expect(await store.get(large.id)).toEqual(large)
    await store.touch([touchOf(large)])
    expect((await store.get(large.id))!.expiresAt).toBe(touchOf(large).expiresAt)
    const small = after(large, { data: 'x' })
    expect(await store.put(small, record!.version)).toBe(false)
    expect(await store.put(small, large.version)).toBe(true)
    expect(await store.get(small.id)).toEqual(small)
    expect(await store.delete(small.id)).toBe(true)
    expect(await store.get(small.id)).toBeNull()
  })

  test('goes on while the store behind is out of order, until there is no room, and says so; nothing is lost when it is back', async () => {
    const next = new Kept(memory())
    const store = overflow(next, 60_000)
    await insertMany(store, 1, () => ({}))
    next.fails = true
    const landed = []
    let refused: unknown
    for (let i = 0; i < 400 && refused === undefined; i++) {
      const record = newRecord({ data: 'x'.repeat(300) })
      try {
        if (await store.put(record, 0)) landed.push(record)
      } catch (error) {
        refused = error
      }
    }
    expect(refused).toMatchObject({ message: 'out of order' })
    expect(landed.length).toBeGreaterThan(30)
    expect(landed.length).toBeLessThan(150)
    for (const record of landed) expect(await store.get(record.id)).toEqual(record)
    next.fails = false
    await pause(1200)
    expect(await store.put(newRecord(), 0)).toBe(true)
    await store.close()
    for (const record of landed) expect(await next.get(record.id)).toEqual(record)
  })

  test('takes no more memory than it may, however many sessions there are', { timeout: 60_000 }, async () => {
    setFlagsFromString('--expose-gc')
    const gc = runInNewContext('gc') as () => void
    const store = overflow(disk(newFolder()), 12e6)
    await store.get('x'.repeat(16))
    const taken = async () => {
      // Buffers that are free are given back a moment later: those of the tests before this one, too.
      for (let round = 0; round < 3; round++) {
        gc()
        await pause(50)
      }
      const { heapUsed, arrayBuffers } = process.memoryUsage()
      return heapUsed + arrayBuffers
    }
    const before = await taken()
    let last = ''
    for (let i = 0; i < 40_000; i++) {
      // Text as it comes from a driver: flat, and each its own.
      const record = JSON.parse(JSON.stringify(newRecord({ userId: `user ${i}`, data: `${i}`.padEnd(700) }))) as SessionRecord
      last = record.id
      await store.put(record, 0)
      if (i % 1000 === 0) await tick()
    }
    // What lmdb and the promises of the last writes take goes with them.
    await pause(500)
    const used = (await taken()) - before
    console.info(`${(used / 1e6).toFixed(1)} MB of 12 for 40,000 sessions of 700 bytes`)
    expect(used).toBeLessThan(12e6)
    expect(used).toBeGreaterThan(3e6)
    expect((await store.get(last))!.userId).toBe('user 39999')
  })

  test('serves sessions: logins, changes and logouts, over several closings', async () => {
    const next = new Kept(memory())
    let cookie: string | null = null
    for (let visits = 1; visits <= 3; visits++) {
      const sessions = createSessions<{ visits: number }>({
        store: tiered({ mode: 'overflow', next }),
        initial: () => ({ visits: 0 }),
      })
      const visitor: Visitor<{ visits: number }> = new Visitor(sessions, cookie)
      if (cookie === null) await visitor.visit((session) => session.login('ada'))
      expect(await visitor.visit((session) => ++session.data.visits)).toBe(visits)
      cookie = visitor.cookie
      if (visits === 3) await visitor.visit((session) => session.logout())
      await sessions.close()
    }
    const sessions = createSessions<{ visits: number }>({ store: tiered({ mode: 'overflow', next }), initial: () => ({ visits: 0 }) })
    expect(await new Visitor(sessions, cookie).visit((session) => session.userId)).toBeNull()
    await sessions.close()
  })
})

describe('a crash', () => {
  const run = async (folder: string, backup: number) => {
    const program = fileURLToPath(new URL('programs/overflow-owner.ts', import.meta.url))
    const child = spawn(process.execPath, ['--import', 'tsx', program, folder, '50', String(backup)], {
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    children.push(child)
    const lines: string[] = []
    createInterface(child.stdout).on('line', (line) => lines.push(line))
    while (lines.length < 2) await pause(10)
    return { child, lines, said: JSON.parse(lines[0]!) as { ids: string[]; ended: string } }
  }

  test(
    'loses what was written in the last moments, and no end of a session; the next process begins at once',
    { timeout: 60_000 },
    async () => {
      const folder = newFolder()
      const { child, lines, said } = await run(folder, 200)
      const second = overflow(disk(folder))
      await expect(async () => await second.get('x'.repeat(16))).rejects.toMatchObject({
        code: 'ERR_SOJOURN_STORE_OWNED',
        status: 503,
        message: expect.stringContaining(`process ${child.pid}`),
      })
      child.kill('SIGKILL')
      await once(child, 'exit')
      const began = performance.now()
      const store = overflow(disk(folder))
      for (const [index, id] of said.ids.entries()) expect((await store.get(id))!.data).toBe(`${index}`)
      expect(performance.now() - began).toBeLessThan(2000)
      expect((await store.get(said.ended))!.data).toBe('')
      expect(await store.get(JSON.parse(lines[1]!) as string)).not.toBeNull()
      expect(await store.get(JSON.parse(lines.at(-1)!) as string)).toBeNull()
    },
  )
})

describe('a store belongs to one process', () => {
  test('a second one is refused, and takes over when the first has closed', async () => {
    const next = new Kept(memory())
    const first = overflow(next)
    await first.put(newRecord(), 0)
    const second = overflow(next)
    await expect(async () => await second.put(newRecord(), 0)).rejects.toMatchObject({ code: 'ERR_SOJOURN_STORE_OWNED' })
    await expect(async () => await collect(second.list())).rejects.toMatchObject({ code: 'ERR_SOJOURN_STORE_OWNED' })
    await first.close()
    const third = overflow(next)
    expect(await collect(third.list())).toHaveLength(1)
  })

  test('of two that come at once one gets it', async () => {
    const next = new Kept(slow(memory()))
    const outcomes = await Promise.allSettled([overflow(next), overflow(next)].map(async (store) => await store.put(newRecord(), 0)))
    expect(outcomes.map(({ status }) => status).toSorted()).toEqual(['fulfilled', 'rejected'])
  })

  test('one that can’t renew its claim works no more before another may', { timeout: 40_000 }, async () => {
    class Hung extends Kept {
      hangs = false
      override put(record: SessionRecord, expected: number): Maybe<boolean> {
        return this.hangs ? new Promise<boolean>(() => {}) : super.put(record, expected)
      }
    }
    const data = memory()
    const behind = new Hung(data)
    const first = tiered({ mode: 'overflow', next: behind })
    const record = newRecord()
    await first.put(record, 0)
    behind.hangs = true
    const second = overflow(new Kept(data))
    const took = (async () => (await second.get(record.id), performance.now()))()
    let last = 0
    for (const began = performance.now(); performance.now() - began < 9000; await pause(20)) {
      try {
        await first.get(record.id)
        last = performance.now()
      } catch (error) {
        expect(error).toMatchObject({ code: 'ERR_SOJOURN_STORE' })
      }
    }
    expect(await took).toBeGreaterThan(last)
  })

  test('one that was cut off while another took the store over brings nothing back that ended there', { timeout: 40_000 }, async () => {
    class Cut extends Kept {
      isCut = false
      override get(id: string, options?: { readonly fresh?: boolean }): Maybe<SessionRecord | null> {
        if (this.isCut) throw new Error('cut off')
        return super.get(id, options)
      }
      override put(record: SessionRecord, expected: number): Maybe<boolean> {
        if (this.isCut) throw new Error('cut off')
        return super.put(record, expected)
      }
    }
    const data = memory()
    const behind = new Cut(slow(data))
    const first = tiered({ mode: 'overflow', backup: 1000, next: behind })
    const record = newRecord({ userId: 'ada', version: 5 })
    await first.put(record, 0)
    await expect.poll(() => data.get(record.id), { timeout: 5000 }).toMatchObject({ version: 5 })
    await first.put({ ...record, version: 1000 }, 5)
    behind.isCut = true
    const second = overflow(new Kept(slow(data)))
    expect(await second.get(record.id)).toMatchObject({ version: 5 })
    expect(await second.put({ ...record, version: 900, userId: null, data: '', head: 't{}' }, 5)).toBe(true)
    behind.isCut = false
    await pause(1500)
    await expect((async () => await first.get(record.id))()).rejects.toMatchObject({ code: 'ERR_SOJOURN_STORE_OWNED' })
    expect(await second.get(record.id)).toMatchObject({ version: 900, userId: null })
    await second.close()
    expect(await data.get(record.id)).toMatchObject({ version: 900, userId: null })
  })

  test('the claim is no session to anybody', async () => {
    const next = new Kept(memory())
    const store = overflow(next)
    expect(await store.get(claimId)).toBeNull()
    expect(await store.put(newRecord({ id: claimId }), 0)).toBe(false)
    expect(await store.delete(claimId)).toBe(false)
    expect(await collect(store.list())).toEqual([])
    expect(await sweepAll(store, 8.64e15 - 1)).toEqual([])
    const sessions = createSessions({ store: new StoreOver(next) })
    expect(await sessions.endAll()).toBe(0)
    expect((await next.get(claimId))!.data).not.toBe('')
  })
})
