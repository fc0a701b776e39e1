import { strict as assert } from 'node:assert'
import type { Removed, Store } from '../../core/store.ts'
import {
  after,
  assertListed,
  assertStored,
  assertSwept,
  collect,
  hour,
  idsOf,
  increment,
  insert,
  insertMany,
  minute,
  newRecord,
  read,
  start,
  sweepAll,
  together,
  touchOf,
} from './rule.ts'

/** What holds when several handles, of one process or of many, have the same data open. */
export const twoHandles: Readonly<Record<string, (one: Store, other: Store) => Promise<void>>> = {
  'what one handle was told that it wrote, every other sees at once': async (one, other) => {
    for (let round = 0; round < 20; round++) {
      const [writer, reader] = round % 2 ? [one, other] : [other, one]
      const record = await insert(writer, { userId: `user ${round}`, expiresAt: start + round })
      await assertStored(reader, record)
      const next = after(record, { data: 'new', userId: `next user ${round}` })
      assert.equal(await writer.put(next, record.version), true)
      await assertStored(reader, next)
      await assertListed(reader, `user ${round}`, [])
      await assertListed(reader, `next user ${round}`, [next])
      await writer.touch([touchOf(next, { lastSeenAt: start - 1, expiresAt: start + hour })])
      await assertStored(reader, { ...next, lastSeenAt: start - 1, expiresAt: start + hour })
      assert.equal(await writer.delete(record.id), true)
      assert.equal(await read(reader, record.id), null)
    }
  },

  'get sees what another handle was told that it wrote, however lately this one read': async (one, other) => {
    // One with a cache in front says so, and promises as much for `fresh` alone.
    const readOf = async (handle: Store, id: string) => (handle.caches === true ? await read(handle, id) : await handle.get(id))
    for (let round = 0; round < 20; round++) {
      const [writer, reader] = round % 2 ? [one, other] : [other, one]
      const record = newRecord()
      const next = after(record, { data: 'new' })
      assert.equal(await readOf(reader, record.id), null)
      assert.equal(await writer.put(record, 0), true)
      assert.deepEqual(await readOf(reader, record.id), record)
      const landing = Promise.resolve(writer.put(next, record.version))
      let landed: boolean | undefined
      // However long that takes, the last of these reads is of the same moment.
      while (landed === undefined) {
        await readOf(reader, record.id)
        landed = await Promise.race([landing, new Promise<undefined>((resolve) => setImmediate(resolve, undefined))])
      }
      assert.equal(landed, true)
      assert.deepEqual(await readOf(reader, record.id), next)
      assert.equal(await writer.delete(record.id), true)
      assert.equal(await readOf(reader, record.id), null)
    }
  },

  'of puts from one version through two handles exactly one lands': async (one, other) => {
    let record = await insert(one)
    for (let round = 0; round < 10; round++) {
      const mine = Array.from({ length: 10 }, (_, index) => after(record, { data: `${round}.${index}` }))
      const landed = await together(mine, (next) => (mine.indexOf(next) % 2 ? one : other).put(next, record.version))
      assert.equal(landed.length, 1, `${landed.length} of 10 puts from one version landed`)
      await assertStored(one, landed[0]!)
      await assertStored(other, landed[0]!)
      record = landed[0]!
    }
  },

  'of inserts of one ID through two handles exactly one lands': async (one, other) => {
    for (let round = 0; round < 10; round++) {
      const record = newRecord()
      const mine = Array.from({ length: 10 }, (_, index) => ({ ...record, data: `${index}` }))
      const landed = await together(mine, (next) => (mine.indexOf(next) % 2 ? one : other).put(next, 0))
      assert.equal(landed.length, 1, `${landed.length} of 10 inserts of one ID landed`)
      await assertStored(other, landed[0]!)
    }
  },

  'writers on two handles who try again until they land lose no change': async (one, other) => {
    const { id } = await insert(one, { data: '0' })
    await Promise.all([one, other, one, other].map((handle) => increment(handle, id, 8)))
    for (const handle of [one, other]) assert.equal((await read(handle, id))?.data, '32')
  },

  'what one handle ended or deleted, no other brings back': async (one, other) => {
    const record = await insert(one, { userId: 'ada' })
    await assertStored(other, record)
    const tombstone = after(record, { userId: null, data: '', expiresAt: start + minute })
    assert.equal(await one.put(tombstone, record.version), true)
    assert.equal(await other.put(after(record, { data: 'late' }), record.version), false)
    await other.touch([touchOf(record)])
    await assertStored(other, tombstone)
    assert.equal(await one.delete(record.id), true)
    assert.equal(await other.put(after(tombstone, { data: 'late' }), tombstone.version), false)
    await other.touch([touchOf(tombstone)])
    assert.equal(await read(other, record.id), null)
    await assertListed(other, undefined, [])
  },

  'a sweep through one handle spares what another touched or put': async (one, other) => {
    const [touched, put, expired] = [await insert(one), await insert(one), await insert(one)]
    await other.touch([touchOf(touched)])
    assert.equal(await other.put(after(put, { expiresAt: put.expiresAt + minute }), put.version), true)
    await assertSwept(one, start + hour, [expired])
    await assertSwept(other, start + hour + minute, [touched, put])
  },

  'sweeps through two handles at the same moment report each session once': async (one, other) => {
    const records = await insertMany(one, 60, (index) => ({ expiresAt: start + index }))
    const removed: Removed[] = []
    for (let round = 0; round < 60 && removed.length < 60; round++) {
      const batches = await Promise.all([one, other, one, other].map(async (handle) => await handle.sweep(start + hour, 7)))
      for (const batch of batches) removed.push(...batch.removed)
    }
    assert.deepEqual(idsOf(removed), idsOf(records))
    assert.deepEqual(await sweepAll(other, start + hour), [])
  },

  'a listing on one handle goes on while another writes': async (one, other) => {
    const records = await insertMany(one, 40, () => ({ userId: 'ada' }))
    const seen: string[] = []
    for await (const record of one.list('ada')) {
      seen.push(record.id)
      assert.equal(await other.put(after(record, { userId: null }), record.version), true)
    }
    assert.deepEqual(seen.sort(), idsOf(records))
    assert.deepEqual(await collect(one.list('ada')), [])
  },
}
