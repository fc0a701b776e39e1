import { strict as assert } from 'node:assert'
import type { SessionRecord } from '../../core/store.ts'
import {
  after,
  assertListed,
  assertStored,
  collect,
  hour,
  idsOf,
  insert,
  insertMany,
  newRecord,
  start,
  sweepAll,
  touched,
  touchOf,
} from './rule.ts'
import type { Rules } from './rule.ts'

export const listing: Rules = {
  'list with a user answers that user’s records, all of them, and no others': async (store) => {
    const ada = await insertMany(store, 5, (index) => ({ userId: 'ada', data: `${index}`, expiresAt: start + index }))
    const alan = await insertMany(store, 3, () => ({ userId: 'alan' }))
    await insertMany(store, 4, () => ({ userId: null }))
    await assertListed(store, 'ada', ada)
    await assertListed(store, 'alan', alan)
    await assertListed(store, 'grace', [])
  },

  'list without a user answers every record once: users’, visitors’, tombstones': async (store) => {
    await assertListed(store, undefined, [])
    const records = await insertMany(store, 12, (index) => ({ userId: index % 3 ? `user ${index % 2}` : null }))
    const tombstone = after(records[1]!, { userId: null, head: 'ended', data: '' })
    await store.put(tombstone, records[1]!.version)
    await assertListed(store, undefined, [records[0]!, tombstone, ...records.slice(2)])
  },

  'a put that changes the user moves the record in the lists': async (store) => {
    let record = await insert(store)
    for (const userId of ['ada', 'alan', null, 'ada', 'ada', null]) {
      const next = after(record, { userId })
      assert.equal(await store.put(next, record.version), true)
      for (const user of ['ada', 'alan']) await assertListed(store, user, user === userId ? [next] : [])
      await assertListed(store, undefined, [next])
      record = next
    }
  },

  'list answers what has expired, as long as no sweep took it': async (store) => {
    const records = await insertMany(store, 3, (index) => ({ userId: 'ada', expiresAt: start + index * hour }))
    assert.equal((await sweepAll(store, start)).length, 1)
    await assertListed(store, 'ada', records.slice(1))
    assert.equal((await sweepAll(store, start + hour)).length, 1)
    await assertListed(store, 'ada', records.slice(2))
  },

  'list answers touched records with their new times': async (store) => {
    const record = await insert(store, { userId: 'ada' })
    await store.touch([touchOf(record)])
    await assertListed(store, 'ada', [touched(record)])
  },

  'list answers hundreds of records, each once': async (store) => {
    const ada = await insertMany(store, 350, (index) => ({ userId: 'ada', data: `${index}` }))
    const others = await insertMany(store, 350, (index) => ({ userId: index % 2 ? null : `ada ${index}` }))
    await assertListed(store, 'ada', ada)
    await assertListed(store, undefined, [...ada, ...others])
  },

  'a listing that is left early holds nothing: hundreds of them, and the store works on': async (store) => {
    const records = await insertMany(store, 10, () => ({ userId: 'ada' }))
    for (let round = 0; round < 300; round++) {
      for await (const { userId } of store.list(round % 2 ? 'ada' : undefined)) {
        assert.equal(userId, 'ada')
        break
      }
    }
    const failure = new Error('thrown by the caller')
    await assert.rejects(async () => {
      for await (const _ of store.list()) throw failure
    }, failure)
    const next = after(records[0]!, { data: 'new' })
    assert.equal(await store.put(next, next.version - 1), true)
    assert.equal(await store.delete(records[1]!.id), true)
    await assertListed(store, 'ada', [next, ...records.slice(2)])
    assert.equal((await sweepAll(store, start + hour)).length, 9)
  },

  'several listings at once do not disturb each other': async (store) => {
    const ada = await insertMany(store, 20, () => ({ userId: 'ada' }))
    const alan = await insertMany(store, 20, () => ({ userId: 'alan' }))
    const seen: string[] = []
    for await (const { id } of store.list('ada')) {
      seen.push(id)
      if (seen.length === 7) await assertListed(store, 'ada', ada)
      if (seen.length === 9) await assertListed(store, 'alan', alan)
    }
    assert.deepEqual(seen.sort(), idsOf(ada))
    const all = await Promise.all(Array.from({ length: 8 }, async () => idsOf(await collect(store.list()))))
    for (const ids of all) assert.deepEqual(ids, idsOf([...ada, ...alan]))
  },

  'each of a user’s sessions can be ended while they are being listed': async (store) => {
    const records = await insertMany(store, 60, () => ({ userId: 'ada' }))
    const others = await insertMany(store, 5, () => ({ userId: 'alan' }))
    const ended: SessionRecord[] = []
    for await (const record of store.list('ada')) {
      assert.ok(ended.length < 60, 'a listing answered more than there was')
      const tombstone = after(record, { userId: null, head: 'ended', data: '' })
      assert.equal(await store.put(tombstone, record.version), true)
      ended.push(tombstone)
    }
    assert.deepEqual(idsOf(ended), idsOf(records))
    await assertListed(store, 'ada', [])
    await assertListed(store, undefined, [...ended, ...others])
  },

  'a listing goes on while records come, change and go, and answers what stays exactly once': async (store) => {
    const records = await insertMany(store, 60, (index) => ({ userId: index % 2 ? 'ada' : null }))
    const staying = records.slice(0, 30)
    const going = records.slice(30)
    const seen: string[] = []
    let inserted = 0
    for await (const { id } of store.list()) {
      seen.push(id)
      if (inserted++ < 200) await insert(store, { userId: 'ada' })
      const gone = going.pop()
      if (gone !== undefined) await store.delete(gone.id)
      const record = staying[inserted % 30]!
      const next = after(record, { data: `${inserted}` })
      assert.equal(await store.put(next, record.version), true)
      staying[inserted % 30] = next
      assert.ok(seen.length < 1000, 'a listing does not end')
    }
    assert.equal(new Set(seen).size, seen.length, 'a listing answered a session twice')
    for (const { id } of staying) assert.ok(seen.includes(id), 'a listing left out a session that was there all the time')
    for (const record of staying) await assertStored(store, record)
  },

  'a listing ends, even if each record that it answers brings another': async (store) => {
    await insertMany(store, 20, () => ({ userId: 'ada' }))
    for (const userId of ['ada', undefined]) {
      let seen = 0
      for await (const _ of store.list(userId)) {
        await store.put(newRecord({ userId: 'ada' }), 0)
        if (++seen === 2000) assert.fail('2000 were answered where 20 had been')
      }
    }
  },
}
