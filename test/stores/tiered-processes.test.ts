/**
 * The near-cache's coherence between processes: a session that was logged out at one is tried at all of them, during the bound and after it,
 * while changes are told of, while that channel is cut, and when it has come back.
 */
import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { setTimeout as pause } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { Pool } from 'pg'
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import { postgres } from '../../src/stores/postgres.ts'
import { HttpVisitor } from '../core/http-visitor.ts'
import { shared, startTimeout } from '../services/service.ts'
import type { NodeMessage, NodeSettings } from './programs/tiered-node.ts'
import { Wire } from './wire.ts'

const bound = 1000
// What a store and a busy machine may take beyond it.
const slack = 700
const three = [0, 1, 2]

/** A process with a memory of its own. */
class Node {
  url = ''
  hears = false
  readonly #child: ChildProcess

  constructor(settings: NodeSettings) {
    const program = fileURLToPath(new URL('programs/tiered-node.ts', import.meta.url))
    this.#child = fork(program, [JSON.stringify(settings)], { execArgv: ['--import', 'tsx'] })
    this.#child.on('message', (message: NodeMessage) => Object.assign(this, message))
  }

  get hasEnded(): boolean {
    return this.#child.exitCode !== null || this.#child.signalCode !== null
  }

  async visit(path: string, cookie: string | null): Promise<{ userId: string | null; reads: number; cookie: string | null }> {
    const visitor = new HttpVisitor(this.url, cookie)
    const { status, body } = await (path === '/' ? visitor.get(path) : visitor.post(path))
    if (status !== 200) throw new Error(`${path} was answered ${status}: ${body}`)
    return { ...(JSON.parse(body) as { userId: string | null; reads: number }), cookie: visitor.cookie }
  }

  async serves(cookie: string): Promise<boolean> {
    return (await this.visit('/', cookie)).userId === 'ada'
  }

  async close(): Promise<void> {
    if (this.hasEnded) return
    const ended = once(this.#child, 'exit')
    this.#child.disconnect()
    await ended
  }
}

/** Three processes before one server, on a wire that can take their channels away. */
class Site {
  readonly nodes: readonly Node[]
  readonly wire: Wire

  static async open(kind: NodeSettings['kind'], { staleness = bound, channel = true } = {}): Promise<Site> {
    const server = await shared(kind)
    if (kind === 'postgres') {
      const pool = new Pool({ connectionString: server.url })
      await postgres(pool).createSchema()
      await pool.end()
    }
    const { wire, url } = await Wire.to(server.url)
    const site = new Site(
      three.map(() => new Node({ kind, url, prefix: `${server.name}:processes:`, staleness, channel })),
      wire,
    )
    await site.until('each listens', ({ url }) => url !== '')
    return site
  }

  private constructor(nodes: readonly Node[], wire: Wire) {
    this.nodes = nodes
    this.wire = wire
  }

  async until(what: string, holds: (node: Node) => boolean): Promise<void> {
    for (const began = performance.now(); !this.nodes.every(holds); await pause(5)) {
      if (this.nodes.some(({ hasEnded }) => hasEnded)) throw new Error(`a process has ended before ${what}`)
      if (performance.now() - began > 30_000) throw new Error(`after half a minute still not: ${what}`)
    }
  }

  /** @returns the cookie of a session of which each process has a cached record */
  async logIn(at: Node): Promise<string> {
    const cookie = (await at.visit('/login', null)).cookie!
    const reads = async () => await Promise.all(this.nodes.map(async (node) => (await node.visit('/', cookie)).reads))
    let before = await reads()
    // Word of the insert may come after the first reads, and then nobody has it.
    for (let round = 0; round < 100; round++) {
      await pause(10)
      const after = await reads()
      if (after.every((count, index) => count === before[index])) return cookie
      before = after
    }
    throw new Error('no process keeps what it has read')
  }

  /**
   * Logs a session out at one process, while it is tried at all, again and again, until the bound is over twice.
   *
   * @returns the longest that any served it, in ms from when the logout was answered: by when the last request that was served set out
   */
  async logOut(at: Node, cookie: string): Promise<number> {
    let answered = Infinity
    const tries = this.nodes.map(async (node) => {
      let last = 0
      for (let now = performance.now(); now < answered + 2 * bound + slack; now = performance.now()) {
        if (await node.serves(cookie)) last = now
        await pause(5)
      }
      const served = Math.max(0, last - answered)
      if (node === at && served > 0) throw new Error(`the process that ended it served it for ${served} ms`)
      return served
    })
    await pause(20)
    await at.visit('/logout', cookie)
    answered = performance.now()
    return Math.max(...(await Promise.all(tries)))
  }

  /** The same with three sessions at once, each logged in and out at another process. */
  async logOutThree(): Promise<number> {
    // One after the other: each looks for reads of its own.
    const cookies: string[] = []
    for (const node of this.nodes) cookies.push(await this.logIn(node))
    return Math.max(...(await Promise.all(this.nodes.map(async (node, index) => await this.logOut(node, cookies[index]!)))))
  }

  async close(): Promise<void> {
    await Promise.all(this.nodes.map(async (node) => await node.close()))
    this.wire.close()
  }
}

describe.each(['redis', 'postgres'] as const)('three processes before %s', { timeout: 60_000 }, (kind) => {
  let site: Site
  beforeAll(async () => {
    site = await Site.open(kind)
    await site.until('each hears of changes', ({ hears }) => hears)
  }, startTimeout)
  afterAll(async () => await site?.close())

  const tell = (how: string, time: number) =>
    console.info(
      `${kind}, three processes, ${how}: a session was served for ${time.toFixed(1)} ms after its logout, at most; bound ${bound}`,
    )

  test('a session that was logged out at one is refused by all at once, by word of the channel', async () => {
    const time = await site.logOutThree()
    tell('channel open', time)
    expect(time).toBeLessThan(bound / 3)
  })

  test('with the channel cut, it is refused by all within the bound', async () => {
    site.wire.set('cut')
    await site.until('each knows that it hears nothing', ({ hears }) => !hears)
    const time = await site.logOutThree()
    tell('channel cut', time)
    expect(time).toBeLessThan(bound + slack)
    // It was the bound that did it: nobody told.
    expect(time).toBeGreaterThan(bound / 10)
  })

  test('with the channel restored, what was logged out meanwhile is refused from then on, and word comes again', async () => {
    const cookie = await site.logIn(site.nodes[0]!)
    await site.nodes[1]!.visit('/logout', cookie)
    site.wire.set('open')
    await site.until('each hears of changes', ({ hears }) => hears)
    for (const node of site.nodes) expect(await node.serves(cookie)).toBe(false)
    const time = await site.logOutThree()
    tell('channel restored', time)
    expect(time).toBeLessThan(bound / 3)
  })
})

test(
  'processes that hear of nothing, and may be an hour behind, serve what another logged out: these tests would see it',
  async () => {
    const site = await Site.open('redis', { staleness: 3_600_000, channel: false })
    onTestFinished(async () => await site.close())
    const [node] = site.nodes
    expect(await site.logOut(node!, await site.logIn(node!))).toBeGreaterThan(bound + slack)
  },
  startTimeout,
)
