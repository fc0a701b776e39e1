import { givenUp, whenGivenUp } from '../../core/call.ts'
import { SojournError } from '../../core/errors.ts'
import type { CallOptions } from '../../core/store.ts'
import { slotOf } from './keys.ts'

/** What the store asks of a client. */
export interface Commands {
  /**
   * Sends one command, to the node that has `key`. What is sent in one turn of the event loop goes out together. Nothing is
   * sent twice. It comes with its call: what still waits for a connection is not sent any more when the core has given it up, and a
   * cluster's node that lets one wait so long may have been replaced.
   */
  send(key: string, args: readonly string[], call?: CallOptions): Promise<unknown>
}

/** The part of a node-redis client (`createClient`, 5 and later) that is used. */
export interface NodeRedisClient {
  readonly isReady?: boolean
  sendCommand(args: string[], options?: object): Promise<unknown>
}

/** The part of a node-redis cluster (`createCluster`, 5 and later) that is used. */
export interface NodeRedisCluster {
  readonly slots: readonly ({ readonly master: NodeRedisNode } | undefined)[]
  readonly masters: readonly NodeRedisNode[]
  sendCommand(firstKey: string | undefined, isReadonly: boolean | undefined, args: string[], options?: object): Promise<unknown>
}

interface NodeRedisNode {
  readonly client?: { readonly isReady: boolean } | undefined
}

/** The part of a client of ioredis or iovalkey (`Redis` or `Cluster`) that is used. */
export interface IoRedisClient {
  readonly status: string
  readonly options: object
  call(command: string, args: string[]): PromiseLike<unknown>
}

export type RedisClient = NodeRedisClient | NodeRedisCluster | IoRedisClient

/** @throws ERR_SOJOURN_OPTION for what is no client, or one that would send a write twice or read from replicas */
export function commandsOf(client: RedisClient): Commands {
  if (typeof client === 'object' && client !== null) {
    if ('call' in client && typeof client.call === 'function') return new IoRedis(client)
    if ('acquire' in client) {
      throw new SojournError(
        'ERR_SOJOURN_OPTION',
        'What createSentinel() answers sends commands a second time when its primary changes, and so could write twice. Behind Sentinel use a Redis of ioredis or iovalkey, made with { sentinels, name, maxRetriesPerRequest: 0 }.',
      )
    }
    if ('sendCommand' in client && typeof client.sendCommand === 'function') {
      return 'slots' in client ? new NodeRedisNodes(client) : new NodeRedis(client)
    }
  }
  throw new SojournError(
    'ERR_SOJOURN_OPTION',
    'The Redis store needs a client: what createClient() or createCluster() of the package redis answer, or a Redis or Cluster of ioredis or iovalkey.',
  )
}

// Whatever types the application has its client map replies to, the store reads text. The core limits the time of each call;
// a timer of the client's own for each command costs more than all the rest of it.
const asText = { typeMapping: {}, timeout: undefined }
const untimed = { timeout: undefined }

function away(): Error {
  return new Error('the client is not connected to the server')
}

/**
 * Whether a client was told of no other types, by its options or by those of the one that it was derived from. Its commands need no
 * mapping then: the client spreads their options over its own, and for one that its own have not V8 gives each command's options a new
 * shape. That costs 2 µs, and as much again where they are read.
 */
function isUnmapped(client: NodeRedisClient): boolean {
  // A pool's options are not those of its clients.
  if (typeof client.isReady !== 'boolean') return false
  const { _commandOptions: own, _self: origin } = client as { readonly _commandOptions?: unknown; readonly _self?: NodeRedisClient }
  if (typeof own !== 'object' || own === null || 'typeMapping' in own) return false
  return origin === undefined || origin === client || isUnmapped(origin)
}

class NodeRedis implements Commands {
  readonly #client: NodeRedisClient
  readonly #asText: object
  #wasReady = false

  constructor(client: NodeRedisClient) {
    this.#client = client
    this.#asText = isUnmapped(client) ? untimed : asText
  }

  async send(_key: string, args: readonly string[], call?: CallOptions): Promise<unknown> {
    // Before it is connected for the first time, and when it does not know yet that it no longer is, the client lets it wait.
    if (this.#client.isReady !== false) this.#wasReady = true
    else if (this.#wasReady) throw away()
    return await this.#client.sendCommand(args as string[], this.#client.isReady === false ? givenUpBy(call) : this.#asText)
  }
}

class NodeRedisNodes implements Commands {
  readonly #client: NodeRedisCluster
  #lookedAt = -Infinity

  constructor(client: NodeRedisCluster) {
    this.#client = client
  }

  async send(key: string, args: readonly string[], call?: CallOptions): Promise<unknown> {
    const node = this.#client.slots[slotOf(key)]?.master.client
    if (node?.isReady === false) {
      this.#lookForPrimary(node)
      throw away()
    }
    whenGivenUp(call, () => this.#lookForPrimary(node))
    // Never from a replica, which may be behind.
    return await this.#client.sendCommand(key, false, args as string[], node === undefined ? givenUpBy(call) : asText)
  }

  /**
   * The client learns that a replica has taken over from the nodes that it asks; a primary that is gone it asks for ever (5),
   * or for 5 s (6), and one that says nothing, though its connection is open, for ever.
   */
  #lookForPrimary(gone: NodeRedisNode['client']): void {
    const { masters } = this.#client
    const { _slots: slots } = this.#client as { _slots?: { rediscover?: (startWith: unknown) => Promise<unknown> } }
    const reachable = masters.find(({ client }) => client !== gone && client?.isReady === true)?.client
    if (reachable === undefined || typeof slots?.rediscover !== 'function' || performance.now() - this.#lookedAt < 500) return
    this.#lookedAt = performance.now()
    slots.rediscover(reachable).catch(() => {})
  }
}

class IoRedis implements Commands {
  readonly #client: IoRedisClient
  readonly #isCluster: boolean
  #wasReady = false
  #lookedAt = -Infinity

  constructor(client: IoRedisClient) {
    this.#isCluster = isCluster(client)
    checkOptions(client, this.#isCluster)
    this.#client = client
  }

  async send(_key: string, [command, ...args]: readonly string[], call?: CallOptions): Promise<unknown> {
    // The client can take nothing back: what was given up before this is not sent.
    const reason = givenUp(call)
    if (reason !== null) throw reason
    const { status } = this.#client
    if (status === 'ready') this.#wasReady = true
    else if (this.#wasReady || !connects.has(status)) throw away()
    if (this.#isCluster) whenGivenUp(call, this.#lookForPrimary)
    try {
      // iovalkey finds a command's keys, and so the node, by its name in small letters alone.
      return await this.#client.call(command!.toLowerCase(), args)
    } catch (error) {
      const isAnswer = error instanceof Error && error.name === 'ReplyError'
      if (this.#isCluster && !isAnswer) this.#lookForPrimary()
      throw error
    }
  }

  /**
   * A cluster's client learns that a replica has taken over when it sends a command again (`retryDelayOnFailover`), which it must not here,
   * or when another node says that the cluster is down. Where nothing was asked meanwhile, iovalkey asks a primary that is gone for ever,
   * and so do both where it is there, and says nothing.
   */
  readonly #lookForPrimary = (): void => {
    const client = this.#client as IoRedisCluster
    const isDue = performance.now() - this.#lookedAt >= 500
    if (client.status !== 'ready' || typeof client.refreshSlotsCache !== 'function' || !isDue) return
    this.#lookedAt = performance.now()
    client.refreshSlotsCache((error) => {
      // Where all nodes were lost meanwhile and iovalkey connects anew, it counts on this very refresh, and would wait for it for ever.
      if (error instanceof Error && client.status === 'connecting') client.disconnect(true)
    })
  }
}

/** What is used of a cluster's client beside. */
interface IoRedisCluster extends IoRedisClient {
  refreshSlotsCache?(done: (error?: unknown) => void): void
  disconnect(reconnects: boolean): void
}

/** Whether a client of ioredis or iovalkey is a cluster's. */
export function isCluster(client: object): boolean {
  return 'isCluster' in client && client.isCluster === true
}

/** The states of a client of ioredis before it was ready for the first time. */
const connects: ReadonlySet<string> = new Set(['wait', 'connecting', 'connect'])

interface IoRedisOptions {
  readonly maxRetriesPerRequest?: number | null
  readonly retryDelayOnFailover?: number
  readonly clusterNodeRetryStrategy?: unknown
  readonly scaleReads?: unknown
  readonly redisOptions?: { readonly maxRetriesPerRequest?: number | null }
}

/** A write that was answered and whose answer got lost must not be sent again: it would be merged into what it did itself. */
function checkOptions(client: IoRedisClient, ofCluster: boolean): void {
  const options: IoRedisOptions = client.options
  if (!ofCluster) {
    if (options.maxRetriesPerRequest === 0) return
    throw new SojournError(
      'ERR_SOJOURN_OPTION',
      'This client sends commands a second time when it has lost its connection, and so could write twice. Make it with new Redis(url, { maxRetriesPerRequest: 0 }).',
    )
  }
  const { retryDelayOnFailover, clusterNodeRetryStrategy, redisOptions, scaleReads = 'master' } = options
  const reconnects = typeof clusterNodeRetryStrategy === 'function'
  if (retryDelayOnFailover !== 0 || (reconnects && redisOptions?.maxRetriesPerRequest !== 0)) {
    throw new SojournError(
      'ERR_SOJOURN_OPTION',
      'This cluster client sends commands a second time when it has lost a node, and so could write twice. Make it with new Cluster(nodes, { retryDelayOnFailover: 0, redisOptions: { maxRetriesPerRequest: 0 } }).',
    )
  }
  if (scaleReads !== 'master') {
    throw new SojournError(
      'ERR_SOJOURN_OPTION',
      "This cluster client reads from replicas, which may be behind. Make it without scaleReads, or with scaleReads: 'master'.",
    )
  }
}

/**
 * For a command that waits until the client is connected: what the core has given up by then is not sent. A client that is connected
 * sends at once, when nothing can be taken back; there a signal, and who listens to it, would be 5 % of a write for nothing.
 */
function givenUpBy(call: CallOptions | undefined): object {
  const signal = call?.signal
  return signal === undefined ? asText : { ...asText, abortSignal: signal }
}
