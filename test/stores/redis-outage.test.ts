import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { SessionRecord, Store } from '../../src/core/store.ts'
import { TimedStore } from '../../src/core/timed-store.ts'
import { redis } from '../../src/stores/redis.ts'
import { newRecord } from '../../src/testing/store-cases/rule.ts'
import { service, startTimeout, type Server } from '../services/service.ts'
import { singles } from './redis-clients.ts'
import { countUp, told } from './store-load.ts'

const limit = 2000

describe.each(Object.entries(singles))('redis by %s, in an outage', (name, open) => {
  let server: Server
  beforeAll(async () => {
    server = await service('redis')
  }, startTimeout)
  afterAll(async () => await server.stop())

  test('killed and restarted under load it loses nothing that was acknowledged, nobody waits, and service resumes', async () => {
    const { client, close } = await open(server.url)
    const store = new TimedStore(redis(client), limit)
    let goes = true
    const load = countUp(store, 20, () => goes)
    await sleep(500)
    for (let round = 0; round < 2; round++) {
      await server.kill()
      await sleep(300)
      await server.restart()
      await sleep(700)
    }
    goes = false
    const seen = await load
    console.log(`kill -9 and restart, ${name}: ${told(seen)}`)
    expect(seen.lost).toBe(0)
    expect(seen.slowest).toBeLessThan(limit + 500)
    expect([...seen.failures.keys()]).toEqual(['ERR_SOJOURN_STORE'])
    expect(seen.acknowledged).toBeGreaterThan(200)
    await close()
  })

  test('while it is down each verb fails at once, and what was refused is not written later', async () => {
    const { client, close } = await open(server.url)
    const store = redis(client)
    const before = newRecord({ userId: 'ada' })
    expect(await store.put(before, 0)).toBe(true)
    await server.kill()
    await sleep(100)
    const during = newRecord()
    const began = performance.now()
    for (const verb of [
      async () => await store.get(before.id),
      async () => await store.put(during, 0),
      async () => await store.put({ ...before, version: 1001 }, 1000),
      async () => await store.touch([{ ...before, expiresAt: before.expiresAt + 1 }]),
      async () => await store.delete(before.id),
      async () => await store.sweep(0, 10),
      async () => await store.list('ada')[Symbol.asyncIterator]().next(),
      async () => await store.time!(),
    ]) {
      await expect(verb()).rejects.toMatchObject({ code: 'ERR_SOJOURN_STORE', status: 503 })
    }
    expect(performance.now() - began).toBeLessThan(200)
    await server.restart()
    await expect.poll(async () => await attempt(store, before.id), { timeout: 5000 }).toEqual(before)
    expect(await store.get(during.id)).toBe(null)
    await close()
  })

  test('a server that says nothing is given up after the time limit, and answers when it is back', async () => {
    const { client, close } = await open(server.url)
    const store = new TimedStore(redis(client), 300)
    const record = newRecord()
    expect(await store.put(record, 0)).toBe(true)
    server.pause()
    const began = performance.now()
    await expect(store.get(record.id)).rejects.toMatchObject({ code: 'ERR_SOJOURN_STORE' })
    await expect(store.put({ ...record, version: 1001 }, 1000)).rejects.toMatchObject({ code: 'ERR_SOJOURN_STORE' })
    expect(performance.now() - began).toBeLessThan(1000)
    server.resume()
    await expect.poll(async () => (await attempt(store, record.id))?.version).toBe(1001)
    await close()
  })
})

async function attempt(store: Store, id: string): Promise<SessionRecord | null> {
  try {
    return await store.get(id)
  } catch {
    return null
  }
}
