import { MongoClient, type Db, type MongoClientOptions } from 'mongodb'
import { inspect } from 'node:util'
import { afterAll, describe, expect, test } from 'vitest'
import type { Store } from '../../src/core/store.ts'
import { mongodb } from '../../src/stores/mongodb.ts'
import { after, collect, hour, idsOf, insertMany, newRecord, start, touchOf } from '../../src/testing/store-cases/rule.ts'
import { shared } from '../services/service.ts'
import { keepsTheContract } from './contract.ts'

/*
 * FerretDB keeps its data on the disk and does not make updates atomic; mongo-java-server makes them atomic and keeps nothing.
 * Each case runs on both: on `mongodb` through one connection, which sends one command after the other, and on `mongodb-races`
 * through the driver's whole pool. Where there is a mongod, both are that.
 */
const kinds = [
  ['mongodb', await shared('mongodb'), { maxPoolSize: 1 }],
  ['mongodb-races', await shared('mongodb-races'), {}],
] as const

let collections = 0
const newName = () => `sessions_${collections++}`
const nameOf = ({ name }: Store) => name.replace('mongodb:', '')

describe.each(kinds)('the store: mongodb, on %s', (kind, server, options) => {
  const client = new MongoClient(server.url, options)
  const db = client.db(server.name)
  afterAll(async () => await client.close())
  const open = async () => {
    const store = mongodb(db, { collection: newName() })
    await store.createSchema()
    return store
  }

  keepsTheContract(kind, open, (store) => mongodb(db, { collection: nameOf(store) }))

  const refused = expect.objectContaining({ code: 'ERR_SOJOURN_STORE_FORMAT' })

  test('the first use without the indexes is refused, until createSchema made them', async () => {
    const store = mongodb(db, { collection: newName() })
    await expect(async () => await store.get('x')).rejects.toThrow(refused)
    await db.collection(nameOf(store)).insertOne({ of: 'another program' })
    await expect(async () => await store.put(newRecord(), 0)).rejects.toThrow(/createSchema/)
    await store.createSchema()
    await store.createSchema()
    expect(await store.get('x')).toBeNull()
  })

  test('indexes of the same names on other keys are refused', async () => {
    const collection = newName()
    await db.collection(collection).createIndex({ u: 1 }, { name: 'sojourn_user' })
    await db.collection(collection).createIndex({ e: 1, _id: 1 }, { name: 'sojourn_expiry' })
    await expect(async () => await mongodb(db, { collection }).get('x')).rejects.toThrow(refused)
  })

  test('there is a TTL index, unless the server refuses such, and it takes a session a day after its end at the earliest', async () => {
    const store = await open()
    const documents = db.collection<{ _id: string; x: Date }>(nameOf(store))
    const ttl = (await documents.indexes()).find(({ name }) => name === 'sojourn_ttl')
    const refusal = await db
      .collection(newName())
      .createIndex({ x: 1 }, { expireAfterSeconds: 0 })
      .catch((error: Error) => error)
    if (refusal instanceof Error) expect(ttl).toBeUndefined()
    else expect(ttl).toMatchObject({ key: { x: 1 }, expireAfterSeconds: 0 })
    const ends = async (id: string) => (await documents.findOne({ _id: id }))?.x.getTime()
    const [record, endless] = [newRecord(), newRecord({ expiresAt: Number.MAX_SAFE_INTEGER })]
    for (const one of [record, endless]) expect(await store.put(one, 0)).toBe(true)
    expect(await ends(record.id)).toBe(record.expiresAt + 24 * hour)
    expect(await ends(endless.id)).toBe(8.64e15)
    await store.touch([touchOf(record, { expiresAt: start + 5 * hour })])
    expect(await ends(record.id)).toBe(start + 29 * hour)
  })

  test('dots, $, NUL, emoji and 1 MB are kept exactly, and half a surrogate pair is refused', async () => {
    const store = await open()
    const data = JSON.stringify({ $set: { 'a.b': '\0' }, 'x.$[]': '👩', long: '漢'.repeat(350_000) })
    for (const userId of ['a.b', '$ne', '{"$gt":""}', '\0', 'a\0b', '👩‍👩‍👧', '漢'.repeat(2000)]) {
      const record = newRecord({ userId, data: userId === '$ne' ? data : userId })
      expect(await store.put(record, 0)).toBe(true)
      expect(await store.get(record.id)).toEqual(record)
      expect(await collect(store.list(userId))).toEqual([record])
    }
    for (const userId of ['\ud800', 'a\udc00b']) {
      const told = { code: 'ERR_SOJOURN_OPTION' }
      await expect(async () => await store.put(newRecord({ userId }), 0)).rejects.toMatchObject(told)
      await expect(collect(store.list(userId))).rejects.toMatchObject(told)
    }
  })

  test('a sweep takes the oldest, at most its limit, and leaves what was touched or written after it looked', async () => {
    const other = await open()
    const all = await insertMany(other, 30, (index) => ({ userId: 'ada', expiresAt: start + index }))
    const [used, ended] = [all[1]!, all[2]!]
    const store = mongodb(
      afterLooking(db, async () => {
        await other.touch([touchOf(used, { lastSeenAt: start, expiresAt: start + hour })])
        await other.put(after(ended, { userId: null, head: 'ended' }), ended.version)
      }),
      { collection: nameOf(other) },
    )
    const first = await store.sweep(start + 29, 10)
    expect(idsOf(first.removed)).toEqual(idsOf([all[0]!, ...all.slice(3, 10)]))
    expect(first.more).toBe(true)
    const { removed } = await other.sweep(start + 29, 100)
    expect(removed).toHaveLength(21)
    expect(removed).toContainEqual({ id: ended.id, userId: null, head: 'ended' })
    expect(idsOf(await collect(other.list()))).toEqual([used.id])
  })

  test('close leaves the client open, and ends what it was told to end once', async () => {
    let ends = 0
    const closed = mongodb(db, {}, () => void ends++)
    await closed.close()
    await closed.close()
    expect(ends).toBe(1)
    await expect(async () => await closed.time!()).rejects.toMatchObject({ code: 'ERR_SOJOURN_CLOSED' })
    expect(Math.abs((await mongodb(db).time!()) - Date.now())).toBeLessThan(5000)
  })

  test('a document of another program is told of as such', async () => {
    const store = await open()
    await db.collection<{ _id: string }>(nameOf(store)).insertOne({ _id: 'x' })
    await expect(async () => await store.get('x')).rejects.toThrow(refused)
  })

  const strange = [
    { promoteValues: false },
    { promoteLongs: false },
    { useBigInt64: true },
    { raw: true },
    { readPreference: 'secondary' },
    { ignoreUndefined: true },
    { writeConcern: { w: 0 } },
  ] satisfies MongoClientOptions[]
  test.each(strange.map((own) => [inspect(own), own] as const))('the client’s own options change nothing: %s', async (_, own) => {
    const there = new MongoClient(server.url, { ...own, maxPoolSize: 1 })
    const store = mongodb(there.db(server.name), { collection: newName() })
    await store.createSchema()
    const record = newRecord({ version: 2 ** 40, userId: 'ada' })
    const next = after(record)
    expect([await store.put(record, 0), await store.put(record, 0)]).toEqual([true, false])
    expect([await store.put(next, record.version), await store.put(next, record.version)]).toEqual([true, false])
    await store.touch([touchOf(next)])
    const touchedNext = { ...next, lastSeenAt: touchOf(next).lastSeenAt, expiresAt: touchOf(next).expiresAt }
    expect(await store.get(record.id)).toEqual(touchedNext)
    expect(await collect(store.list('ada'))).toEqual([touchedNext])
    const expired = newRecord({ expiresAt: start - 1 })
    await store.put(expired, 0)
    expect((await store.sweep(start, 10)).removed).toEqual([{ id: expired.id, userId: null, head: expired.head }])
    expect([await store.delete(record.id), await store.delete(record.id)]).toEqual([true, false])
    await there.close()
  })

  test('what another program put into the collection is not swept', async () => {
    const store = await open()
    const foreign = db.collection<{ _id: string; e: number }>(nameOf(store))
    await foreign.insertOne({ _id: 'ZZ', e: 5 })
    const record = newRecord({ expiresAt: start - 1 })
    await store.put(record, 0)
    expect(await store.sweep(start, 10)).toMatchObject({ removed: [{ id: record.id }], more: false })
    expect(await foreign.countDocuments()).toBe(1)
  })
})

/** The database, in which something happens once a sweep has looked and before it removes. */
function afterLooking(db: Db, happens: () => Promise<void>): Db {
  const collection = (name: string) => {
    const sessions = db.collection(name)
    const find = (...given: Parameters<typeof sessions.find>) => ({
      toArray: async () => {
        const found = await sessions.find(...given).toArray()
        await happens()
        return found
      },
    })
    return new Proxy(sessions, {
      get: (of, key) => (key === 'find' ? find : typeof of[key as 'find'] === 'function' ? of[key as 'find'].bind(of) : undefined),
    })
  }
  return { command: db.command.bind(db), collection } as unknown as Db
}

describe('a MongoDB store', () => {
  const [, server] = kinds[1]

  test('of 200 writers of one session at once exactly one lands on each version', async () => {
    const client = new MongoClient(server.url)
    const store = mongodb(client.db(server.name), { collection: newName() })
    await store.createSchema()
    const record = newRecord({ data: '0' })
    await store.put(record, 0)
    for (let version = record.version; version < record.version + 5; version++) {
      const answers = await Promise.all(
        Array.from({ length: 200 }, async (_, index) => await store.put({ ...record, version: version + 1, data: `${index}` }, version)),
      )
      expect(answers.filter(Boolean)).toHaveLength(1)
      expect((await store.get(record.id))?.data).toBe(`${answers.indexOf(true)}`)
    }
    await client.close()
  })

  test('every write asks for the majority of the replica set, whatever the client is set to, and each verb is one command', async () => {
    const client = new MongoClient(server.url, { monitorCommands: true, w: 1 })
    const store = mongodb(client.db(server.name), { collection: newName() })
    await store.createSchema()
    const sent: unknown[] = []
    client.on('commandStarted', ({ commandName, command }) => void sent.push([commandName, command['writeConcern']]))
    const record = newRecord()
    expect(await store.put(record, 0)).toBe(true)
    expect(await store.put(after(record), record.version)).toBe(true)
    await store.touch(Array.from({ length: 50 }, () => touchOf(after(record))))
    await store.get(record.id)
    expect((await store.sweep(start + 2 * hour, 1)).removed).toHaveLength(1)
    expect(await store.delete(record.id)).toBe(false)
    await client.close()
    const majority = { w: 'majority' }
    expect(sent).toEqual([
      ['insert', majority],
      ['update', majority],
      ['update', majority],
      ['find', undefined],
      ['find', undefined],
      ['delete', majority],
      ['delete', majority],
    ])
  })

  test('a record of more than 16 MB is refused as too large', async () => {
    const client = new MongoClient(server.url)
    const store = mongodb(client.db(server.name), { collection: newName() })
    await store.createSchema()
    await expect(async () => await store.put(newRecord({ data: 'x'.repeat(20_000_000) }), 0)).rejects.toMatchObject({
      code: 'ERR_SOJOURN_STORE_FULL',
    })
    await client.close()
  })

  test('takes a collection’s name of its grammar', () => {
    const db = new MongoClient('mongodb://127.0.0.1:1').db('x')
    for (const collection of ['', '$a', 'a$', 'a b', 'a\0', 'system.users', '.a', 'a.', 'a..b', 'é', 'x'.repeat(120)]) {
      expect(() => mongodb(db, { collection }), collection).toThrow(expect.objectContaining({ code: 'ERR_SOJOURN_OPTION' }))
    }
    expect(mongodb(db, { collection: 'shop.sessions-2' }).name).toBe('mongodb:shop.sessions-2')
  })
})
