import { strict as assert } from 'node:assert'
import type { Touch } from '../../core/store.ts'
import {
  after,
  assertListed,
  assertStored,
  assertSwept,
  hour,
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

export const touching: Rules = {
  'a touch moves lastSeenAt and expiresAt, and nothing else': async (store) => {
    const record = await insert(store, { userId: 'ada', createdAt: start - 7, data: '漢字 \0', head: 'h' })
    const times = { lastSeenAt: start + 123, expiresAt: record.expiresAt + 1 }
    await store.touch([touchOf(record, times)])
    await assertStored(store, touched(record, times))
    await assertListed(store, 'ada', [touched(record, times)])
    await assertListed(store, undefined, [touched(record, times)])
  },

  'a touch never creates': async (store) => {
    const record = newRecord({ userId: 'ada' })
    await store.touch([touchOf(record), touchOf(record, { version: 0 })])
    const deleted = await insert(store, { userId: 'ada' })
    await store.delete(deleted.id)
    await store.touch([touchOf(deleted), touchOf(deleted, { version: 0 })])
    for (const { id } of [record, deleted]) assert.equal(await read(store, id), null)
    await assertListed(store, 'ada', [])
    await assertListed(store, undefined, [])
    assert.deepEqual(await sweepAll(store, start + 10 * hour), [], 'a sweep reported a session that is not there')
    assert.equal(await store.put(after(record), record.version), false)
  },

  'a touch never shortens, and one that does not lengthen changes nothing': async (store) => {
    const record = await insert(store)
    for (const expiresAt of [record.expiresAt, record.expiresAt - 1, start + minute, 0]) {
      await store.touch([touchOf(record, { lastSeenAt: start + 1, expiresAt })])
      await assertStored(store, record)
    }
    await assertSwept(store, record.expiresAt - 1, [])
    await assertSwept(store, record.expiresAt, [record])
  },

  'a touch lands on its own version alone': async (store) => {
    const old = await insert(store)
    const record = after(old, { data: 'new' })
    await store.put(record, old.version)
    for (const version of [old.version, record.version + 1, 0]) {
      await store.touch([touchOf(record, { version })])
      await assertStored(store, record, `a touch for version ${version} landed on ${record.version}`)
    }
    await assertSwept(store, record.expiresAt, [record])
  },

  'a touch does not land on a record that had expired when it was used': async (store) => {
    const expired = await insert(store, { expiresAt: start + minute })
    await store.touch([touchOf(expired, { lastSeenAt: start + minute, expiresAt: start + hour })])
    await store.touch([touchOf(expired, { lastSeenAt: start + minute + 1, expiresAt: start + hour })])
    await assertStored(store, expired)
    const live = await insert(store, { expiresAt: start + minute })
    await store.touch([touchOf(live, { lastSeenAt: start + minute - 1, expiresAt: start + hour })])
    await assertStored(store, { ...live, lastSeenAt: start + minute - 1, expiresAt: start + hour })
    await assertSwept(store, start + minute, [expired])
  },

  'a touch that was sent late lands, as long as the record was live at its use': async (store) => {
    const record = await insert(store, { expiresAt: start + minute })
    const other = await insert(store, { lastSeenAt: start + 2 * minute })
    await store.touch([
      touchOf(other, { lastSeenAt: start + 3 * minute }),
      touchOf(record, { lastSeenAt: start + 1, expiresAt: start + hour }),
    ])
    await assertStored(store, { ...record, lastSeenAt: start + 1, expiresAt: start + hour })
  },

  'a put from the version that was read lands after a touch': async (store) => {
    const record = await insert(store)
    await store.touch([touchOf(record)])
    const next = after(record, { data: 'mine' })
    assert.equal(await store.put(next, record.version), true)
    await assertStored(store, next)
  },

  'a sweep spares what was touched until its new time': async (store) => {
    for (const step of [1, 100, minute, 100 * hour]) {
      const record = await insert(store)
      const times = { lastSeenAt: start + minute, expiresAt: record.expiresAt + step }
      await store.touch([touchOf(record, times)])
      await assertSwept(store, record.expiresAt, [], 'a sweep removed a session by the time that it had before a touch')
      await assertStored(store, touched(record, times))
      await assertSwept(store, times.expiresAt - 1, [])
      await assertSwept(store, times.expiresAt, [record])
    }
  },

  'a record that was touched many times is swept once, by its last time': async (store) => {
    const record = await insert(store)
    for (let index = 1; index <= 50; index++) {
      await store.touch([touchOf(record, { lastSeenAt: start + index, expiresAt: record.expiresAt + index * 700 })])
    }
    await assertSwept(store, record.expiresAt + 50 * 700 - 1, [])
    await assertSwept(store, record.expiresAt + 50 * 700, [record])
    assert.deepEqual(await sweepAll(store, start + 1000 * hour), [])
  },

  'in a batch each touch lands or not for itself': async (store) => {
    const first = await insert(store, { userId: 'ada' })
    const wrongVersion = await insert(store)
    const shortened = await insert(store)
    const expired = await insert(store)
    const deleted = await insert(store)
    const last = await insert(store)
    await store.delete(deleted.id)
    const batch: Touch[] = [
      touchOf(newRecord()),
      touchOf(first),
      touchOf(wrongVersion, { version: wrongVersion.version - 1 }),
      touchOf(shortened, { expiresAt: shortened.expiresAt - minute }),
      touchOf(expired, { lastSeenAt: expired.expiresAt }),
      touchOf(deleted),
      touchOf(last),
    ]
    await store.touch(batch)
    await assertListed(store, undefined, [touched(first), touched(last), wrongVersion, shortened, expired])
    await assertSwept(store, first.expiresAt, [wrongVersion, shortened, expired])
    await assertSwept(store, first.expiresAt + minute, [first, last])
  },

  'an empty batch is nothing, and a large one lands whole': async (store) => {
    await store.touch([])
    const records = await insertMany(store, 300, (index) => ({ expiresAt: start + hour + index }))
    await store.touch(records.map((record) => touchOf(record)))
    const expected = records.map((record) => touched(record))
    await assertListed(store, undefined, expected)
  },

  'of several touches of one session, in any order, the longest stays': async (store) => {
    const late = { lastSeenAt: start + 2 * minute, expiresAt: start + 3 * hour }
    const early = { lastSeenAt: start + minute, expiresAt: start + 2 * hour }
    const records = await insertMany(store, 12, () => ({}))
    await Promise.all(
      records.map(async (record, index) => {
        const touches = [touchOf(record, late), touchOf(record, early)]
        if (index % 2) touches.reverse()
        if (index % 3) await store.touch(touches)
        else await Promise.all(touches.map(async (touch) => store.touch([touch])))
      }),
    )
    const expected = records.map((record) => touched(record, late))
    await assertListed(store, undefined, expected)
    await assertSwept(store, early.expiresAt, [])
    await assertSwept(store, late.expiresAt, records)
  },

  'a touch at the same moment as a put neither stops it nor undoes it': async (store) => {
    const records = await insertMany(store, 40, () => ({ userId: 'ada' }))
    const tombstones = records.map((record) => after(record, { userId: null, head: 'ended', data: '', expiresAt: start + minute }))
    await Promise.all(
      records.map(async (record, index) => {
        const put = async () => assert.equal(await store.put(tombstones[index]!, record.version), true)
        const touch = async () => store.touch([touchOf(record)])
        await Promise.all(index % 2 ? [put(), touch(), touch()] : [touch(), put(), touch()])
      }),
    )
    await assertListed(store, undefined, tombstones, 'a touch changed what was put at the same moment')
    await assertListed(store, 'ada', [])
    await assertSwept(store, start + minute, tombstones)
  },
}
