/*
 * What one session and one call cost, measured on this machine: the figures that docs/scale.md begins with and the simulation
 * goes by. `npx tsx bench/simulation/costs.ts` writes them to costs.json. It starts two Redis servers of its own.
 *
 * Times are those of the processor, not of the clock: they hold while other programs run beside it.
 */
import { writeFile } from 'node:fs/promises'
import { cpus } from 'node:os'
import { createClient } from 'redis'
import { service } from '../../test/services/service.ts'
import type { SessionRecord, Store, Touch } from '../../src/core/store.ts'
import { mintId } from '../../src/core/token.ts'
import { createSessions } from '../../src/sessions.ts'
import { memory } from '../../src/stores/memory.ts'
import { redis } from '../../src/stores/redis.ts'
import { Keys } from '../../src/stores/redis/keys.ts'
import { cookieFor } from '../../src/testing/cookie-for.ts'

type Work = (index: number, store: Store) => Promise<unknown>

interface Data {
  text: string
  count: number
}

/** What a verb costs the server and the wire. */
export interface VerbCost {
  /** Processor time of the server, its reading and writing of the socket included. */
  readonly serverMicros: number
  /** Payload of TCP: what the server received and sent. */
  readonly bytesIn: number
  readonly bytesOut: number
  /** Processor time of the process that asks, its driver included. */
  readonly clientMicros: number
}

export interface Costs {
  readonly date: string
  readonly machine: string
  readonly redis: string
  readonly node: string
  readonly session: {
    readonly dataBytes: number
    /** Text of one record as the Redis store keeps it. */
    readonly recordBytes: number
    /** Growth of the server's memory for each session of a user, its indexes included. */
    readonly redisBytes: number
    readonly redisAnonymousBytes: number
    readonly memoryUsage: number
  }
  readonly verbs: Readonly<
    Record<'get' | 'put' | 'insert' | 'insertAnonymous' | 'touch' | 'touchAnonymous' | 'sweepRow' | 'sweepEmpty', VerbCost>
  >
  /** The same with 64 commands in one packet: what the server's work is without the sockets'. */
  readonly pipelined: Readonly<Record<'get' | 'put', VerbCost>>
  /** Word of one change to one process that listens: client tracking, broadcasting. */
  readonly message: VerbCost
  /** Bytes of the replication stream. */
  readonly replicated: Readonly<Record<'put' | 'insert' | 'touch', number>>
  /** Processor time of a request in the manager: open, read or write one value, commit; with the driver's. */
  readonly manager: Readonly<Record<'memoryRead' | 'memoryWrite' | 'redisRead' | 'redisWrite', number>>
}

const connections = 50
const users = 100_000
const keys = new Keys('sojourn:')

const primary = await service('redis', { isDurable: false })
const replica = await service('redis', { isDurable: false, args: ['--replicaof', '127.0.0.1', new URL(primary.url).port] })
const clients = await Promise.all(Array.from({ length: connections }, async () => await createClient({ url: primary.url }).connect()))
const [client] = clients
const stores = clients.map((client) => redis(client))
const [store] = stores
const template = await realRecord(store!)

async function realRecord(store: Store): Promise<SessionRecord> {
  const sessions = createSessions<Data>({ store, initial: () => ({ text: '', count: 0 }) })
  await cookieFor(sessions, {
    userId: userAt(0),
    data: { text: 'x'.repeat(268), count: 1 },
    userAgent: 'Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0',
  })
  for await (const record of store.list(userAt(0))) return record
  throw new Error('The record that was just written is not there.')
}

function userAt(index: number): string {
  return `user-${String(index).padStart(8, '0')}`
}

async function info(section: string): Promise<Record<string, number>> {
  const text = await client!.info(section)
  return Object.fromEntries(Array.from(text.matchAll(/^(\w+):([\d.]+)/gm), ([, name, value]) => [name!, Number(value)]))
}

async function usedCpu(): Promise<number> {
  const { used_cpu_user = 0, used_cpu_sys = 0 } = await info('cpu')
  return (used_cpu_user + used_cpu_sys) * 1e6
}

/** How calls come: one after the other on each of fifty connections; many at once on one; one after the other on one. */
type Manner = 'spread' | 'together' | 'alone'

async function repeat(count: number, work: Work, manner: Manner = 'spread'): Promise<void> {
  let next = 0
  const lanes = { spread: connections, together: 64, alone: 1 }[manner]
  await Promise.all(
    Array.from({ length: lanes }, async (_, lane) => {
      const mine = stores[manner === 'spread' ? lane : 0]!
      while (next < count) await work(next++, mine)
    }),
  )
}

/** @param each how many units one call stands for */
async function cost(count: number, work: Work, manner: Manner = 'spread', each = 1): Promise<VerbCost> {
  await repeat(500, async () => await client!.ping(), manner)
  const [cpu, stats, own] = [await usedCpu(), await info('stats'), process.cpuUsage()]
  await repeat(count, work, manner)
  const { user, system } = process.cpuUsage(own)
  const [cpuAfter, statsAfter] = [await usedCpu(), await info('stats')]
  const rise = (name: string): number => statsAfter[name]! - stats[name]!
  const units = count * each
  return {
    serverMicros: round((cpuAfter - cpu) / units, 1),
    bytesIn: Math.round(rise('total_net_input_bytes') / units),
    bytesOut: Math.round((rise('total_net_output_bytes') - rise('total_net_repl_output_bytes')) / units),
    clientMicros: round((user + system) / units, 1),
  }
}

function round(value: number, digits: number): number {
  return Number(value.toFixed(digits))
}

function recordAt(id: string, userId: string | null, version = template.version): SessionRecord {
  return { ...template, id, userId, version }
}

async function fill(userOf: (index: number) => string | null): Promise<{ ids: string[]; bytes: number; cost: VerbCost }> {
  const ids = Array.from({ length: users }, mintId)
  const before = await info('memory')
  const verb = await cost(users, async (index, store) => await store.put(recordAt(ids[index]!, userOf(index)), 0))
  const after = await info('memory')
  return { ids, bytes: Math.round((after['used_memory']! - before['used_memory']!) / users), cost: verb }
}

async function replicatedBytes(count: number, work: Work): Promise<number> {
  const before = await info('replication')
  await repeat(count, work)
  const after = await info('replication')
  return Math.round((after['master_repl_offset']! - before['master_repl_offset']!) / count)
}

/** 32 visitors at once, for writers of one session would share their writes. */
async function managerCost(store: Store, write: boolean, count: number): Promise<number> {
  const sessions = createSessions<Data>({ store, initial: () => ({ text: '', count: 0 }) })
  const cookies = await Promise.all(
    Array.from(
      { length: 32 },
      async (_, index) => await cookieFor(sessions, { userId: userAt(index), data: { text: 'x'.repeat(268), count: 1 } }),
    ),
  )
  const once = async (cookie: string): Promise<void> => {
    const headers = { cookie, host: 'localhost' }
    const session = await sessions.open({ method: 'GET', url: '/', headers, socket: { remoteAddress: '127.0.0.1' } })
    if (write) session.data.count++
    else if (session.data.count < 0) throw new Error('Nobody counts down.')
    await session.commit()
  }
  const all = async (count: number): Promise<void> => {
    let next = 0
    await Promise.all(
      cookies.map(async (cookie) => {
        while (next++ < count) await once(cookie)
      }),
    )
  }
  await all(count / 5)
  const before = process.cpuUsage()
  await all(count)
  const { user, system } = process.cpuUsage(before)
  return round((user + system) / count, 1)
}

const anonymous = await fill(() => null)
const known = await fill(userAt)
const { ids } = known
const any = (index: number): string => ids[(index * 7919) % users]!
const ups = 100_000
const start = Date.now()
const newer = (index: number): SessionRecord => recordAt(ids[index]!, userAt(index), template.version + 1)
const touch = (index: number, by: number, version = template.version + 1): Touch[] => [
  {
    id: ids[index]!,
    userId: userAt(index),
    version,
    lastSeenAt: template.lastSeenAt + by,
    expiresAt: template.expiresAt + by,
  },
]
const get = await cost(ups, async (index, store) => await store.get(any(index)))
const put = await cost(ups, async (index, store) => await store.put(newer(index), template.version))
const touchAnonymous = await cost(
  ups,
  async (index, store) =>
    await store.touch([{ ...touch(index, 200_000)[0]!, id: anonymous.ids[index]!, userId: null, version: template.version }]),
)
const touched = await cost(ups, async (index, store) => await store.touch(touch(index, 200_000)))
const pipelined = {
  get: await cost(ups, async (index, store) => await store.get(any(index)), 'together'),
  put: await cost(
    ups,
    async (index, store) => await store.put(recordAt(ids[index]!, userAt(index), template.version + 2), template.version + 1),
    'together',
  ),
}
const replicated = {
  put: await replicatedBytes(
    10_000,
    async (index, store) => await store.put(recordAt(ids[index]!, userAt(index), template.version + 3), template.version + 2),
  ),
  insert: await replicatedBytes(10_000, async (index, store) => await store.put(recordAt(mintId(), `extra-${String(index)}`), 0)),
  touch: await replicatedBytes(10_000, async (index, store) => await store.touch(touch(index, 400_000, template.version + 3))),
}
const sweepEmpty = await cost(500, async (_, store) => await store.sweep(template.expiresAt - 1000, 200), 'alone')
const memoryUsage = Number(await client!.sendCommand(['MEMORY', 'USAGE', keys.record(ids[0]!)]))
const recordBytes = (await client!.get(keys.record(ids[0]!)))!.length
// One sweeper after the other: two at once would look for the same rows.
const sweepRow = await cost(100, async (_, store) => await store.sweep(template.expiresAt + 1e9, 200), 'alone', 200)
const listened = async (listeners: number): Promise<VerbCost> => {
  const fresh = Array.from({ length: 20_000 }, mintId)
  const stop = stores.slice(0, listeners).map((store) => store.watchChanges!({ changed: () => {}, opened: () => {}, cut: () => {} }))
  // They connect by themselves.
  await new Promise((resolve) => setTimeout(resolve, 1000))
  for (const id of fresh) await store!.put(recordAt(id, null), 0)
  const measured = await cost(
    fresh.length,
    async (index, store) => await store.put(recordAt(fresh[index]!, null, template.version + 1), template.version),
  )
  for (const end of stop) end()
  return measured
}
const [alone, heard] = [await listened(0), await listened(connections)]
const message = {
  serverMicros: round((heard.serverMicros - alone.serverMicros) / connections, 2),
  bytesIn: 0,
  bytesOut: Math.round((heard.bytesOut - alone.bytesOut) / connections),
  clientMicros: round((heard.clientMicros - alone.clientMicros) / connections, 2),
}
const manager = {
  memoryRead: await managerCost(memory(), false, 200_000),
  memoryWrite: await managerCost(memory(), true, 200_000),
  redisRead: await managerCost(store!, false, 20_000),
  redisWrite: await managerCost(store!, true, 20_000),
}

const costs: Costs = {
  date: new Date(start).toISOString().slice(0, 10),
  machine: `${String(cpus().length)} × ${cpus()[0]!.model}`,
  redis: primary.version,
  node: process.version,
  session: {
    dataBytes: Buffer.byteLength(template.data),
    recordBytes,
    redisBytes: known.bytes,
    redisAnonymousBytes: anonymous.bytes,
    memoryUsage,
  },
  verbs: { get, put, insert: known.cost, insertAnonymous: anonymous.cost, touch: touched, touchAnonymous, sweepRow, sweepEmpty },
  pipelined,
  message,
  replicated,
  manager,
}
await writeFile(new URL('costs.json', import.meta.url), `${JSON.stringify(costs, null, 2)}\n`)
console.log(JSON.stringify(costs, null, 2))
for (const client of clients) client.destroy()
await replica.stop()
await primary.stop()
process.exit(0)
