import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { expect, test } from 'vitest'
import { memory } from '../../src/stores/memory.ts'
import type { Entry } from '../../src/stores/memory/entry.ts'
import { Records } from '../../src/stores/memory/records.ts'
import { sizeOf } from '../../src/stores/memory/size.ts'
import { after, hour, newRecord, start, touched } from '../../src/testing/store-cases/rule.ts'

const random = (bound: number) => Math.floor(Math.random() * bound)
const idsOf = (entries: readonly Entry[]) => entries.map(({ record }) => record.id).sort()
const anyUser = () => (random(2) ? null : `user ${random(20)}`)

test('after any history the indexes agree with the records, and when all are gone nothing is left of them', () => {
  const records = new Records()
  const entries: Entry[] = []
  for (let step = 0; step < 20_000; step++) {
    const entry = entries[random(entries.length)]
    const action = random(entries.length > 2000 ? 4 : 6)
    if (action >= 3 || entry === undefined) {
      const record = newRecord({ userId: anyUser(), expiresAt: start + random(3000) * 333, data: 'x'.repeat(random(100)) })
      entries.push(records.insert(record, sizeOf(record)))
    } else if (action === 0) {
      const next = after(entry.record, { userId: anyUser(), expiresAt: start + random(3000) * 333, data: 'x'.repeat(random(100)) })
      records.replace(entry, next, sizeOf(next))
    } else if (action === 1) {
      records.touch(entry, touched(entry.record, { expiresAt: entry.record.expiresAt + random(2000) }))
    } else {
      records.remove(entry)
      entries.splice(entries.indexOf(entry), 1)
    }
  }

  expect(idsOf([...records.all()])).toEqual(idsOf(entries))
  expect(records.bytes).toBe(entries.reduce((sum, { record }) => sum + sizeOf(record), 0))
  for (let user = 0; user < 20; user++) {
    const theirs = entries.filter(({ record }) => record.userId === `user ${user}`)
    expect(idsOf(records.ofUser(`user ${user}`))).toEqual(idsOf(theirs))
  }

  const times: number[] = []
  for (let due = records.firstDue(Infinity); due !== null; due = records.firstDue(Infinity)) {
    times.push(due.record.expiresAt)
    expect(records.firstDue(due.record.expiresAt - 1)).toBeNull()
    records.remove(due)
  }
  expect(times).toHaveLength(entries.length)
  expect(times).toEqual(times.toSorted((a, b) => a - b))
  expect(records.bytes).toBe(0)
  expect(records.count).toBe(0)
  expect(records.leastUsed()).toBeNull()
  expect(records.ofUser('user 1')).toEqual([])
})

test('the least used are anonymous first, each kind in the order of use', () => {
  const records = new Records()
  const entries = Array.from({ length: 300 }, (_, index) => records.insert(newRecord({ userId: index % 2 ? 'ada' : null }), 1))
  const order = [...entries]
  for (let step = 0; step < 1000; step++) {
    const [entry] = order.splice(random(300), 1) as [Entry]
    records.use(entry)
    order.push(entry)
  }
  const left: Entry[] = []
  for (let entry = records.leastUsed(); entry !== null; entry = records.leastUsed()) {
    left.push(entry)
    records.remove(entry)
  }
  const of = (anonymous: boolean) => order.filter(({ record }) => (record.userId === null) === anonymous)
  expect(left.map(({ record }) => record.id)).toEqual([...of(true), ...of(false)].map(({ record }) => record.id))
})

test.each([
  ['visitors who expire together', () => ({ expiresAt: start + hour })],
  ['visitors who each expire in a second of their own', (index: number) => ({ expiresAt: start + index * 1000 })],
  ['users with one session each', (index: number) => ({ userId: `user ${index}`, expiresAt: start + index * 20 })],
  [
    'users with 2 KB of data',
    (index: number) => ({ userId: `user ${index}`, data: `${index}`.padEnd(2000), expiresAt: start + index * 20 }),
  ],
])('a store that is full takes no more than maxBytes of the heap, and not far less: %s', (_, fields) => {
  setFlagsFromString('--expose-gc')
  const collectGarbage = runInNewContext('gc') as () => void
  const store = memory({ maxBytes: '32 MB' })
  collectGarbage()
  const before = process.memoryUsage().heapUsed
  for (let index = 0; index < 70_000; index++) void store.put(newRecord({ head: flat(`head ${index}`), ...fields(index) }), 0)
  collectGarbage()
  const taken = process.memoryUsage().heapUsed - before
  expect(taken).toBeLessThan(32e6)
  expect(taken).toBeGreaterThan(16e6)
  void store.close()
})

// A text that was put together may be kept in pieces; what the core puts comes whole from an encoder.
function flat(text: string): string {
  return Buffer.from(text).toString()
}
