import { MongoClient } from 'mongodb'
import { setTimeout as sleep } from 'node:timers/promises'
import { inspect } from 'node:util'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { TimedStore } from '../../src/core/timed-store.ts'
import { mongodb } from '../../src/stores/mongodb.ts'
import { after, collect, newRecord, touchOf } from '../../src/testing/store-cases/rule.ts'
import { service, startTimeout, type Server } from '../services/service.ts'
import { countUp, told } from './store-load.ts'

const limit = 1000
// What a busy machine may add.
const slack = 1500

let server: Server
let client: MongoClient
let store: TimedStore
beforeAll(async () => {
  server = await service('mongodb')
  // As its page says.
  client = new MongoClient(server.url, {
    maxPoolSize: 4,
    serverSelectionTimeoutMS: limit,
    socketTimeoutMS: 2 * limit,
    waitQueueTimeoutMS: limit,
  })
  const made = mongodb(client.db('shop'))
  await made.createSchema()
  store = new TimedStore(made, limit)
}, startTimeout)
afterAll(async () => {
  await client.close()
  await server.stop()
})

test('killed with -9 under load and restarted it has every acknowledged write, fails in time, and the same client goes on', async () => {
  let goes = true
  const load = countUp(store, 4, () => goes)
  await sleep(500)
  for (let round = 0; round < 2; round++) {
    await server.kill()
    await sleep(limit + 300)
    await server.restart()
    await sleep(1500)
  }
  goes = false
  const seen = await load
  console.log(`kill -9 and restart, ${server.version}: ${told(seen)}`)
  expect(seen.lost).toBe(0)
  expect(seen.slowest).toBeLessThan(limit + slack)
  expect([...seen.failures.keys()]).toEqual(['ERR_SOJOURN_STORE'])
  expect(seen.acknowledged).toBeGreaterThan(50)
})

test('one that says nothing is given up at the time limit, and answers when it is back', async () => {
  const record = newRecord({ userId: 'ada' })
  expect(await store.put(record, 0)).toBe(true)
  server.pause()
  const began = performance.now()
  const verbs = [
    async () => await store.get(record.id),
    async () => await store.put(after(record), record.version),
    async () => await store.touch([touchOf(record)]),
    async () => await store.delete('x'),
    async () => await store.sweep(0, 10),
    async () => await collect(store.list('ada')),
  ]
  const answers = await Promise.allSettled(verbs.map(async (verb) => await verb()))
  const took = performance.now() - began
  server.resume()
  for (const answer of answers) expect(answer).toMatchObject({ reason: { code: 'ERR_SOJOURN_STORE', status: 503 } })
  expect(took).toBeLessThan(limit + slack)
  const read = async () => await Promise.resolve(store.get(record.id)).catch(() => null)
  await expect.poll(read, { timeout: 10_000 }).toMatchObject({ id: record.id })
})

test('one that is not there is told of with the cause and without a credential', async () => {
  const nobody = new MongoClient('mongodb://shop:hunter2@127.0.0.1:1/shop', { serverSelectionTimeoutMS: 200 })
  const error: unknown = await mongodb(nobody.db())
    .createSchema()
    .catch((failure: unknown) => failure)
  expect(error).toMatchObject({ code: 'ERR_SOJOURN_STORE', cause: expect.any(Error) })
  expect(inspect(error, { depth: 9 })).not.toContain('hunter2')
  await nobody.close()
})
