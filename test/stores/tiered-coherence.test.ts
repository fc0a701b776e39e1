/**
 * The near-cache's coherence: a session that one node ended is tried through every node, by clients of their own, while changes are
 * told of, while that channel is cut, while it is silent (which nobody notices), and when it has come back.
 */
import { setTimeout as pause } from 'node:timers/promises'
import { Pool } from 'pg'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Sessions } from '../../src/core/sessions.ts'
import type { Store } from '../../src/core/store.ts'
import { createSessions } from '../../src/sessions.ts'
import { postgres } from '../../src/stores/postgres.ts'
import { redis } from '../../src/stores/redis.ts'
import { tiered } from '../../src/stores/tiered.ts'
import { Visitor } from '../core/visitor.ts'
import { shared, startTimeout } from '../services/service.ts'
import { clusters, singles } from './redis-clients.ts'
import { Watched } from './watched.ts'
import { Wire } from './wire.ts'

const bound = 1000
// What a store and a busy machine may take beyond it.
const slack = 700

interface Data {
  visits: number
}

/** One process, as far as coherence goes: its own memory, its own connections. */
interface Node {
  readonly sessions: Sessions<Data>
  readonly behind: Watched
  readonly close: () => Promise<unknown>
}

interface Site {
  readonly nodes: readonly Node[]
  readonly wires: readonly Wire[]
  readonly close: () => Promise<unknown>
}

function nodeOn(store: Store, end: () => unknown): Node {
  const behind = new Watched(store)
  const sessions = createSessions<Data>({ store: tiered({ next: behind, staleness: bound }), initial: () => ({ visits: 0 }) })
  return { sessions, behind, close: async () => (await sessions.close(), await end()) }
}

async function siteOf(nodes: readonly Node[], wires: readonly Wire[]): Promise<Site> {
  return {
    nodes,
    wires,
    close: async () => {
      await Promise.all(nodes.map(async (node) => await node.close()))
      for (const wire of wires) wire.close()
    },
  }
}

const three = [0, 1, 2]

const sites: Readonly<Record<string, () => Promise<Site>>> = {
  // Whoever writes and whoever reads may have clients of different kinds.
  redis: async () => {
    const server = await shared('redis')
    const { wire, url } = await Wire.to(server.url)
    const clients = [singles['node-redis']!, singles['ioredis']!, singles['iovalkey']!, singles['node-redis, RESP 2']!]
    const opened = await Promise.all(clients.map(async (open) => await open(url)))
    const prefix = `${server.name}:coherence:`
    return await siteOf(
      opened.map(({ client, close }) => nodeOn(redis(client, { prefix }), close)),
      [wire],
    )
  },
  postgres: async () => {
    const server = await shared('postgres')
    await postgres(new Pool({ connectionString: server.url, max: 2 }), {}, () => {}).createSchema()
    const { wire, url } = await Wire.to(server.url)
    const pools = three.map(() => new Pool({ connectionString: url, max: 5 }))
    return await siteOf(
      pools.map((pool) => nodeOn(postgres(pool), async () => await pool.end())),
      [wire],
    )
  },
  'a Redis Cluster': async () => {
    const server = await shared('redis-cluster')
    const opened = await Promise.all(
      Object.entries(clusters)
        .filter(([name]) => !name.includes('RESP 2'))
        .map(async ([, open]) => await open(server.url)),
    )
    const prefix = `${server.name}:coherence:`
    return await siteOf(
      opened.map(({ client, close }) => nodeOn(redis(client, { prefix }), close)),
      [],
    )
  },
}

async function until(what: string, holds: () => boolean, limit = 15_000): Promise<void> {
  for (const began = performance.now(); !holds(); await pause(5)) {
    if (performance.now() - began > limit) throw new Error(`after ${limit} ms still not: ${what}`)
  }
}

describe.each(Object.entries(sites))('three nodes before %s', (name, open) => {
  let site: Site
  beforeAll(async () => {
    site = await open()
    await until('all channels open', () => site.nodes.every(({ behind }) => behind.isOpen))
  }, startTimeout)
  afterAll(async () => await site?.close())

  const served = async ({ sessions }: Node, cookie: string | null) =>
    (await new Visitor(sessions, cookie).visit((session) => session.userId)) === 'ada'

  /** A session of which every node has a cached record. */
  const known = async (): Promise<{ id: string; cookie: string | null }> => {
    const visitor = new Visitor(site.nodes[0]!.sessions)
    const id = await visitor.visit(async (session) => (await session.login('ada'), session.id!))
    for (const node of site.nodes) expect(await served(node, visitor.cookie)).toBe(true)
    // Word of the insert may come after the first reads, and then nobody has it.
    for (let round = 0; ; round++) {
      const reads = site.nodes.map(({ behind }) => behind.calls.get)
      await pause(10)
      for (const node of site.nodes) expect(await served(node, visitor.cookie)).toBe(true)
      if (site.nodes.every(({ behind }, index) => behind.calls.get === reads[index])) break
      if (round === 100) throw new Error('no node keeps what it has read')
    }
    return { id, cookie: visitor.cookie }
  }

  /**
   * Ends a session by one node, while it is tried through all, again and again.
   *
   * @returns how long, in ms from when that was acknowledged, it was served by any: by when the last request that was served set out
   */
  const revoke = async (by: number): Promise<number> => {
    const { id, cookie } = await known()
    let acknowledged = Infinity
    const lasts = site.nodes.map(() => 0)
    const attempts = site.nodes.map(async (node, index) => {
      let last = performance.now()
      // Until it was refused some times on end since.
      for (let refused = 0; refused < 20;) {
        const at = performance.now()
        if (await served(node, cookie)) {
          last = at
          refused = 0
        } else if (at > acknowledged) refused++
        if (at > acknowledged + bound + 5000) throw new Error('served for ever')
        await pause(2)
      }
      lasts[index] = Math.max(0, last - acknowledged)
    })
    await pause(10)
    expect(await site.nodes[by]!.sessions.end(id)).toBe(true)
    acknowledged = performance.now()
    await Promise.all(attempts)
    expect(lasts[by], 'who ended it served it').toBe(0)
    // Whatever came between, it stays refused.
    for (const node of site.nodes) expect(await served(node, cookie)).toBe(false)
    return Math.max(...lasts)
  }

  const tell = (how: string, times: readonly number[]) => {
    const sorted = times.toSorted((one, other) => one - other)
    const [median, most] = [sorted[Math.floor(sorted.length / 2)]!, sorted.at(-1)!]
    console.info(
      `${name}, ${how}: all nodes refused after ${median.toFixed(1)} ms (median of ${times.length}), ${most.toFixed(1)} at most; bound ${bound}`,
    )
  }

  test('a session that one of them ended is refused by all at once, by word of the channel', async () => {
    const times: number[] = []
    for (let i = 0; i < 20; i++) times.push(await revoke(i % site.nodes.length))
    tell('channel open', times)
    expect(Math.max(...times)).toBeLessThan(bound / 3)
  })

  test('a change that one of them made is seen by all, and its own node reads nothing for it', async () => {
    const { cookie } = await known()
    const [writer, ...readers] = site.nodes
    let visits = 0
    for (let i = 0; i < 20; i++) {
      const before = writer!.behind.calls.get
      visits = await new Visitor(writer!.sessions, cookie).visit((session) => ++session.data.visits)
      await pause(15)
      expect((await new Visitor(writer!.sessions, cookie).read()).visits).toBe(visits)
      expect(writer!.behind.calls.get).toBe(before)
      for (const reader of readers) expect((await new Visitor(reader.sessions, cookie).read()).visits).toBe(visits)
    }
  })

  // A cluster's nodes tell clients their own addresses, past any proxy.
  if (name === 'a Redis Cluster') return
  describe('with the channel taken away', () => {
    test('by a cut, it is refused within the bound, by all', { timeout: 60_000 }, async () => {
      for (const wire of site.wires) wire.set('cut')
      await until('all channels cut', () => site.nodes.every(({ behind }) => !behind.isOpen))
      const times: number[] = []
      for (let i = 0; i < 3; i++) times.push(await revoke(i % site.nodes.length))
      tell('channel cut', times)
      expect(Math.max(...times)).toBeLessThan(bound + slack)
      // It was the bound that did it: nobody told.
      expect(Math.max(...times)).toBeGreaterThan(bound / 3)
    })

    test('and given back, what was ended meanwhile is refused from then on, and word comes again', { timeout: 60_000 }, async () => {
      const { id, cookie } = await known()
      await site.nodes[0]!.sessions.end(id)
      for (const wire of site.wires) wire.set('open')
      await until('all channels open', () => site.nodes.every(({ behind }) => behind.isOpen))
      for (const node of site.nodes) expect(await served(node, cookie)).toBe(false)
      const times: number[] = []
      for (let i = 0; i < 8; i++) times.push(await revoke(i % site.nodes.length))
      tell('channel restored', times)
      expect(Math.max(...times)).toBeLessThan(bound / 3)
    })

    test('without a word, it is refused within the bound all the same, and the silence is found out', { timeout: 60_000 }, async () => {
      for (const wire of site.wires) wire.set('silent')
      const times: number[] = []
      for (let i = 0; i < 3; i++) times.push(await revoke(i % site.nodes.length))
      tell('channel silent', times)
      expect(Math.max(...times)).toBeLessThan(bound + slack)
      await until('the silence is noticed', () => site.nodes.every(({ behind }) => !behind.isOpen), 20_000)
      for (const wire of site.wires) wire.set('open')
      await until('all channels open', () => site.nodes.every(({ behind }) => behind.isOpen))
      expect(await revoke(0)).toBeLessThan(bound / 3)
    })
  })
})
