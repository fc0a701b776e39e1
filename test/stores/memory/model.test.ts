import fc from 'fast-check'
import { expect, test } from 'vitest'
import type { SessionRecord, Store, Swept } from '../../../src/core/store.ts'
import { memory } from '../../../src/stores/memory.ts'
import { collect, newRecord, start } from '../../../src/testing/store-cases/rule.ts'

/** What the store does, said as plainly as can be: every question is answered by a look at all records. */
class Plain {
  readonly records = new Map<string, SessionRecord>()
  /** IDs, the least recently used first. */
  order: string[] = []
  reports: string[] = []
  evicted: string[] = []
  now = -Infinity
  readonly #most: number

  constructor(most: number) {
    this.#most = most
  }

  use(id: string): void {
    this.order = [...this.order.filter((other) => other !== id), id]
  }

  put(record: SessionRecord, expected: number): boolean {
    if ((this.records.get(record.id)?.version ?? 0) !== expected || record.version <= expected) return false
    this.now = Math.max(this.now, record.lastSeenAt)
    while (!this.records.has(record.id) && this.records.size >= this.#most) this.giveUp()
    this.records.set(record.id, record)
    this.use(record.id)
    return true
  }

  giveUp(): void {
    const [due] = this.due(this.now)
    const anonymous = this.order.find((id) => this.records.get(id)!.userId === null)
    const id = due ?? anonymous ?? this.order[0]!
    if (due === undefined) this.evicted.push(id)
    else this.reports.push(id)
    this.remove(id)
  }

  /** What has expired, by its second. Each test has but one session to the second. */
  due(now: number): string[] {
    const due = [...this.records.values()].filter(({ expiresAt }) => expiresAt <= now)
    return due.toSorted((a, b) => a.expiresAt - b.expiresAt).map(({ id }) => id)
  }

  remove(id: string): void {
    this.records.delete(id)
    this.order = this.order.filter((other) => other !== id)
  }
}

const ids = ['a', 'session b', ...Array.from({ length: 14 }, (_, index) => newRecord().id.slice(0, 15) + 'ABCDEFGHIJKLMN'[index]!)]
const users = [null, null, 'ada', 'alan', '漢字']
const text = fc.oneof(
  fc.string({ maxLength: 40 }),
  fc.nat(3000).map((length) => 'x'.repeat(length)),
  fc.nat(700).map((length) => '漢'.repeat(length)),
  fc.constantFrom('\ud800', 'é'.repeat(90), `${'y'.repeat(200)}👩`),
)
const operation = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      kind: fc.constant('put' as const),
      id: fc.constantFrom(...ids),
      user: fc.constantFrom(...users),
      data: text,
      head: text,
      offset: fc.nat(4),
      step: fc.integer({ min: -1, max: 3 }),
      stale: fc.nat(9),
    }),
  },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('get' as const), id: fc.constantFrom(...ids) }) },
  {
    weight: 2,
    arbitrary: fc.record({
      kind: fc.constant('touch' as const),
      id: fc.constantFrom(...ids),
      by: fc.integer({ min: -2, max: 40 }),
      stale: fc.nat(5),
    }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('delete' as const), id: fc.constantFrom(...ids) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('sweep' as const), limit: fc.integer({ min: 1, max: 5 }) }) },
  {
    weight: 1,
    arbitrary: fc.record({ kind: fc.constant('list' as const), user: fc.constantFrom('ada', 'alan', '漢字', 'nobody', undefined) }),
  },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('wait' as const), seconds: fc.nat(20) }) },
)
type Operation = typeof operation extends fc.Arbitrary<infer O> ? O : never

/** Does one operation to both, and compares. `second` is another at each step, so that no two sessions expire in the same one. */
async function step(store: Store, plain: Plain, operation: Operation, clock: { now: number; turn: number }): Promise<void> {
  clock.turn += 1
  const ownSecond = (seconds: number) => Math.floor(clock.now / 1000 + seconds) * 100_000 + clock.turn * 1000
  switch (operation.kind) {
    case 'put': {
      const { id, user, data, head } = operation
      const stored = plain.records.get(id)?.version ?? 0
      const record: SessionRecord = {
        id,
        version: Math.max(1, stored + operation.step),
        userId: user,
        createdAt: clock.now * 100,
        lastSeenAt: clock.now * 100 + operation.offset,
        expiresAt: ownSecond(10 * operation.offset),
        head,
        data,
      }
      const expected = operation.stale === 0 ? stored + 1 : stored
      expect(store.put(record, expected)).toBe(plain.put(record, expected))
      break
    }
    case 'get': {
      const record = plain.records.get(operation.id)
      expect(store.get(operation.id)).toEqual(record ?? null)
      if (record !== undefined) plain.use(operation.id)
      break
    }
    case 'touch': {
      const { id, by, stale } = operation
      const record = plain.records.get(id)
      const touch = {
        id,
        userId: null,
        version: (record?.version ?? 1) + (stale === 0 ? 1 : 0),
        lastSeenAt: clock.now * 100,
        expiresAt: ownSecond(by),
      }
      expect(store.touch([touch])).toBeUndefined()
      if (record?.version === touch.version && record.expiresAt > touch.lastSeenAt && record.expiresAt < touch.expiresAt) {
        plain.now = Math.max(plain.now, touch.lastSeenAt)
        plain.records.set(id, { ...record, lastSeenAt: touch.lastSeenAt, expiresAt: touch.expiresAt })
        plain.use(id)
      }
      break
    }
    case 'delete': {
      expect(store.delete(operation.id)).toBe(plain.records.has(operation.id))
      plain.remove(operation.id)
      break
    }
    case 'sweep': {
      const { removed, more } = store.sweep(clock.now * 100, operation.limit) as Swept
      const expected = plain.reports.splice(0, operation.limit)
      const due = plain.due(clock.now * 100).slice(0, operation.limit - expected.length)
      for (const id of due) plain.remove(id)
      expect(removed.map(({ id }) => id)).toEqual([...expected, ...due])
      expect(more).toBe(plain.reports.length > 0 || plain.due(clock.now * 100).length > 0)
      break
    }
    case 'list': {
      const { user } = operation
      const records = [...plain.records.values()].filter(({ userId }) => user === undefined || userId === user)
      const byId = (a: SessionRecord, b: SessionRecord) => (a.id < b.id ? -1 : 1)
      expect((await collect(store.list(user))).sort(byId)).toEqual(records.sort(byId))
      break
    }
    case 'wait':
      clock.now += operation.seconds * 1000
  }
}

test('a store bounded in sessions does what the plainest one does, evictions and their order too', async () => {
  await fc.assert(
    fc.asyncProperty(fc.integer({ min: 1, max: 8 }), fc.array(operation, { maxLength: 150 }), async (most, operations) => {
      const store = memory({ maxSessions: most, maxBytes: '2 MB' })
      const plain = new Plain(most)
      const evicted: string[] = []
      store.onEvicted = ({ id }) => evicted.push(id)
      const clock = { now: start / 100_000, turn: 0 }
      clock.now = Math.floor(clock.now) * 1000
      for (const one of operations) await step(store, plain, one, clock)
      for (const id of ids) expect(store.get(id)).toEqual(plain.records.get(id) ?? null)
      expect(evicted).toEqual(plain.evicted)
    }),
    { numRuns: 150 },
  )
})

test('a store bounded in bytes, however tightly, has what it was given and did not tell of', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.integer({ min: 7_000, max: 60_000 }),
      fc.array(
        fc.record({
          slot: fc.nat(120),
          user: fc.constantFrom(...users),
          data: text,
          head: text,
          life: fc.nat(30),
          kind: fc.nat(9),
        }),
        { maxLength: 400, size: 'max' },
      ),
      async (maxBytes, operations) => {
        const store = memory({ maxBytes })
        const records = new Map<string, SessionRecord>()
        const gone = (id: string) => {
          expect(records.has(id), 'told twice, or without having been there').toBe(true)
          records.delete(id)
        }
        store.onEvicted = ({ id }) => gone(id)
        let now = start
        const idOf: string[] = []
        for (const { slot, user, data, head, life, kind } of operations) {
          now += 700
          const known = idOf[slot]
          // No ID comes back.
          const stored = known === undefined ? null : (store.get(known) as SessionRecord | null)
          const id = stored === null ? `${slot % 7 === 0 ? 'odd ' : ''}${newRecord().id}` : known!
          idOf[slot] = id
          if (stored !== null) expect(stored).toEqual(records.get(id))
          if (kind === 0) {
            expect(store.delete(id)).toBe(stored !== null)
            if (stored !== null) records.delete(id)
          } else if (kind === 1) {
            const { removed } = store.sweep(now, 3) as Swept
            for (const report of removed) {
              expect(records.get(report.id)!.expiresAt).toBeLessThanOrEqual(now)
              gone(report.id)
            }
          } else {
            const version = stored?.version ?? 0
            const record = {
              id,
              version: version + 1,
              userId: user,
              createdAt: now,
              lastSeenAt: now,
              expiresAt: now + life * 1000,
              head,
              data,
            }
            try {
              expect(store.put(record, version)).toBe(true)
              expect(store.get(id)).toEqual(record)
              records.set(id, record)
            } catch (error) {
              expect(error).toMatchObject({ code: 'ERR_SOJOURN_STORE_FULL' })
              expect(store.get(id)).toEqual(stored)
            }
          }
        }
        const listed = await collect(store.list())
        for (const record of listed) expect(record).toEqual(records.get(record.id))
        // Whatever is not there any more has expired: it waits to be told of, or was forgotten for want of room.
        const here = new Set(listed.map(({ id }) => id))
        for (const record of records.values()) if (!here.has(record.id)) expect(record.expiresAt).toBeLessThanOrEqual(now)
        for (const user of ['ada', 'alan', '漢字']) {
          const theirs = listed.filter(({ userId }) => userId === user).map(({ id }) => id)
          expect((await collect(store.list(user))).map(({ id }) => id).sort()).toEqual(theirs.sort())
        }
      },
    ),
    { numRuns: 60 },
  )
})
