/** The contract over the tiered store before servers that tell of changes, by two handles that each have a memory of their own. */
import { Pool } from 'pg'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { postgres } from '../../src/stores/postgres.ts'
import { redis } from '../../src/stores/redis.ts'
import { tiered } from '../../src/stores/tiered.ts'
import { after, collect, newRecord } from '../../src/testing/store-cases/rule.ts'
import { type SharedService, shared, startTimeout } from '../services/service.ts'
import { keepsTheContract } from './contract.ts'
import { type Opened, singles } from './redis-clients.ts'

let count = 0

describe('the store: tiered over redis', () => {
  let server: SharedService
  let opened: Opened
  beforeAll(async () => {
    server = await shared('redis')
    opened = await singles['node-redis']!(server.url)
  }, startTimeout)
  afterAll(() => opened.close())

  keepsTheContract(
    'tiered',
    () => tiered({ next: redis(opened.client, { prefix: `${server.name}:tiered:${count++}:` }) }),
    ({ name }) => tiered({ next: redis(opened.client, { prefix: name.replace('tiered:redis:', '') }) }),
  )
})

describe('the store: tiered over postgres', () => {
  let pool: Pool
  beforeAll(async () => {
    const server = await shared('postgres')
    // Each store that listens takes one.
    pool = new Pool({ connectionString: server.url, max: 12 })
  }, startTimeout)
  afterAll(async () => await pool.end())

  const open = (table: string) => postgres(pool, { table })

  keepsTheContract(
    'tiered',
    async () => {
      const store = open(`tiered_${count++}`)
      await store.createSchema()
      return tiered({ next: store })
    },
    ({ name }) => tiered({ next: open(name.replace('tiered:postgres:', '')) }),
  )

  test('a writer without tiers tells of its writes where it is asked to', async () => {
    const table = `tiered_${count++}`
    const behind = open(table)
    await behind.createSchema()
    const told: string[] = []
    let isOpen = false
    const stop = behind.watchChanges!({ changed: (id) => told.push(id), opened: () => (isOpen = true), cut: () => {} })
    while (!isOpen) await new Promise((resolve) => setTimeout(resolve, 5))
    const telling = postgres(pool, { table, notify: true })
    const silent = open(table)
    const ids: string[] = []
    for (const store of [silent, telling, behind]) {
      const record = newRecord()
      ids.push(record.id)
      await store.put(record, 0)
      expect(await store.put(after(record), record.version)).toBe(true)
      expect(await store.put(after(record), record.version)).toBe(false)
      expect(await store.delete(record.id)).toBe(true)
      expect(await store.delete(record.id)).toBe(false)
    }
    await telling.put(newRecord({ id: 'x'.repeat(16) }), 0)
    await telling.delete('x'.repeat(16))
    while (told.at(-1) !== 'x'.repeat(16)) await new Promise((resolve) => setTimeout(resolve, 5))
    // Neither its own, nor what never landed.
    expect(told).toEqual([ids[1], ids[1], 'x'.repeat(16)])
    stop()
    expect(await collect(behind.list())).toEqual([])
  })

  test('a pool of one connection has none to spare, and offers no news', async () => {
    const one = new Pool({ connectionString: 'postgres://127.0.0.1:1/none', max: 1 })
    expect(postgres(one).watchChanges).toBeUndefined()
    await one.end()
  })
})
