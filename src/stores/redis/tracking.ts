import type { Line, OpenLine } from '../../core/channel.ts'
import { isCluster, type RedisClient } from './client.ts'

/** Opens a line on which the server tells of each key with one prefix that changes. */
export type Tracker = (prefix: string, changed: (key: string) => void) => OpenLine

/*
 * The server's client tracking, in broadcasting mode, on a connection of its own: a duplicate of the client that was handed in. It costs the
 * server no memory for each key, the client's own connections stay as they are, and it is the same by RESP 2 and 3, on one server and in a
 * cluster (a line to each primary).
 */

/** The part that is used of what `duplicate()` of a client of node-redis answers. */
interface NodeRedisLine {
  on(event: 'error' | 'end', listener: () => void): unknown
  on(event: 'invalidate', listener: (key: string | Uint8Array | null) => void): unknown
  connect(): Promise<unknown>
  destroy(): void
  sendCommand(args: string[]): Promise<unknown>
}

interface NodeRedisOrigin {
  duplicate(options: object): NodeRedisLine
}

interface NodeRedisClusterOrigin {
  readonly masters: readonly { readonly address?: string }[]
  nodeClient(node: object): NodeRedisOrigin | Promise<NodeRedisOrigin>
}

interface IoRedisLine {
  on(event: string, listener: (...values: unknown[]) => void): unknown
  connect(): Promise<unknown>
  disconnect(): void
  call(command: string, args: string[]): PromiseLike<unknown>
  subscribe(channel: string): Promise<unknown>
}

interface IoRedisOrigin {
  readonly options: { readonly host?: string; readonly port?: number; readonly keyPrefix?: string }
  duplicate(options: object): IoRedisLine
}

interface IoRedisClusterOrigin {
  readonly isCluster: true
  readonly options: { readonly keyPrefix?: string; readonly redisOptions?: { readonly keyPrefix?: string } }
  nodes(role: 'master'): IoRedisOrigin[]
}

/** @returns null for a client that can't be duplicated */
export function trackerOf(client: RedisClient): Tracker | null {
  if (isIoRedisCluster(client)) {
    const keyPrefix = client.options.keyPrefix ?? client.options.redisOptions?.keyPrefix ?? ''
    const nodes = () => client.nodes('master').map((node): [string, IoRedisOrigin] => [`${node.options.host}:${node.options.port}`, node])
    return (prefix, changed) => onEach(nodes, (node) => ioRedisLine(node, keyPrefix + prefix, changed))
  }
  if (isIoRedis(client)) return (prefix, changed) => ioRedisLine(client, (client.options.keyPrefix ?? '') + prefix, changed)
  if (isNodeRedisCluster(client)) {
    const nodes = () => client.masters.map((node): [string, object] => [String(node.address), node])
    return (prefix, changed) =>
      onEach(
        nodes,
        (node) =>
          async (...how) =>
            await nodeRedisLine(await client.nodeClient(node), prefix, changed)(...how),
      )
  }
  if (isNodeRedis(client)) return (prefix, changed) => nodeRedisLine(client, prefix, changed)
  return null
}

function nodeRedisLine(origin: NodeRedisOrigin, prefix: string, changed: (key: string) => void): OpenLine {
  return async (broken, givenUp) => {
    // What the client was made with may cache by itself, which excludes the events.
    const line = origin.duplicate({ RESP: 3, emitInvalidate: true, clientSideCache: undefined, disableOfflineQueue: true })
    const close = once(() => line.destroy())
    const end = (): void => {
      // It would connect again by itself, and then not be told of anything.
      close()
      broken()
    }
    line.on('error', end)
    line.on('end', end)
    // Null: all keys are gone.
    line.on('invalidate', (key) => (key === null ? end() : changed(String(key))))
    givenUp.addEventListener('abort', close)
    try {
      await line.connect()
      // The events' option turned it on in another mode.
      await line.sendCommand(['CLIENT', 'TRACKING', 'OFF'])
      await line.sendCommand(['CLIENT', 'TRACKING', 'ON', 'BCAST', 'PREFIX', prefix])
    } catch (error) {
      close()
      throw error
    }
    return { ping: () => line.sendCommand(['PING']), close }
  }
}

function ioRedisLine(origin: IoRedisOrigin, prefix: string, changed: (key: string) => void): OpenLine {
  return async (broken, givenUp) => {
    const line = origin.duplicate({
      // By RESP 3 the client lets what it is told fall.
      protocol: 2,
      autoResubscribe: false,
      enableReadyCheck: false,
      lazyConnect: true,
      retryStrategy: () => null,
    })
    line.on('error', broken)
    line.on('end', broken)
    line.on('messageBuffer', (_, keys) => {
      // Null: all keys are gone.
      if (!Array.isArray(keys)) broken()
      else for (const key of keys) changed(String(key))
    })
    const close = once(() => line.disconnect())
    givenUp.addEventListener('abort', close)
    try {
      await line.connect()
      const id = String(await line.call('client', ['id']))
      await line.call('client', ['tracking', 'on', 'redirect', id, 'bcast', 'prefix', prefix])
      await line.subscribe('__redis__:invalidate')
    } catch (error) {
      close()
      throw error
    }
    return { ping: async () => await line.call('ping', []), close }
  }
}

/** A line to each primary, as one that breaks when one of them does, or when there are others. */
function onEach<Node>(nodes: () => [address: string, node: Node][], lineTo: (node: Node) => OpenLine): OpenLine {
  return async (broken, givenUp) => {
    const found = nodes()
    if (found.length === 0) throw new Error('the client knows no primary')
    const addresses = addressesOf(found)
    const opened = await Promise.allSettled(found.map(async ([, node]) => await lineTo(node)(broken, givenUp)))
    const lines = opened.flatMap((answer) => (answer.status === 'fulfilled' ? [answer.value] : []))
    const close = (): void => lines.forEach((line) => line.close())
    if (lines.length < opened.length) {
      close()
      throw new Error('a primary could not be reached')
    }
    const ping = async (): Promise<void> => {
      if (addressesOf(nodes()) !== addresses) throw new Error('there are other primaries')
      await Promise.all(lines.map(async (line: Line) => await line.ping()))
    }
    return { ping, close }
  }
}

function addressesOf(nodes: readonly (readonly [string, unknown])[]): string {
  return nodes
    .map(([address]) => address)
    .toSorted()
    .join(' ')
}

function once(work: () => void): () => void {
  let isDone = false
  return () => {
    if (isDone) return
    isDone = true
    work()
  }
}

function isIoRedisCluster(client: object): client is IoRedisClusterOrigin {
  return isCluster(client) && 'nodes' in client && typeof client.nodes === 'function'
}

function isIoRedis(client: object): client is IoRedisOrigin {
  return 'call' in client && 'duplicate' in client && typeof client.duplicate === 'function' && !isCluster(client)
}

function isNodeRedisCluster(client: object): client is NodeRedisClusterOrigin {
  return 'slots' in client && 'nodeClient' in client && typeof client.nodeClient === 'function'
}

function isNodeRedis(client: object): client is NodeRedisOrigin {
  return 'sendCommand' in client && !('slots' in client) && 'duplicate' in client && typeof client.duplicate === 'function'
}
