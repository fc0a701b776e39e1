import { strict as assert } from 'node:assert'
import type { SessionRecord, Store } from '../../core/store.ts'
import {
  after,
  assertListed,
  assertStored,
  assertSwept,
  hour,
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
import type { Rules } from './rule.ts'

export const writing: Rules = {
  'put with expected 0 inserts where nothing is, and only once': async (store) => {
    const record = newRecord({ userId: 'ada' })
    assert.equal(await store.put(record, 0), true)
    assert.equal(await store.put(record, 0), false)
    assert.equal(await store.put(after(record, { data: 'again', userId: 'alan' }), 0), false)
    await assertStored(store, record)
    await assertListed(store, undefined, [record])
  },

  'put never inserts unless expected is 0': async (store) => {
    const record = newRecord({ userId: 'ada' })
    for (const expected of [1, record.version - 1, record.version, record.version + 1, -1]) {
      assert.equal(await store.put(record, expected), false, `a put with expected ${expected} landed where no record was`)
      await assertNothing(store, record)
    }
  },

  'put replaces the whole record on the expected version': async (store) => {
    let record = await insert(store, { userId: 'ada', data: 'long'.repeat(1000), head: 'long'.repeat(100) })
    for (const fields of [
      { userId: 'alan', createdAt: start + 1, lastSeenAt: start + 2, expiresAt: start + 2 * hour, head: '', data: '' },
      { userId: null, version: record.version + 1_000_000, lastSeenAt: start, expiresAt: start + 3, head: 'h', data: 'd' },
      { userId: '', expiresAt: start + 4, data: '漢字'.repeat(1000) },
    ]) {
      const next = after(record, fields)
      assert.equal(await store.put(next, record.version), true)
      await assertStored(store, next)
      await assertListed(store, undefined, [next])
      record = next
    }
  },

  'put answers false where the stored version is another than expected': async (store) => {
    const record = await insert(store)
    for (const expected of [0, 1, record.version - 1, record.version + 1, -record.version]) {
      assert.equal(
        await store.put(after(record, { version: record.version + 2, data: 'mine' }), expected),
        false,
        `it landed with expected ${expected}`,
      )
      await assertStored(store, record)
    }
  },

  'put answers false unless the version becomes greater': async (store) => {
    const record = await insert(store)
    for (const version of [record.version, record.version - 1, 1]) {
      assert.equal(
        await store.put({ ...record, version, data: 'mine' }, record.version),
        false,
        `version ${version} landed on ${record.version}`,
      )
      await assertStored(store, record)
    }
  },

  'a put that did not land changes nothing: not the record, not its expiry, not its user': async (store) => {
    const record = await insert(store, { userId: 'ada' })
    const other = { userId: 'alan', lastSeenAt: start + minute, data: 'mine', head: 'mine' }
    for (const expiresAt of [record.expiresAt + hour, record.expiresAt - minute]) {
      const mine = { ...record, ...other, expiresAt }
      assert.equal(await store.put({ ...mine, version: record.version + 1 }, 0), false)
      assert.equal(await store.put({ ...mine, version: record.version + 1 }, record.version - 1), false)
      assert.equal(await store.put({ ...mine, version: record.version + 2 }, record.version + 1), false)
      assert.equal(await store.put(mine, record.version), false)
    }
    await assertStored(store, record)
    await assertListed(store, 'ada', [record])
    await assertListed(store, 'alan', [])
    await assertSwept(store, record.expiresAt - 1, [])
    await assertSwept(store, record.expiresAt, [record])
  },

  'of parallel puts from one version exactly one lands': async (store) => {
    let record = await insert(store)
    for (let round = 0; round < 10; round++) {
      const mine = Array.from({ length: 20 }, (_, index) =>
        after(record, { data: `${round}.${index}`, version: record.version + 1 + index }),
      )
      const landed = await together(mine, (next) => store.put(next, record.version))
      assert.equal(landed.length, 1, `${landed.length} of 20 puts from one version landed`)
      await assertStored(store, landed[0]!)
      record = landed[0]!
    }
  },

  'of parallel inserts of one ID exactly one lands': async (store) => {
    for (let round = 0; round < 10; round++) {
      const record = newRecord({ userId: `user ${round}` })
      const mine = Array.from({ length: 20 }, (_, index) => ({ ...record, data: `${index}`, version: 1 + index }))
      const landed = await together(mine, (next) => store.put(next, 0))
      assert.equal(landed.length, 1, `${landed.length} of 20 inserts of one ID landed`)
      await assertStored(store, landed[0]!)
      await assertListed(store, `user ${round}`, landed)
    }
  },

  'writers who try again until they land lose no change': async (store) => {
    const { id } = await insert(store, { data: '0' })
    await Promise.all(Array.from({ length: 5 }, () => increment(store, id, 8)))
    assert.equal((await read(store, id))?.data, '40')
  },

  'puts of many sessions at once all land': async (store) => {
    const records = await insertMany(store, 200, (index) => ({ userId: `user ${index % 3}`, data: `${index}` }))
    await assertListed(store, undefined, records)
    const landed = await together(
      records.map((record) => after(record, { data: 'new' })),
      (next) => store.put(next, next.version - 1),
    )
    assert.equal(landed.length, 200)
    await assertListed(store, undefined, landed)
  },

  'delete removes the record, and says whether one was there': async (store) => {
    const record = await insert(store, { userId: 'ada' })
    const another = await insert(store, { userId: 'ada' })
    assert.equal(await store.delete(record.id), true)
    assert.equal(await store.delete(record.id), false)
    assert.equal(await store.delete(newRecord().id), false)
    await assertListed(store, 'ada', [another])
    await store.delete(another.id)
    await assertNothing(store, record)
  },

  'after a delete an insert lands and a put over the old version does not': async (store) => {
    const record = await insert(store, { userId: 'ada' })
    await store.delete(record.id)
    assert.equal(await store.put(after(record), record.version), false)
    await assertNothing(store, record)
    const anew = { ...record, version: 5, userId: 'alan', expiresAt: start + minute }
    assert.equal(await store.put(anew, 0), true)
    assert.equal(await store.put(after(record), record.version), false)
    await assertStored(store, anew)
    await assertListed(store, 'ada', [])
    await assertListed(store, 'alan', [anew])
    await assertSwept(store, start + minute, [anew])
  },

  'a slow write cannot bring back what was deleted meanwhile': async (store) => {
    const records = await insertMany(store, 40, () => ({ userId: 'ada' }))
    await Promise.all(
      records.flatMap((record, index) => {
        const verbs = [
          async () => store.put(after(record, { expiresAt: start + 2 * hour }), record.version),
          async () => assert.equal(await store.delete(record.id), true),
          async () => store.touch([touchOf(record)]),
        ]
        return [0, 1, 2].map((turn) => verbs[(turn + index) % 3]!())
      }),
    )
    for (const { id } of records) assert.equal(await read(store, id), null, 'a deleted record is there again')
    await assertListed(store, 'ada', [])
    assert.deepEqual(await sweepAll(store, start + 10 * hour), [])
  },

  'a store does not judge expiry: a record past its time opens and can be put over until a sweep takes it': async (store) => {
    const past = await insert(store, { expiresAt: start + minute })
    const live = await insert(store, { expiresAt: start + 2 * hour })
    await store.touch([touchOf(live, { lastSeenAt: start + hour, expiresAt: start + 3 * hour })])
    await assertStored(store, past)
    const next = after(past, { lastSeenAt: start + hour, expiresAt: start + minute + 1 })
    assert.equal(await store.put(next, past.version), true)
    await assertStored(store, next)
    await assertSwept(store, start + hour, [next])
  },

  'a record whose time passed long ago is answered as long as a sweep would find it': async (store) => {
    const record = await insert(store, { createdAt: 1, lastSeenAt: 2, expiresAt: 3, userId: 'ada' })
    const answered = (await read(store, record.id)) !== null
    let listed = 0
    for await (const { id } of store.list('ada')) if (id === record.id) listed++
    // A database that expires by its own clock may have taken it: then it is nowhere.
    const there = (await sweepAll(store, 3)).length
    assert.equal(answered || there === 0, true, 'get hid a record that was still there')
    assert.equal(listed === 1 || there === 0, true, 'list hid a record that was still there')
  },
}

async function assertNothing(store: Store, { id, userId }: SessionRecord): Promise<void> {
  assert.equal(await read(store, id), null)
  if (userId !== null) await assertListed(store, userId, [])
  await assertListed(store, undefined, [])
  assert.deepEqual(await sweepAll(store, start + 1000 * hour), [], 'a sweep reported a session that is not there')
}
