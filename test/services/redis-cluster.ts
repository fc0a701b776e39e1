import { setTimeout as sleep } from 'node:timers/promises'
import type { Redis } from 'ioredis'
import { freePort } from './place.ts'
import { redisArguments, versionOfRedis, withRedis } from './redis.ts'
import { programOf } from './requirements.ts'
import { startServer, type Server } from './server.ts'
import type { ServiceOptions } from './kinds.ts'

const primaryCount = 3
const slotCount = 16_384

/** Three primaries and a replica of each. What is done to it is done to all of them; a single one is found in `nodes`. */
export interface RedisCluster extends Server {
  /** Primaries first, as they were at the start; then the replicas in the same order. */
  readonly nodes: readonly Server[]
}

export async function startRedisCluster(options: ServiceOptions): Promise<RedisCluster> {
  const redis = await programOf('redis-server')
  const startNode = async () => {
    const bus = await freePort()
    return await startServer({
      name: 'redis-cluster',
      command: ({ folder, port }) => [redis, ...redisArguments(folder, port, options), ...clusterArguments(bus, options)],
      url: ({ port }) => `redis://127.0.0.1:${port}`,
      probe: versionOfRedis,
    })
  }
  const nodes = await Promise.all(Array.from({ length: 2 * primaryCount }, startNode))
  const all = async (work: (node: Server) => Promise<void>) => void (await Promise.all(nodes.map(work)))
  await join(nodes)
  return {
    url: `redis+cluster://${nodes.map(({ url }) => new URL(url).host).join(',')}`,
    version: `${nodes[0]!.version}, ${primaryCount} primaries and ${primaryCount} replicas`,
    nodes,
    kill: async (signal) => await all(async (node) => await node.kill(signal)),
    async restart() {
      await all(async (node) => await node.restart())
      await Promise.all(nodes.map(untilWhole))
    },
    pause: () => nodes.forEach((node) => node.pause()),
    resume: () => nodes.forEach((node) => node.resume()),
    stop: async () => await all(async (node) => await node.stop()),
  }
}

function clusterArguments(bus: number, { nodeTimeout }: ServiceOptions): string[] {
  const timing = ['--cluster-node-timeout', String(nodeTimeout), '--repl-diskless-sync-delay', '0']
  return ['--cluster-enabled', 'yes', '--cluster-port', String(bus), '--repl-backlog-size', '1mb', ...timing]
}

async function join(nodes: readonly Server[]): Promise<void> {
  const ids = await Promise.all(nodes.map(({ url }) => withRedis(url, async (client) => await client.cluster('MYID'))))
  const buses = await Promise.all(nodes.map(({ url }) => withRedis(url, busOf)))
  await each(nodes, async (client, index) => {
    if (index < primaryCount) await client.cluster('ADDSLOTSRANGE', firstSlot(index), firstSlot(index + 1) - 1)
    await client.cluster('SET-CONFIG-EPOCH', index + 1)
  })
  await withRedis(nodes[0]!.url, async (client) => {
    for (const [index, { url }] of nodes.entries()) await client.call('CLUSTER', 'MEET', '127.0.0.1', new URL(url).port, buses[index]!)
  })
  await each(nodes, async (client) => {
    await until(async () => knownNodes(await clusterInfo(client)) === nodes.length)
  })
  await each(nodes.slice(primaryCount), async (client, index) => {
    // The replica may not yet have heard that its primary is one.
    await until(async () => {
      await client.cluster('REPLICATE', ids[index]!)
      return true
    })
  })
  await Promise.all(nodes.map(untilWhole))
}

const firstSlot = (primary: number) => Math.floor((primary * slotCount) / primaryCount)

async function busOf(client: Redis): Promise<number> {
  const [, port] = /@(\d+)/.exec(String(await client.cluster('NODES'))) ?? []
  return Number(port)
}

async function clusterInfo(client: Redis): Promise<string> {
  return await client.cluster('INFO')
}

const knownNodes = (info: string) => Number(/cluster_known_nodes:(\d+)/.exec(info)?.[1])

/** Until this node sees every slot served and three replicas, and, if it is one itself, follows its primary. */
async function untilWhole({ url }: Server): Promise<void> {
  await withRedis(url, async (client) => {
    await until(async () => {
      if (!(await clusterInfo(client)).includes('cluster_state:ok')) return false
      const replicas = String(await client.cluster('NODES'))
        .split('\n')
        .filter((line) => / (\w+,)?slave /.test(line))
      const replication = await client.info('replication')
      return replicas.length === primaryCount && (replication.includes('role:master') || replication.includes('master_link_status:up'))
    })
  })
}

async function each(nodes: readonly Server[], work: (client: Redis, index: number) => Promise<void>): Promise<void> {
  await Promise.all(nodes.map(({ url }, index) => withRedis(url, async (client) => await work(client, index))))
}

async function until(holds: () => Promise<boolean>): Promise<void> {
  for (const began = Date.now(); ; await sleep(50)) {
    const isLate = Date.now() - began > 30_000
    try {
      if (await holds()) return
    } catch (error) {
      if (isLate) throw error
    }
    if (isLate) throw new Error('The nodes of the Redis Cluster did not find together within 30 s.')
  }
}
