import { Cluster as IoCluster, Redis as IoRedis } from 'ioredis'
import { Cluster as ValkeyCluster, Redis as Valkey } from 'iovalkey'
import { createClient, createCluster } from 'redis'
import type { RedisClient } from '../../src/stores/redis.ts'

/** A client, made as docs/stores/redis.md says. */
export interface Opened {
  readonly client: RedisClient
  readonly close: () => unknown
}

type Open = (url: string) => Promise<Opened>

// Errors of the connection are told by the verbs that fail.
const unheard = () => {}

const nodeRedis =
  (RESP: 2 | 3): Open =>
  async (url) => {
    const client = createClient({ url, RESP, socket: { reconnectStrategy: 50 } }).on('error', unheard)
    await client.connect()
    return { client, close: () => client.destroy() }
  }

const ioOptions = { maxRetriesPerRequest: 0, retryStrategy: () => 50 }

const ioredis: Open = async (url) => {
  const client = new IoRedis(url, ioOptions).on('error', unheard)
  return { client, close: () => client.disconnect() }
}

const iovalkey: Open = async (url) => {
  const client = new Valkey(url, ioOptions).on('error', unheard)
  return { client, close: () => client.disconnect() }
}

export const singles: Readonly<Record<string, Open>> = {
  'node-redis': nodeRedis(3),
  'node-redis, RESP 2': nodeRedis(2),
  ioredis,
  iovalkey,
}

const nodesOf = (url: string) =>
  url
    .replace(/^.*\/\//, '')
    .split(',')
    .map((address) => ({ host: address.split(':')[0], port: Number(address.split(':')[1]) }))

const nodeRedisCluster =
  (RESP: 2 | 3): Open =>
  async (url) => {
    const rootNodes = nodesOf(url).map(({ host, port }) => ({ url: `redis://${host}:${port}` }))
    const client = createCluster({ rootNodes, RESP, defaults: { socket: { reconnectStrategy: 50 } } }).on('error', unheard)
    await client.connect()
    return { client, close: () => client.destroy() }
  }

const ioClusterOptions = { retryDelayOnFailover: 0, clusterRetryStrategy: () => 50 }

const ioredisCluster: Open = async (url) => {
  const client = new IoCluster(nodesOf(url), ioClusterOptions).on('error', unheard)
  return { client, close: () => client.disconnect() }
}

const iovalkeyCluster: Open = async (url) => {
  const client = new ValkeyCluster(nodesOf(url), ioClusterOptions).on('error', unheard)
  return { client, close: () => client.disconnect() }
}

export const clusters: Readonly<Record<string, Open>> = {
  'node-redis cluster': nodeRedisCluster(3),
  'node-redis cluster, RESP 2': nodeRedisCluster(2),
  'ioredis Cluster': ioredisCluster,
  'iovalkey Cluster': iovalkeyCluster,
}
