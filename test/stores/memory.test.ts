import { describe, expect, test } from 'vitest'
import type { Removed, SessionRecord, Store } from '../../src/core/store.ts'
import { memory } from '../../src/stores/memory.ts'
import { after, collect, hour, minute, newRecord, start, touchOf } from '../../src/testing/store-cases/rule.ts'

/** Inserts a session that is called by its data. */
function insert(store: Store, name: string, fields: Partial<SessionRecord> = {}): SessionRecord {
  const record = newRecord({ data: name, ...fields })
  expect(store.put(record, 0)).toBe(true)
  return record
}

async function namesIn(store: Store): Promise<string> {
  const records = await collect(store.list())
  return records
    .map(({ data }) => data)
    .sort()
    .join(' ')
}

function evictionsOf(store: Store): Removed[] {
  const evicted: Removed[] = []
  store.onEvicted = (removed) => evicted.push(removed)
  return evicted
}

/** How many sessions with this data the store holds when it is full. */
async function fill(store: Store, data: string): Promise<number> {
  for (let index = 0; index < 5000; index++) insert(store, data, { userId: `user ${index}`, expiresAt: start + 100 * hour })
  return (await collect(store.list())).length
}

const mixed = (index: number): Partial<SessionRecord> => ({
  userId: index % 3 === 0 ? null : `user ${index % 1000}`,
  expiresAt: start + hour + index * 40,
  data: 'x'.repeat(index % 500),
})

describe('the bound on sessions', () => {
  test('holds after every put, and what was used least recently goes first', async () => {
    const store = memory({ maxSessions: 3 })
    for (const name of ['a', 'b', 'c']) insert(store, name)
    expect(await namesIn(store)).toBe('a b c')
    insert(store, 'd')
    expect(await namesIn(store)).toBe('b c d')
    for (const name of ['e', 'f', 'g', 'h']) insert(store, name)
    expect(await namesIn(store)).toBe('f g h')
  })

  test('get, put and touch count as use; what did not land, and list, do not', async () => {
    const store = memory({ maxSessions: 6 })
    const a = insert(store, 'a')
    const b = insert(store, 'b')
    const c = insert(store, 'c')
    const d = insert(store, 'd')
    const e = insert(store, 'e')
    const f = insert(store, 'f')
    void store.get(b.id)
    void store.put(after(d), d.version)
    void store.touch([touchOf(f)])
    void store.put(after(a), a.version + 1)
    void store.touch([touchOf(c, { version: c.version + 1 }), touchOf(e, { expiresAt: e.expiresAt })])
    await collect(store.list())

    const left = ['a b c d e f']
    for (const name of ['1', '2', '3', '4', '5', '6']) {
      insert(store, name, { userId: 'ada' })
      left.push((await namesIn(store)).replace(/\d ?/g, '').trim())
    }
    expect(left).toEqual(['a b c d e f', 'b c d e f', 'b d e f', 'b d f', 'd f', 'f', ''])
  })

  test('anonymous sessions go before those of users, whatever their use', async () => {
    const store = memory({ maxSessions: 4 })
    insert(store, 'user1', { userId: 'ada' })
    insert(store, 'user2', { userId: 'alan' })
    insert(store, 'visitor1')
    insert(store, 'visitor2')
    insert(store, 'user3', { userId: 'ada' })
    expect(await namesIn(store)).toBe('user1 user2 user3 visitor2')
    insert(store, 'user4', { userId: 'ada' })
    insert(store, 'user5', { userId: 'ada' })
    expect(await namesIn(store)).toBe('user2 user3 user4 user5')
  })

  test('a session that gets or loses its user is counted as what it is now', async () => {
    const store = memory({ maxSessions: 3 })
    const a = insert(store, 'a')
    const b = insert(store, 'b', { userId: 'ada' })
    insert(store, 'c', { userId: 'alan' })
    void store.put(after(a, { userId: 'grace' }), a.version)
    void store.put(after(b, { userId: null }), b.version)
    insert(store, 'd', { userId: 'ada' })
    expect(await namesIn(store)).toBe('a c d')
  })

  test('a flood of visitors costs a store that is full of users one of them, not more', async () => {
    const store = memory({ maxSessions: 100 })
    const evicted = evictionsOf(store)
    for (let index = 0; index < 100; index++) insert(store, `u${index}`, { userId: `user ${index}` })
    for (let index = 0; index < 1000; index++) insert(store, `v${index}`)
    expect(evicted.filter(({ userId }) => userId !== null).map(({ userId }) => userId)).toEqual(['user 0'])
    expect(evicted).toHaveLength(1000)
    expect(await namesIn(store)).toMatch(/v999$/)
  })
})

describe('the bound on bytes', () => {
  test('keeps as many sessions as fit, with some room for what finds them', async () => {
    const store = memory({ maxBytes: '1 MB' })
    for (let index = 0; index < 300; index++) insert(store, `${index}`.padEnd(10_000))
    const names = await namesIn(store)
    expect(names.split(/\s+/).filter(Boolean).length).toBeGreaterThan(75)
    expect(names.split(/\s+/).filter(Boolean).length).toBeLessThanOrEqual(100)
    expect(names).toContain('299')
  })

  test('holds most in ASCII and Latin-1, and no text at more than two bytes a character', async () => {
    const fits = async (data: string) => await fill(memory({ maxBytes: '1 MB' }), data)
    const ascii = await fits('x'.repeat(4000))
    expect(ascii).toBeGreaterThan(180)
    expect(await fits('é'.repeat(4000))).toBe(ascii)
    expect(await fits(`${'x'.repeat(3990)}漢`)).toBeGreaterThan(0.95 * ascii)
    expect(await fits('漢'.repeat(2000))).toBeGreaterThan(0.95 * ascii)
    expect(await fits(`${'漢'.repeat(1999)}\ud800`)).toBeGreaterThan(0.95 * ascii)
  })

  test('a session that grows pushes out others, and is never pushed out by its own put', async () => {
    const store = memory({ maxBytes: '1 MB' })
    const visitor = insert(store, 'visitor')
    for (let index = 0; index < 8; index++) insert(store, `${index}`.padEnd(100_000, '.'), { userId: 'ada' })
    const grown = after(visitor, { data: 'v'.repeat(500_000) })
    expect(store.put(grown, visitor.version)).toBe(true)
    expect(store.get(visitor.id)).toEqual(grown)
    expect((await namesIn(store)).replace(/\.+/g, '').replace(/v+/, 'visitor')).toMatch(/^([4-7] )+visitor$/)
  })

  test('a record larger than the whole store is refused, and nothing goes for its sake', async () => {
    const store = memory({ maxBytes: 10_000 })
    const evicted = evictionsOf(store)
    const a = insert(store, 'a')
    insert(store, 'b')
    const full = expect.objectContaining({
      code: 'ERR_SOJOURN_STORE_FULL',
      status: 503,
      message: expect.stringContaining('raise maxBytes') as unknown,
    })
    expect(() => store.put(newRecord({ data: 'x'.repeat(10_000) }), 0)).toThrow(full)
    expect(() => store.put(after(a, { data: 'x'.repeat(10_000) }), a.version)).toThrow(full)
    expect(await namesIn(store)).toBe('a b')
    expect(evicted).toEqual([])
  })

  test('what goes leaves its room: a store that was filled and emptied in every way holds as many as a new one', async () => {
    const used = memory({ maxBytes: '1 MB' })
    for (let round = 0; round < 5; round++) {
      const records = Array.from({ length: 2000 }, (_, index) => insert(used, '', mixed(index)))
      for (const [index, record] of records.entries()) {
        const next = after(record, { userId: index % 2 ? null : '漢字', data: '漢'.repeat(index % 90), head: 'h'.repeat(index % 70) })
        if (index % 2) void used.put(next, record.version)
        if (index % 3) void used.touch([touchOf(record)])
        if (index % 5) void used.delete(record.id)
      }
      for (let more = true; more;) ({ more } = await used.sweep(start + 10 * hour, 100))
      expect(await collect(used.list())).toEqual([])
    }
    const inNew = await fill(memory({ maxBytes: '1 MB' }), 'x'.repeat(100))
    expect(inNew).toBeGreaterThan(2500)
    expect(await fill(used, 'x'.repeat(100))).toBeGreaterThan(0.95 * inNew)
  })
})

describe('what has expired', () => {
  test('goes before anything else, by the time of the latest use, not by a clock', async () => {
    const store = memory({ maxSessions: 3 })
    insert(store, 'visitor')
    insert(store, 'expired', { userId: 'ada', expiresAt: start + minute })
    insert(store, 'user', { userId: 'ada' })
    insert(store, 'new', { lastSeenAt: start + minute })
    expect(await namesIn(store)).toBe('new user visitor')
  })

  test('is not told as evicted; the next sweep tells of it once, within its limit', async () => {
    const store = memory({ maxSessions: 3 })
    const evicted = evictionsOf(store)
    const expired = [1, 2, 3].map((index) =>
      insert(store, 'expired', { userId: `user ${index}`, head: `head ${index}`, expiresAt: start + index }),
    )
    for (const name of ['a', 'b', 'c']) insert(store, name, { lastSeenAt: start + minute })
    expect(await namesIn(store)).toBe('a b c')
    expect(evicted).toEqual([])
    const told = expired.map(({ id, userId, head }) => ({ id, userId, head }))
    expect(store.sweep(start + minute, 2)).toEqual({ removed: told.slice(0, 2), more: true })
    expect(store.sweep(start + minute, 2)).toEqual({ removed: told.slice(2), more: false })
    expect(store.sweep(start + minute, 2)).toEqual({ removed: [], more: false })
  })

  test('does not take room from live sessions, though no sweep comes to tell of it', async () => {
    const store = memory({ maxBytes: 20_000 })
    const evicted = evictionsOf(store)
    for (let index = 0; index < 1000; index++) {
      const lastSeenAt = start + index * minute
      insert(store, `${index}`, { lastSeenAt, expiresAt: lastSeenAt + minute, head: 'h'.repeat(200) })
    }
    const live = Array.from({ length: 20 }, () =>
      insert(store, 'live', { lastSeenAt: start + 1001 * minute, expiresAt: start + 9999 * minute }),
    )
    expect(evicted).toEqual([])
    for (const { id } of live) expect(store.get(id)).not.toBeNull()
  })
})

describe('what is given up', () => {
  test('is told once, by ID, user and head, to whoever listens at that time', () => {
    const store = memory({ maxSessions: 1 })
    const a = insert(store, 'a', { userId: 'ada', head: 'head of a' })
    const evicted = evictionsOf(store)
    const b = insert(store, 'b', { head: 'head of b' })
    expect(evicted).toEqual([{ id: a.id, userId: 'ada', head: 'head of a' }])
    const others = evictionsOf(store)
    insert(store, 'c')
    expect(evicted).toHaveLength(1)
    expect(others).toEqual([{ id: b.id, userId: null, head: 'head of b' }])
    store.onEvicted = undefined
    insert(store, 'd')
    expect(others).toHaveLength(1)
  })

  test('is gone when it is told of, and the listener may use the store', async () => {
    const store = memory({ maxSessions: 2 })
    const a = insert(store, 'a')
    const b = insert(store, 'b')
    const seen: unknown[] = []
    store.onEvicted = ({ id }) => {
      seen.push(id, store.get(id), store.delete(b.id))
    }
    const c = insert(store, 'c')
    expect(seen).toEqual([a.id, null, true])
    expect(store.get(c.id)).toEqual(c)
    expect(await namesIn(store)).toBe('c')
  })
})

describe('a sweep', () => {
  test('of 1,000 expired among 100,000 looks at those, and at no more than one bucket beyond', async () => {
    const store = memory()
    const lookedAt = new Set<string>()
    for (let index = 0; index < 100_000; index++) {
      // In a mixed order, a hundred sessions to the second.
      const expiresAt = start + ((index * 7919) % 100_000) * 10
      const record = newRecord()
      Object.defineProperty(record, 'expiresAt', { enumerable: true, get: () => (lookedAt.add(record.id), expiresAt) })
      void store.put(record, 0)
    }
    lookedAt.clear()
    let removed = 0
    for (let batch = 0; batch < 11; batch++) removed += (await store.sweep(start + 9_999, 100)).removed.length
    expect(removed).toBe(1000)
    expect(lookedAt.size).toBeLessThanOrEqual(1100)
  })
})

test('every verb answers at once, without a promise', () => {
  const store = memory()
  const record = newRecord()
  expect(store.put(record, 0)).toBe(true)
  expect(store.get(record.id, { fresh: true })).toEqual(record)
  expect(store.touch([touchOf(record)])).toBeUndefined()
  expect(store.delete(record.id)).toBe(true)
  expect(store.sweep(start, 10)).toEqual({ removed: [], more: false })
  expect(store.close()).toBeUndefined()
})

test('after close every verb fails with ERR_SOJOURN_CLOSED, a listing under way too, and a second close is nothing', async () => {
  const store = memory()
  const record = insert(store, 'a')
  insert(store, 'b')
  const listing = store.list()[Symbol.asyncIterator]()
  await listing.next()
  void store.close()
  void store.close()
  const closed = expect.objectContaining({ code: 'ERR_SOJOURN_CLOSED', message: expect.stringContaining('memory store') as unknown })
  expect(() => store.get(record.id)).toThrow(closed)
  expect(() => store.put(after(record), record.version)).toThrow(closed)
  expect(() => store.touch([])).toThrow(closed)
  expect(() => store.delete(record.id)).toThrow(closed)
  expect(() => store.sweep(start, 1)).toThrow(closed)
  await expect(collect(store.list())).rejects.toEqual(closed)
  await expect(listing.next()).rejects.toEqual(closed)
})

test.each([
  [{ maxBytes: 'much' }, "maxBytes is 'much', which is no size"],
  [{ maxBytes: 0 }, 'maxBytes is 0'],
  [{ maxSessions: 0 }, 'maxSessions is 0, which is no number of sessions; write a whole number'],
  [{ maxSessions: 1.5 }, 'maxSessions is 1.5'],
  [{ maxSessions: Infinity }, 'maxSessions is Infinity'],
])('a bound that is none is refused with the mend: %j', (options, message) => {
  expect(() => memory(options)).toThrow(
    expect.objectContaining({ code: 'ERR_SOJOURN_OPTION', message: expect.stringContaining(message) as unknown }),
  )
})
