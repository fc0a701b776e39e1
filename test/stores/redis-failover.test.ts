import { Redis } from 'ioredis'
import { setTimeout as sleep } from 'node:timers/promises'
import { describe, expect, test, vi } from 'vitest'
import type { SessionRecord } from '../../src/core/store.ts'
import { TimedStore } from '../../src/core/timed-store.ts'
import { redis } from '../../src/stores/redis.ts'
import { bucketCount, Keys, slotOf } from '../../src/stores/redis/keys.ts'
import { collect, newRecord } from '../../src/testing/store-cases/rule.ts'
import { type Server, service, startTimeout } from '../services/service.ts'
import { clusters } from './redis-clients.ts'
import { countUp, told } from './store-load.ts'

const limit = 2000

// Of the first primary, which has a third of all slots.
const slotsOfFirst = Array.from({ length: bucketCount / 3 }, (_, bucket) => slotOf(new Keys('sojourn:').expiry(bucket)))

describe.each(Object.entries(clusters).filter(([name]) => !name.includes('RESP')))('a Redis Cluster by %s', (name, open) => {
  test(
    'loses a primary under load: its replica takes over and all sessions go on',
    async () => {
      const cluster = await service('redis-cluster')
      const { client, close } = await open(cluster.url)
      const store = new TimedStore(redis(client), limit)
      const before = Array.from({ length: 50 }, (_, index): SessionRecord => newRecord({ userId: `old ${index % 3}`, data: 'before' }))
      for (const record of before) expect(await store.put(record, 0)).toBe(true)
      await sleep(200)

      let goes = true
      const load = countUp(store, 30, () => goes)
      await sleep(1000)
      await cluster.nodes[0]!.kill()
      await sleep(5000)
      goes = false
      const seen = await load
      console.log(`a primary of the cluster killed, ${name}: ${told(seen)}`)
      expect(seen.longestGap).toBeLessThan(6000)
      expect(seen.slowest).toBeLessThan(limit + 500)
      // Redis acknowledges before its replicas have a write: what they had not yet is lost. That is some ms' worth.
      expect(seen.lost).toBeLessThan(100)

      for (const record of before) expect(await store.get(record.id)).toEqual(record)
      for (const user of ['old 0', 'old 1', 'old 2']) {
        const ids = (await collect(store.list(user))).map(({ id }) => id).sort()
        expect(ids).toEqual(before.flatMap(({ id, userId }) => (userId === user ? [id] : [])).sort())
      }
      for (const record of before) expect(await store.put({ ...record, version: 1001 }, 1000)).toBe(true)
      await close()
      await cluster.stop()
    },
    startTimeout,
  )

  test.each([
    ['loses a primary', async (primary: Server) => await primary.kill()],
    ['hears nothing more from a primary', async (primary: Server) => primary.pause()],
  ] as const)(
    '%s while nobody asks: its sessions are found with the replica that has taken over',
    async (_, lose) => {
      const cluster = await service('redis-cluster')
      const { client, close } = await open(cluster.url)
      const store = new TimedStore(redis(client), limit)
      const before = Array.from({ length: 50 }, (): SessionRecord => newRecord({ data: 'before' }))
      for (const record of before) expect(await store.put(record, 0)).toBe(true)
      await sleep(200)
      await lose(cluster.nodes[0]!)
      await sleep(4000)

      for (const record of before) {
        await vi.waitFor(async () => expect(await store.get(record.id)).toEqual(record), { timeout: 4 * limit, interval: 100 })
      }
      await close()
      await cluster.stop()
    },
    startTimeout,
  )

  test(
    'moves slots to another node under load: no acknowledged write is lost',
    async () => {
      const cluster = await service('redis-cluster')
      const { client, close } = await open(cluster.url)
      const store = new TimedStore(redis(client), limit)
      let goes = true
      const load = countUp(store, 30, () => goes)
      await sleep(300)
      await moveSlots(cluster.nodes[0]!.url, cluster.nodes[1]!.url, slotsOfFirst)
      await sleep(300)
      goes = false
      const seen = await load
      console.log(`slots of the cluster moved, ${name}: ${told(seen)}`)
      expect(seen.lost).toBe(0)
      await close()
      await cluster.stop()
    },
    startTimeout,
  )
})

/** As `redis-cli --cluster reshard` does. */
async function moveSlots(from: string, to: string, slots: readonly number[]): Promise<void> {
  const source = new Redis(from)
  const target = new Redis(to)
  const { port } = new URL(to)
  const [sourceId, targetId] = [await source.cluster('MYID'), await target.cluster('MYID')]
  for (const slot of slots) {
    await target.call('CLUSTER', 'SETSLOT', slot, 'IMPORTING', sourceId)
    await source.call('CLUSTER', 'SETSLOT', slot, 'MIGRATING', targetId)
    for (let keys: string[]; (keys = (await source.call('CLUSTER', 'GETKEYSINSLOT', slot, 100)) as string[]).length > 0;) {
      // One after the other: in between, the two of a script may be on different nodes.
      for (const key of keys) await source.call('MIGRATE', '127.0.0.1', port, key, 0, 2000)
    }
    for (const node of [target, source]) await node.call('CLUSTER', 'SETSLOT', slot, 'NODE', targetId)
  }
  source.disconnect()
  target.disconnect()
}
