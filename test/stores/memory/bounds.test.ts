import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { setTimeout as tick } from 'node:timers/promises'
import { beforeAll, expect, test } from 'vitest'
import { memory } from '../../../src/stores/memory.ts'
import { after, collect, hour, minute, newRecord, start } from '../../../src/testing/store-cases/rule.ts'
import type { SessionRecord } from '../../../src/core/store.ts'

setFlagsFromString('--expose-gc')
const collectGarbage = runInNewContext('gc') as () => void

async function taken(): Promise<number> {
  // What is outside the heap is counted off a little after its owner went.
  for (let turn = 0; turn < 3; turn++) {
    collectGarbage()
    await tick(20)
  }
  const { heapUsed, external } = process.memoryUsage()
  return heapUsed + external
}

/** What a store of 8 MB took, after so many puts of such records. */
async function takenBy(puts: number, fields: (index: number) => Partial<SessionRecord>): Promise<number> {
  const store = memory({ maxBytes: '8 MB' })
  const before = await taken()
  for (let index = 0; index < puts; index++) void store.put(newRecord({ head: flat(`head ${index}`), ...fields(index) }), 0)
  const after = await taken()
  void store.close()
  return after - before
}

// A text that was put together may be kept in pieces; what the core puts comes whole from an encoder.
function flat(text: string): string {
  return Buffer.from(text).toString()
}

// What the engine makes of the code when it runs for the first time is none of the store's.
beforeAll(async () => void (await takenBy(20_000, () => ({}))))

test.each<[string, number, (index: number) => Partial<SessionRecord>]>([
  ['visitors who expire together', 110_000, () => ({ expiresAt: start + hour })],
  ['visitors who each expire in a minute of their own', 60_000, (index) => ({ expiresAt: start + index * minute })],
  ['users with one session each', 90_000, (index) => ({ userId: `user ${index}`, expiresAt: start + index * 20 })],
  ['users with 2 KB of data', 12_000, (index) => ({ userId: `user ${index}`, data: flat(`${index}`.padEnd(2000)) })],
  ['data of every length', 20_000, (index) => ({ data: flat(`${index}`.padEnd((index * 7919) % 2500)) })],
  ['lengths that grow with time', 20_000, (index) => ({ data: flat('x'.repeat(index / 10)) })],
  ['lengths that shrink with time', 40_000, (index) => ({ data: flat('x'.repeat(2500 - index / 20)) })],
  [
    'visitors who expire together, then each in ten minutes of their own',
    60_000,
    (index) => ({ expiresAt: index < 30_000 ? start + hour : start + index * 10 * minute }),
  ],
  ['data of hundreds of KB', 80, (index) => ({ data: flat(`${index}`.padEnd(200_000)) })],
])('a store that is full takes no more than maxBytes, and not far less: %s', async (_, puts, fields) => {
  const bytes = await takenBy(puts, fields)
  expect(bytes).toBeLessThan(8e6)
  expect(bytes).toBeGreaterThan(6e6)
})

test('what was used and left by sessions of one size is there for those of another', async () => {
  const store = memory({ maxBytes: '8 MB' })
  const held: number[] = []
  for (const length of [100, 900, 150, 5000, 100]) {
    const data = 'x'.repeat(length)
    for (let index = 0; index < 60_000; index++) void store.put(newRecord({ data, lastSeenAt: start + index, userId: 'ada' }), 0)
    const records = await collect(store.list())
    expect(new Set(records.map((record) => record.data.length)).size).toBe(1)
    held.push(records.length)
  }
  expect(held[4]).toBeGreaterThan(0.97 * held[0]!)
})

test('a put into a full store of sessions of another size gives up dozens, not most', () => {
  const store = memory({ maxBytes: '8 MB' })
  const records = Array.from({ length: 60_000 }, () => newRecord({ data: 'x'.repeat(100) }))
  for (const record of records) void store.put(record, 0)
  // Used in no order that has to do with where they lie.
  for (const record of records.toSorted((a, b) => (a.id < b.id ? -1 : 1))) void store.get(record.id)
  let most = 0
  let given = 0
  store.onEvicted = () => given++
  for (let index = 0; index < 300; index++) {
    given = 0
    void store.put(newRecord({ data: 'x'.repeat(200 + index) }), 0)
    most = Math.max(most, given)
  }
  expect(most).toBeGreaterThan(0)
  expect(most).toBeLessThan(100)
})

test('sessions that change their size again and again find room without giving up others', () => {
  const store = memory({ maxBytes: '4 MB' })
  let given = 0
  store.onEvicted = () => given++
  const records = Array.from({ length: 5000 }, (_, index) => newRecord({ userId: `user ${index % 700}` }))
  for (const record of records) void store.put(record, 0)
  for (let step = 0; step < 100_000; step++) {
    const index = (step * 7919) % records.length
    const next = after(records[index]!, { data: 'x'.repeat((step * 31) % 500) })
    expect(store.put(next, next.version - 1)).toBe(true)
    records[index] = next
  }
  expect(given).toBe(0)
  for (const record of records) expect(store.get(record.id)).toEqual(record)
})

test('what has gone is given back to the system, but for a little', async () => {
  const store = memory({ maxBytes: '64 MB' })
  const before = await taken()
  for (let index = 0; index < 200_000; index++) void store.put(newRecord({ userId: `user ${index}` }), 0)
  expect((await taken()) - before).toBeGreaterThan(15e6)
  for (let more = true; more;) ({ more } = await store.sweep(start + hour, 1000))
  expect((await taken()) - before).toBeLessThan(6e6)
  void store.close()
})

test('a closed store holds nothing', async () => {
  const store = memory()
  const before = await taken()
  for (let index = 0; index < 100_000; index++) void store.put(newRecord(), 0)
  void store.close()
  expect((await taken()) - before).toBeLessThan(1e6)
  expect(() => store.get('x')).toThrow('closed')
})
