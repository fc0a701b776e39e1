import { strict as assert } from 'node:assert'
import type { Removed, SessionRecord } from '../../core/store.ts'
import {
  after,
  assertListed,
  assertStored,
  assertSwept,
  collect,
  hour,
  idsOf,
  insert,
  insertMany,
  minute,
  newRecord,
  read,
  start,
  sweepAll,
  touched,
  touchOf,
} from './rule.ts'
import type { Rules } from './rule.ts'

export const sweeping: Rules = {
  'a sweep removes what expires at its now or earlier, to the millisecond': async (store) => {
    for (const base of [0, 1, 500, 998, 999, 1000, 1001, 59_999]) {
      const now = start + base
      const due = [
        await insert(store, { expiresAt: now - 1 }),
        await insert(store, { expiresAt: now }),
        await insert(store, { expiresAt: now - hour }),
      ]
      const live = [
        await insert(store, { expiresAt: now + 1 }),
        await insert(store, { expiresAt: now + 1000 }),
        await insert(store, { expiresAt: now + hour }),
      ]
      await assertSwept(store, now, due)
      for (const record of live) await assertStored(store, record)
      await assertSwept(store, now + hour, live)
    }
  },

  'a sweep tells the ID, user and head of each that it removed, and nothing else': async (store) => {
    const user = await insert(store, { userId: 'ada', head: 'the head of ada', data: 'secret' })
    const visitor = await insert(store, { head: '{}' })
    const removed = await sweepAll(store, start + hour)
    assert.deepEqual(
      byId(removed),
      byId([
        { id: user.id, userId: 'ada', head: 'the head of ada' },
        { id: visitor.id, userId: null, head: '{}' },
      ]),
    )
  },

  'what was swept is gone everywhere, and its ID is free': async (store) => {
    const record = await insert(store, { userId: 'ada' })
    await assertSwept(store, start + hour, [record])
    assert.equal(await read(store, record.id), null)
    await assertListed(store, 'ada', [])
    await assertListed(store, undefined, [])
    assert.equal(await store.delete(record.id), false)
    assert.equal(await store.put(after(record), record.version), false, 'a put revived a session that was swept')
    await store.touch([touchOf(record)])
    assert.equal(await read(store, record.id), null)
    assert.deepEqual(await sweepAll(store, start + 10 * hour), [], 'a session was reported twice')
    assert.equal(await store.put({ ...record, version: 1 }, 0), true)
  },

  'where nothing has expired a sweep does nothing and says that there is no more': async (store) => {
    assert.deepEqual(plain(await store.sweep(start, 10)), { removed: [], more: false })
    const live = await insert(store)
    assert.deepEqual(plain(await store.sweep(live.expiresAt - 1, 10)), { removed: [], more: false })
    await assertStored(store, live)
  },

  'a sweep removes no more than its limit, and says that there is more until all is removed': async (store) => {
    const records = await insertMany(store, 23, (index) => ({ expiresAt: start + index * minute }))
    const removed: Removed[] = []
    while (removed.length < 23) {
      const swept = await store.sweep(start + hour, 5)
      assert.ok(swept.removed.length <= 5, `${swept.removed.length} were removed with a limit of 5`)
      removed.push(...swept.removed)
      if (removed.length < 23) assert.equal(swept.more, true, `more was false when ${23 - removed.length} had yet to go`)
      if (!swept.more) break
    }
    assert.deepEqual(idsOf(removed), idsOf(records))
    assert.deepEqual(await sweepAll(store, start + hour, 5), [])
  },

  'a sweep takes the oldest first': async (store) => {
    const order = [7, 2, 9, 0, 4, 11, 1, 8, 3, 10, 6, 5]
    const records: SessionRecord[] = []
    for (const index of order) records[index] = await insert(store, { expiresAt: start + index * minute })
    const removed: Removed[] = []
    for (const limit of [1, 1, 3, 2, 100]) removed.push(...(await store.sweep(start + hour, limit)).removed)
    assert.deepEqual(
      removed.map(({ id }) => id),
      records.map(({ id }) => id),
    )
  },

  'sessions that expire in the same millisecond, even of one user, are all swept': async (store) => {
    const records = await insertMany(store, 30, () => ({ userId: 'ada', expiresAt: start + minute }))
    const [first, ...others] = records as [SessionRecord, ...SessionRecord[]]
    await store.delete(first.id)
    assert.deepEqual(idsOf(await sweepAll(store, start + minute, 7)), idsOf(others))
    await assertListed(store, undefined, [])
  },

  'a sweep goes by the time that the last put gave, be it later or earlier': async (store) => {
    for (const step of [1, 999, minute, 30 * minute]) {
      const [later, earlier] = [await insert(store), await insert(store)]
      const postponed = after(later, { expiresAt: later.expiresAt + step })
      const advanced = after(earlier, { expiresAt: earlier.expiresAt - step })
      assert.equal(await store.put(postponed, later.version), true)
      assert.equal(await store.put(advanced, earlier.version), true)
      await assertSwept(store, advanced.expiresAt - 1, [])
      await assertSwept(store, advanced.expiresAt, [advanced], 'a sweep missed a session that a put had made expire earlier')
      await assertSwept(store, later.expiresAt, [], 'a sweep removed a session whose time a put had moved on')
      await assertStored(store, postponed)
      await assertSwept(store, postponed.expiresAt, [postponed])
    }
  },

  'a time that goes forth and back ends in one report, at its last value': async (store) => {
    let record = await insert(store)
    for (const expiresAt of [start + 5 * hour, start + 10 * minute, start + 9 * hour, start + 20 * minute]) {
      const next = after(record, { lastSeenAt: start, expiresAt })
      assert.equal(await store.put(next, record.version), true)
      record = { ...next, lastSeenAt: start + 1, expiresAt: expiresAt + 1 }
      await store.touch([touchOf(next, { lastSeenAt: record.lastSeenAt, expiresAt: record.expiresAt })])
      await assertStored(store, record)
    }
    await assertSwept(store, record.expiresAt - 1, [])
    await assertSwept(store, record.expiresAt, [record])
    assert.deepEqual(await sweepAll(store, start + 100 * hour), [])
  },

  'a tombstone is swept as what it is: by its own time, without the user that it had': async (store) => {
    const record = await insert(store, { userId: 'ada', head: 'live', expiresAt: start + 10 * hour })
    const tombstone = after(record, { userId: null, head: 'ended', data: '', expiresAt: start + minute })
    await store.put(tombstone, record.version)
    assert.deepEqual(plain(await store.sweep(start + minute, 10)).removed, [{ id: record.id, userId: null, head: 'ended' }])
    assert.deepEqual(await sweepAll(store, start + 10 * hour), [])
  },

  'what was deleted is not reported by a sweep': async (store) => {
    const records = await insertMany(store, 9, () => ({}))
    for (const { id } of records.slice(0, 5)) await store.delete(id)
    await assertSwept(store, start + hour, records.slice(5))
  },

  'sweeps at the same moment never report a session twice, and together all': async (store) => {
    const records = await insertMany(store, 60, (index) => ({ expiresAt: start + index }))
    const removed: Removed[] = []
    for (let round = 0; round < 60 && removed.length < 60; round++) {
      const batches = await Promise.all(Array.from({ length: 4 }, async () => await store.sweep(start + hour, 7)))
      for (const batch of batches) removed.push(...batch.removed)
    }
    assert.deepEqual(idsOf(removed), idsOf(records))
    assert.deepEqual(await sweepAll(store, start + hour), [])
  },

  'what is put while a sweep runs is either swept or there, and its put answers which': async (store) => {
    for (let round = 0; round < 5; round++) {
      const records = await insertMany(store, 40, () => ({ expiresAt: start + minute }))
      const next = records.map((record) => after(record, { expiresAt: start + hour, data: 'mine' }))
      const sweep = async () => await sweepAll(store, start + minute, 9)
      const puts = async () => await Promise.all(next.map(async (record) => await store.put(record, record.version - 1)))
      const [landed, swept] = await both(puts, sweep, round)
      const removed = new Set(idsOf(swept))
      for (const [index, record] of next.entries()) {
        assert.notEqual(
          landed[index],
          removed.has(record.id),
          'a session that a put had kept alive was swept, or one that was swept took a put',
        )
        if (landed[index]) await assertStored(store, record)
        else assert.equal(await read(store, record.id), null)
        await store.delete(record.id)
      }
    }
  },

  'what is touched while a sweep runs is either swept or there with its new time': async (store) => {
    for (let round = 0; round < 5; round++) {
      const records = await insertMany(store, 40, () => ({ expiresAt: start + 2 * minute }))
      const sweep = async () => await sweepAll(store, start + 2 * minute, 9)
      const times = { lastSeenAt: start + minute, expiresAt: start + hour }
      const touches = async () =>
        await Promise.all(
          records.map(async (record) => {
            await store.touch([touchOf(record, times)])
            return await read(store, record.id)
          }),
        )
      const [seen, swept] = await both(touches, sweep, round)
      const removed = new Set(idsOf(swept))
      for (const [index, record] of records.entries()) {
        const keptAlive = seen[index]?.expiresAt === times.expiresAt
        assert.ok(!keptAlive || !removed.has(record.id), 'a session that a touch had kept alive was swept')
        if (removed.has(record.id)) assert.equal(await read(store, record.id), null)
        else await assertStored(store, touched(record, times))
        await store.delete(record.id)
      }
    }
  },

  'what is inserted while a sweep runs stays until its own time': async (store) => {
    const expired = await insertMany(store, 40, () => ({}))
    const fresh = Array.from({ length: 40 }, () => newRecord({ expiresAt: start + 2 * hour }))
    const sweep = async () => await sweepAll(store, start + hour, 3)
    const inserts = async () => await Promise.all(fresh.map(async (record) => await store.put(record, 0)))
    const [landed, swept] = await both(inserts, sweep, 1)
    assert.ok(landed.every(Boolean))
    assert.deepEqual(idsOf(swept), idsOf(expired))
    assert.deepEqual(idsOf(await collect(store.list())), idsOf(fresh))
    await assertSwept(store, start + 2 * hour, fresh)
  },
}

/** What two that run at the same moment answer; in odd rounds the second one starts first. */
async function both<One, Other>(one: () => Promise<One>, other: () => Promise<Other>, round: number): Promise<[One, Other]> {
  if (round % 2 === 0) return await Promise.all([one(), other()])
  const [second, first] = await Promise.all([other(), one()])
  return [first, second]
}

function plain({ removed, more }: { readonly removed: readonly Removed[]; readonly more: boolean }) {
  return { removed: removed.map(({ id, userId, head }) => ({ id, userId, head })), more }
}

function byId(removed: readonly Removed[]): Map<string, Removed> {
  return new Map(removed.map((item) => [item.id, { ...item }]))
}
