import { MongoClient } from 'mongodb'
import { createPool } from 'mysql2/promise'
import { Pool, type QueryConfig } from 'pg'
import { setImmediate as turn, setTimeout as sleep } from 'node:timers/promises'
import { afterAll, describe, expect, test } from 'vitest'
import { Call } from '../../src/core/call.ts'
import type { SessionRecord, Store } from '../../src/core/store.ts'
import { BatchedReads } from '../../src/stores/batched-reads.ts'
import { mongodb } from '../../src/stores/mongodb.ts'
import { mysql } from '../../src/stores/mysql.ts'
import { postgres } from '../../src/stores/postgres.ts'
import { after, insertMany, newRecord } from '../../src/testing/store-cases/rule.ts'
import { shared } from '../services/service.ts'

const servers = { mysql: await shared('mysql'), postgres: await shared('postgres'), mongodb: await shared('mongodb-races') }
const mysqlPool = createPool({ uri: servers.mysql.url, connectionLimit: 10 })
const postgresPool = new Pool({ connectionString: servers.postgres.url, max: 10 })
const mongo = new MongoClient(servers.mongodb.url, { monitorCommands: true })
const documents = mongo.db(servers.mongodb.name).collection<{ _id: string }>('batched')
afterAll(async () => await Promise.all([mysqlPool.end(), postgresPool.end(), mongo.close()]))

/** How many statements were sent that read sessions. */
const sent = { mysql: 0, postgres: 0, mongodb: 0 }
mongo.on('commandStarted', ({ commandName, command }) => {
  if (commandName === 'find' && command['find'] === 'batched') sent.mongodb++
})
const reads = /^SELECT id, version, .* WHERE id (?:=|IN)/
const kinds = {
  mysql: () =>
    mysql(
      {
        pool: {
          getConnection: (done) =>
            mysqlPool.pool.getConnection((error, connection) => {
              if (error !== null) return done(error, connection)
              done(null, {
                config: connection.config,
                query: (query, answered) => connection.query(query as string, answered),
                execute: (query, values, answered) => {
                  if (reads.test(query as string)) sent.mysql++
                  return connection.execute(query as string, values, answered)
                },
                release: () => connection.release(),
                destroy: () => connection.destroy(),
              })
            }),
        },
      },
      { table: 'batched' },
    ),
  postgres: () =>
    postgres(
      {
        connect: (done) =>
          postgresPool.connect((error, client) => {
            if (client === undefined) return done(error, client)
            done(undefined, {
              query(query, answered) {
                if (reads.test(query.text)) sent.postgres++
                client.query(query as unknown as QueryConfig, (failure: Error | null, result) => answered(failure, result))
              },
              on: client.on.bind(client),
              off: (event, listener) => client.off(event, listener),
              release: (broken) => client.release(broken),
            })
          }),
        on: (event, listener) => postgresPool.on(event, listener),
        off: (event, listener) => postgresPool.off(event, listener),
      },
      { table: 'batched' },
    ),
  mongodb: () => mongodb(mongo.db(servers.mongodb.name), { collection: 'batched' }),
}

describe.each(['mysql', 'postgres', 'mongodb'] as const)('reads that are asked for while another is on its way, in %s', (kind) => {
  const opened = (async () => {
    const store = kinds[kind]()
    await store.createSchema()
    return store
  })()

  /** @returns how many statements the work took */
  const counted = async (work: () => Promise<void>): Promise<number> => {
    const before = sent[kind]
    await work()
    return sent[kind] - before
  }

  test('go out in one statement, and each gets its own record, or none', async () => {
    const store = await opened
    const records = await insertMany(store, 20, (index) => ({ userId: index % 2 === 0 ? `user ${index}` : null, data: `data ${index} ✓` }))
    const nobody = newRecord().id
    const ids = [...records.map(({ id }) => id), nobody, records[3]!.id, records[3]!.id].toSorted(() => Math.random() - 0.5)
    let found: (SessionRecord | null)[] = []
    expect(await counted(async () => void (found = await Promise.all(ids.map(async (id) => await store.get(id)))))).toBe(2)
    expect(found).toEqual(ids.map((id) => records.find((record) => record.id === id) ?? null))
  })

  test('are more than one statement takes: several go out at once', async () => {
    const store = await opened
    const records = await insertMany(store, 100, (index) => ({ data: `data ${index}` }))
    let found: (SessionRecord | null)[] = []
    expect(await counted(async () => void (found = await Promise.all(records.map(async ({ id }) => await store.get(id)))))).toBe(5)
    expect(found).toEqual(records)
  })

  test('do not go out with one that was sent before they were asked for', async () => {
    const store = await opened
    const [one, other] = await insertMany(store, 2, () => ({}))
    const statements = await counted(async () => {
      const first = store.get(one!.id)
      await turn()
      await turn()
      expect(await Promise.all([first, store.get(other!.id)])).toEqual([one, other])
    })
    expect(statements).toBe(2)
  })

  test('are none the worse for one that gives up; and nobody waits for what all have given up', async () => {
    const store = await opened
    const [record] = await insertMany(store, 1, () => ({}))
    const [hasty, patient] = [new Call(), new Call()]
    const before = store.get(record!.id)
    const [given, kept] = [Promise.resolve(store.get(record!.id, hasty)), store.get(record!.id, patient)]
    const outcome = given.catch((error: unknown) => error)
    hasty.giveUp(new Error('given up'))
    expect(await Promise.all([before, kept])).toEqual([record, record])
    await outcome
    const alone = new Call()
    const nothing = Promise.resolve(store.get(record!.id, alone))
    alone.giveUp(new Error('given up'))
    await expect(nothing).rejects.toThrow(/given up/)
    expect(await store.get(record!.id)).toEqual(record)
  })

  test('see every write that was acknowledged before they were asked for, whatever else goes on', { timeout: 60_000 }, async () => {
    const store: Store = await opened
    const latest = new Map((await insertMany(store, 8, () => ({}))).map((record) => [record.id, record]))
    const ids = [...latest.keys()]
    let isOver = false
    let seen = 0
    const writer = async (id: string) => {
      for (let i = 0; i < 60; i++) {
        const next = after(latest.get(id)!, { data: `${id} ${i}` })
        expect(await store.put(next, next.version - 1)).toBe(true)
        latest.set(id, next)
        if (Math.random() < 0.3) await turn()
      }
    }
    const reader = async () => {
      while (!isOver) {
        const id = ids[Math.floor(Math.random() * ids.length)]!
        const { version } = latest.get(id)!
        const found = (await store.get(id))!
        expect(found.id).toBe(id)
        expect(found.version).toBeGreaterThanOrEqual(version)
        if (found.version > 1000) expect(found.data.startsWith(`${id} `)).toBe(true)
        seen++
      }
    }
    const readers = Promise.all(Array.from({ length: 24 }, reader))
    await Promise.all(ids.map(writer))
    isOver = true
    await readers
    expect(seen).toBeGreaterThan(200)
  })
})

test('a document that is no session fails who asked for it, and nobody else', async () => {
  const store = kinds.mongodb()
  await store.createSchema()
  const [record] = await insertMany(store, 1, () => ({}))
  await documents.insertOne({ _id: 'of somebody else' })
  const [good, bad] = await Promise.allSettled([store.get(record!.id), store.get('of somebody else')])
  expect(good).toEqual({ status: 'fulfilled', value: record })
  expect(bad).toMatchObject({ status: 'rejected', reason: { code: 'ERR_SOJOURN_STORE_FORMAT' } })
})

test('a statement that is not answered holds up those alone who share it, and others for a moment', async () => {
  const answers: ((rows: readonly SessionRecord[]) => void)[] = []
  const reads = new BatchedReads<SessionRecord>({
    read: async (ids) => await new Promise((resolve) => answers.push((rows) => resolve(rows.filter(({ id }) => ids.includes(id))))),
    idOf: ({ id }) => id,
    recordOf: (record) => record,
  })
  const records = Array.from({ length: 5 }, () => newRecord())
  const began = performance.now()
  const found = records.map(async ({ id }) => await reads.get(id, undefined))
  expect(answers.length).toBe(1)
  while (answers.length < 2) await sleep(1)
  expect(performance.now() - began).toBeLessThan(1000)
  answers[1]!(records)
  expect(await Promise.all(found.slice(1))).toEqual(records.slice(1))
  // The first is still not answered, and nobody waits for it any more.
  const later = reads.get(records[2]!.id, undefined)
  expect(answers.length).toBe(3)
  answers[2]!(records)
  expect(await later).toEqual(records[2])
  answers[0]!(records)
  expect(await found[0]).toEqual(records[0])
})

test('an answer that can’t be understood fails who asked, and the next goes out', async () => {
  const record = newRecord()
  let isOdd = true
  const reads = new BatchedReads<SessionRecord>({
    read: async () => await Promise.resolve([record]),
    idOf({ id }) {
      if (isOdd) throw new TypeError('no text')
      return id
    },
    recordOf: (row) => row,
  })
  const odd = [reads.get(record.id, undefined), reads.get(record.id, undefined), reads.get(record.id, undefined)]
  for (const { status } of await Promise.allSettled(odd)) expect(status).toBe('rejected')
  isOdd = false
  expect(await reads.get(record.id, undefined)).toEqual(record)
})
