import { Cluster, Redis } from 'ioredis'
import { readFileSync } from 'node:fs'
import { inspect } from 'node:util'
import { createClient, createClientPool, createSentinel, RESP_TYPES } from 'redis'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import type { SessionRecord, Store } from '../../src/core/store.ts'
import { redis, type RedisClient } from '../../src/stores/redis.ts'
import { storeCases } from '../../src/testing/store-cases.ts'
import { collect, hour, newRecord, start } from '../../src/testing/store-cases/rule.ts'
import { service, shared, startTimeout, type Server, type SharedService } from '../services/service.ts'
import { keepsTheContract } from './contract.ts'
import { singles, type Opened } from './redis-clients.ts'

let server: SharedService
beforeAll(async () => {
  server = await shared('redis')
}, startTimeout)

let prefixes = 0

describe.each(Object.entries(singles))('the store: redis by %s', (_, open) => {
  let opened: Opened
  beforeAll(async () => {
    opened = await open(server.url)
  })
  afterAll(() => opened.close())

  keepsTheContract(
    'redis',
    () => redis(opened.client, { prefix: `${server.name}:${prefixes++}:` }),
    ({ name }) => redis(opened.client, { prefix: name.replace('redis:', '') }),
  )
})

describe('a Redis store', () => {
  let server: Server
  let client: ReturnType<typeof createClient>
  let store: Store
  beforeAll(async () => {
    server = await service('redis', { isDurable: false })
    client = createClient({ url: server.url })
    client.on('error', () => {})
    await client.connect()
  }, startTimeout)
  beforeEach(async () => {
    await client.flushAll()
    store = redis(client)
  })
  afterAll(async () => {
    client.destroy()
    await server.stop()
  })

  test('takes a prefix of its grammar, and never an empty one', () => {
    for (const prefix of ['', ':', '{a}:', 'a b', 'a*', 'a\0', 'é:', 'x'.repeat(65)]) {
      expect(() => redis(client, { prefix })).toThrow(expect.objectContaining({ code: 'ERR_SOJOURN_OPTION' }))
    }
    expect(redis(client, { prefix: 'shop:2/a.b_c-d' }).name).toBe('redis:shop:2/a.b_c-d')
  })

  test('refuses what is no client, and clients that send a write twice or read from replicas', () => {
    const ioredis = new Redis({ lazyConnect: true })
    const nodes = [{ host: '127.0.0.1', port: 1 }]
    const refused = [
      null,
      {},
      ioredis,
      createSentinel({ name: 'shop', sentinelRootNodes: nodes }),
      new Cluster(nodes, { lazyConnect: true }),
      new Cluster(nodes, { lazyConnect: true, retryDelayOnFailover: 0, scaleReads: 'slave' }),
      new Cluster(nodes, { lazyConnect: true, retryDelayOnFailover: 0, clusterNodeRetryStrategy: () => 10 }),
    ]
    for (const one of refused) {
      expect(() => redis(one as RedisClient)).toThrow(expect.objectContaining({ code: 'ERR_SOJOURN_OPTION' }))
    }
    redis(new Redis({ lazyConnect: true, maxRetriesPerRequest: 0 }))
    redis(new Cluster(nodes, { lazyConnect: true, retryDelayOnFailover: 0 }))
  })

  test('what was given up before it is sent is not sent, by a client that knows no signals', async () => {
    const one = new Redis(server.url, { maxRetriesPerRequest: 0 })
    const gave = AbortSignal.abort(new Error('given up'))
    const [anonymous, user] = [newRecord(), newRecord({ userId: 'ada' })]
    for (const record of [anonymous, user]) await expect(redis(one).put(record, 0, { signal: gave })).rejects.toThrow('given up')
    expect(await client.keys('*')).toEqual([])
    one.disconnect()
  })

  test('reads text, whatever types the application has its client map replies to', async () => {
    const typeMapping = { [RESP_TYPES.BLOB_STRING]: Buffer }
    const mapped = createClient({ url: server.url, commandOptions: { typeMapping } })
    const pool = createClientPool({ url: server.url, commandOptions: { typeMapping } })
    await Promise.all([mapped.connect(), pool.connect()])
    try {
      const clients = {
        mapped,
        'mapped, and given another option': mapped.withCommandOptions({ timeout: 500 }),
        'mapped later': client.withTypeMapping(typeMapping),
        pool,
        'pool, and given another option': pool.withCommandOptions({ timeout: 500 }),
        'with options of another kind': client.withCommandOptions({ timeout: 500 }),
      }
      const record = newRecord({ userId: 'ada' })
      await store.put(record, 0)
      for (const [name, other] of Object.entries(clients)) {
        const there = redis(other)
        expect(await there.get(record.id), name).toEqual(record)
        expect(await collect(there.list('ada')), name).toEqual([record])
      }
    } finally {
      mapped.destroy()
      await pool.close()
    }
  })

  test('two stores of different prefixes see nothing of each other', async () => {
    const other = redis(client, { prefix: 'sojourn:user:' })
    const record = newRecord({ userId: 'ada' })
    await store.put(record, 0)
    expect(await other.get(record.id)).toBe(null)
    expect(await collect(other.list('ada'))).toEqual([])
    expect(await other.sweep(record.expiresAt, 10)).toEqual({ removed: [], more: false })
    expect(await store.get(record.id)).toEqual(record)
  })

  test('lone surrogates, braces and line ends in a user ID are kept exactly', async () => {
    for (const userId of ['\ud800', '\udc00', 'a\ud800b', '}{', '{ada}', 'ada\nadmin', '"\\u0000', 'null', '\0', '漢'.repeat(5000)]) {
      const record = newRecord({ userId })
      expect(await store.put(record, 0)).toBe(true)
      expect(await store.get(record.id)).toEqual(record)
      expect(await collect(store.list(userId))).toEqual([record])
      const tombstone = { ...record, version: 1001, userId: null }
      expect(await store.put(tombstone, 1000)).toBe(true)
      expect(await collect(store.list(userId))).toEqual([])
      expect((await store.sweep(record.expiresAt, 10)).removed).toEqual([{ id: record.id, userId: null, head: 'head' }])
    }
    expect(await client.dbSize()).toBe(0)
  })

  test('of 200 writers at once on one session exactly one lands on each version', async () => {
    const record = newRecord({ data: '0' })
    await store.put(record, 0)
    for (let version = record.version; version < record.version + 10; version++) {
      const answers = await Promise.all(
        Array.from({ length: 200 }, async (_, index) => await store.put({ ...record, version: version + 1, data: `${index}` }, version)),
      )
      expect(answers.filter(Boolean)).toHaveLength(1)
      expect((await store.get(record.id))?.data).toBe(`${answers.indexOf(true)}`)
    }
  })

  test('a server that has forgotten the scripts is given them again', async () => {
    const record = newRecord({ userId: 'ada' })
    await store.put(record, 0)
    await client.scriptFlush()
    await store.touch([{ ...record, lastSeenAt: record.lastSeenAt + 1, expiresAt: record.expiresAt + 1 }])
    await client.scriptFlush()
    expect(await store.put({ ...record, version: 1001 }, 1000)).toBe(true)
    await client.scriptFlush()
    expect((await store.sweep(record.expiresAt, 10)).removed).toHaveLength(1)
    await client.scriptFlush()
    expect(await store.delete(record.id)).toBe(false)
  })

  test('a read is one command, a compare-and-swap one script, a batch of touches one script each', async () => {
    const record = newRecord()
    await store.put(record, 0)
    const calls = async () => {
      const stats = await client.info('commandstats')
      return Object.fromEntries(
        Array.from(stats.matchAll(/cmdstat_(get|evalsha|eval|scan|keys):calls=(\d+)/g), ([, name, count]) => [name, Number(count)]),
      )
    }
    const count = async (verb: () => unknown) => {
      await client.configResetStat()
      await verb()
      return await calls()
    }
    await store.touch([{ ...record, expiresAt: record.expiresAt + 1 }])
    expect(await count(async () => await store.get(record.id))).toEqual({ get: 1 })
    expect(await count(async () => await store.put({ ...record, version: 1001 }, 1000))).toEqual({ evalsha: 1 })
    const batch = Array.from({ length: 50 }, () => ({ ...record, version: 1001, expiresAt: record.expiresAt + 2 }))
    expect(await count(async () => await store.touch(batch))).toEqual({ evalsha: 50 })
    expect(await count(async () => await collect(store.list()))).toEqual({ get: 1 })
  })

  test('records end natively a day after they expire, and indexes later than the records', async () => {
    const record = newRecord({ userId: 'ada' })
    await store.put(record, 0)
    for (const key of await client.keys('*')) {
      const hours = (await client.pTTL(key)) / 3_600_000
      if (key.endsWith(record.id)) expect(hours).toBeCloseTo(25, 1)
      else expect(hours).toBeGreaterThanOrEqual(25)
    }
    await store.touch([{ ...record, lastSeenAt: record.lastSeenAt + 1, expiresAt: record.expiresAt + 36_000_000 }])
    for (const key of await client.keys('*')) expect(await client.pTTL(key)).toBeGreaterThan(34 * 3_600_000)
  })

  test('a row of the expiry index whose record went natively is removed without a report', async () => {
    const [gone, there] = [newRecord({ userId: 'ada' }), newRecord({ userId: 'ada' })]
    for (const record of [gone, there]) await store.put(record, 0)
    for (const key of await client.keys(`*:${gone.id}`)) await client.del(key)
    expect((await store.sweep(gone.expiresAt, 10)).removed.map(({ id }) => id)).toEqual([there.id])
    expect(await collect(store.list())).toEqual([])
    expect(await collect(store.list('ada'))).toEqual([])
  })

  test('a user’s index loses what ended, was deleted or swept, and what expired a day ago', async () => {
    const entries = async () =>
      (await Promise.all((await client.keys('sojourn:user:*')).map(async (key) => await client.zRange(key, 0, -1)))).flat()
    const [ended, deleted, swept, lost, live] = Array.from({ length: 5 }, (_, index) =>
      newRecord({ userId: 'ada', expiresAt: start + index }),
    ) as [SessionRecord, SessionRecord, SessionRecord, SessionRecord, SessionRecord]
    for (const record of [ended, deleted, swept, lost]) await store.put(record, 0)
    expect((await entries()).sort()).toEqual([ended, deleted, swept, lost].map(({ id }) => id).sort())
    await store.put({ ...ended, version: 1001, userId: null, data: '', expiresAt: start + hour }, 1000)
    await store.delete(deleted.id)
    await store.sweep(swept.expiresAt, 10)
    await expect.poll(entries).toEqual([lost.id])
    for (const key of await client.keys(`*:${lost.id}`)) await client.del(key)
    await store.put({ ...live, lastSeenAt: start + 25 * hour, expiresAt: start + 26 * hour }, 0)
    expect(await entries()).toEqual([live.id])
  })

  /** The client, with the commands on users' indexes failing while `fails` says so, or answered only when `held` is. */
  const withIndexes = (on: { fails?: boolean; held?: Promise<void> }): RedisClient => ({
    isReady: true,
    sendCommand: async (args: string[], options?: object) => {
      if (args.some((arg) => arg.startsWith('sojourn:user:'))) {
        if (on.fails === true) throw new Error('the node of the index is away')
        await on.held
      }
      return await client.sendCommand(args, options)
    },
  })

  test('a record never outlives its entry in the user’s index: where that can’t be written, neither a put nor a touch moves the expiry', async () => {
    const on = { fails: false }
    const other = redis(withIndexes(on))
    const record = newRecord({ userId: 'ada' })
    await other.put(record, 0)
    on.fails = true
    const later = { lastSeenAt: start + hour / 2, expiresAt: start + 200 * hour }
    const touch = { ...record, ...later }
    await expect(other.touch([touch, { ...touch, id: newRecord().id, userId: null }])).rejects.toMatchObject({ code: 'ERR_SOJOURN_STORE' })
    await expect(other.put({ ...record, ...later, version: 1001 }, 1000)).rejects.toMatchObject({ code: 'ERR_SOJOURN_STORE' })
    expect(await store.get(record.id)).toEqual(record)
    on.fails = false
    await other.touch([touch])
    expect(await store.get(record.id)).toEqual({ ...record, ...later })
    // What prunes the index, a day after the expiry that the entry had at first, leaves it there.
    await other.put(newRecord({ userId: 'ada', lastSeenAt: start + 50 * hour, expiresAt: start + 60 * hour }), 0)
    expect((await collect(store.list('ada'))).map(({ id }) => id)).toContain(record.id)
  })

  test('nobody waits for the index of a user to forget what ended: sweeps report, and ends are answered', async () => {
    let release = () => {}
    const on: { held?: Promise<void> } = {}
    const other = redis(withIndexes(on))
    const [ended, swept] = [newRecord({ userId: 'ada', expiresAt: start + 2 * hour }), newRecord({ userId: 'ada' })]
    for (const record of [ended, swept]) await other.put(record, 0)
    on.held = new Promise((resolve) => (release = resolve))
    expect(await other.put({ ...ended, version: 1001, userId: null, data: '' }, 1000)).toBe(true)
    expect((await other.sweep(swept.expiresAt, 10)).removed).toEqual([{ id: swept.id, userId: 'ada', head: swept.head }])
    release()
  })

  test('a sweep of a large backlog takes the oldest of all buckets in each batch', async () => {
    const records = Array.from({ length: 3000 }, (_, index) => newRecord({ expiresAt: start + ((index * 7919) % 3000) }))
    await Promise.all(records.map(async (record) => await store.put(record, 0)))
    const order = records.toSorted((one, other) => one.expiresAt - other.expiresAt).map(({ id }) => id)
    for (let from = 0; from < order.length;) {
      const { removed, more } = await store.sweep(start + hour, 200)
      expect(removed.map(({ id }) => id)).toEqual(order.slice(from, from + 200))
      from += 200
      expect(more).toBe(from < order.length)
    }
  })

  test('a server that is full takes no new session and no growth, and still lets sessions end and be swept', async () => {
    const records = Array.from({ length: 40 }, () => newRecord({ userId: 'ada', data: 'x'.repeat(100_000) }))
    await Promise.all(records.map(async (record) => await store.put(record, 0)))
    const [first, second] = records as [SessionRecord, SessionRecord]
    await client.configSet('maxmemory', '1mb')
    try {
      await expect(store.put(newRecord(), 0)).rejects.toMatchObject({ code: 'ERR_SOJOURN_STORE_FULL', status: 503 })
      await expect(store.put({ ...first, version: 1001, data: 'y'.repeat(200_000) }, 1000)).rejects.toMatchObject({
        code: 'ERR_SOJOURN_STORE_FULL',
      })
      expect(await store.get(first.id)).toEqual(first)
      expect(await store.put({ ...first, version: 1001, userId: null, data: '', head: 't' }, 1000)).toBe(true)
      expect(await store.delete(second.id)).toBe(true)
      expect((await store.sweep(first.expiresAt, 100)).removed).toHaveLength(39)
    } finally {
      await client.configSet('maxmemory', '0')
    }
  })

  test('a replica, a user without rights and a foreign key are each told as what they are, without what was sent', async () => {
    const record = newRecord({ data: 'a secret' })
    const ioredis = new Redis(server.url, { maxRetriesPerRequest: 0 })
    const told = async (of: Store, verb: () => unknown) => {
      const error = await (async () => await verb())().catch((failure: unknown) => failure)
      expect(inspect(error, { depth: 9 })).not.toContain('a secret')
      expect(of.name).toBe('redis:sojourn:')
      return error
    }
    await client.replicaOf('127.0.0.1', 1)
    for (const of of [store, redis(ioredis)]) {
      expect(await told(of, async () => await of.put(record, 0))).toMatchObject({
        code: 'ERR_SOJOURN_STORE',
        message: expect.stringContaining('name the primary'),
      })
    }
    await client.sendCommand(['REPLICAOF', 'NO', 'ONE'])

    await client.aclSetUser('reader', ['on', '>hunter2', '+get', '~*'])
    const reader = new Redis(server.url, { maxRetriesPerRequest: 0, username: 'reader', password: 'hunter2', enableReadyCheck: false })
    const error = await told(redis(reader), async () => await redis(reader).put(record, 0))
    expect(error).toMatchObject({ code: 'ERR_SOJOURN_STORE', message: expect.stringContaining('permissions') })
    expect(inspect(error, { depth: 9 })).not.toContain('hunter2')

    await store.put(record, 0)
    const [key] = await client.keys(`*:${record.id}`)
    await client.set(key!, 'foreign')
    expect(await told(store, async () => await store.get(record.id))).toMatchObject({ code: 'ERR_SOJOURN_STORE_FORMAT' })
    await client.del(key!)
    await client.lPush(key!, 'foreign')
    expect(await told(store, async () => await store.get(record.id))).toMatchObject({ code: 'ERR_SOJOURN_STORE_FORMAT' })
    for (const one of [ioredis, reader]) one.disconnect()
  })

  test('the permissions that its page names are enough, and no other keys are touched', async () => {
    const page = readFileSync(new URL('../../docs/stores/redis.md', import.meta.url), 'utf8')
    const rule = /ACL SETUSER \S+ on >\S+ (.*)/.exec(page)![1]!
    await client.aclSetUser('shop', ['reset', 'on', '>word', ...rule.split(' ')])
    const url = server.url.replace('//', '//shop:word@')
    for (const open of Object.values(singles)) {
      const limited = await open(url)
      for (const { name, run } of storeCases(async () => {
        await client.flushAll()
        return redis(limited.client)
      })) {
        await expect(run(), name).resolves.toBeUndefined()
      }
      expect(await redis(limited.client).time!()).toBeGreaterThan(0)
      await limited.close()
    }
  })

  test('time is the server’s clock in ms', async () => {
    const before = Date.now()
    const time = await store.time!()
    expect(time).toBeGreaterThanOrEqual(before - 1)
    expect(time).toBeLessThanOrEqual(Date.now() + 1)
  })

  test('close leaves the client open, and ends what it was told to end once', async () => {
    let ends = 0
    const closed = redis(client, {}, () => void ends++)
    await closed.close()
    await closed.close()
    expect(ends).toBe(1)
    expect(await client.ping()).toBe('PONG')
    await expect(async () => await closed.get(newRecord().id)).rejects.toMatchObject({ code: 'ERR_SOJOURN_CLOSED' })
  })

  test('a clock of fractions is refused, and nothing is written', async () => {
    await expect(store.put(newRecord({ expiresAt: start + 0.5 }), 0)).rejects.toMatchObject({ code: 'ERR_SOJOURN_OPTION' })
    expect(await client.dbSize()).toBe(0)
  })
})
