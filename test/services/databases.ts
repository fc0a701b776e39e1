import { Cluster, type Redis } from 'ioredis'
import type { Kind } from './kinds.ts'
import { versionOfMongodb, withMongodb } from './mongodb.ts'
import { askMysql, versionOfMysql } from './mysql.ts'
import { askPostgres, versionOfPostgres } from './postgres.ts'
import { versionOfRedis, withRedis } from './redis.ts'

/** How one server is shared: each user has a database of their own, or, in Redis, the keys that begin with its name and a colon. */
interface Sharing {
  readonly version: (server: string) => Promise<string>
  readonly create: (server: string, name: string) => Promise<void>
  readonly drop: (server: string, name: string) => Promise<void>
  readonly url: (server: string, name: string) => string
}

/** @returns the same server's URL, with another database for its path */
function withDatabase(server: string, name: string): string {
  // Not by URL: it knows no list of hosts, which MongoDB's has.
  const [, before, query = ''] = /^(\w+:\/\/[^/?]*)(?:\/[^?]*)?(\?.*)?$/.exec(server) ?? []
  if (before === undefined) throw new Error('A URL such as postgres://user@host:port/database is needed.')
  return `${before}/${name}${query}`
}

const redis: Sharing = {
  version: versionOfRedis,
  create: async () => {},
  drop: async (server, name) => await withRedis(server, async (client) => await dropKeys(client, name)),
  url: (server) => server,
}

const redisCluster: Sharing = {
  ...redis,
  version: async (server) => await versionOfRedis(`redis://${hostsOf(server)[0]}`),
  async drop(server, name) {
    const cluster = new Cluster(hostsOf(server).map((host) => `redis://${host}`))
    try {
      await cluster.ping()
      await Promise.all(cluster.nodes('master').map(async (node) => await dropKeys(node, name)))
    } finally {
      cluster.disconnect()
    }
  },
}

function hostsOf(server: string): string[] {
  return server
    .replace(/^[\w+]+:\/\//, '')
    .replace(/[/?].*$/, '')
    .split(',')
}

async function dropKeys(client: Redis, name: string): Promise<void> {
  for await (const keys of client.scanStream({ match: `${name}:*`, count: 1000 })) {
    // One by one: a cluster's node refuses keys of several slots in one command.
    await Promise.all((keys as string[]).map(async (key) => await client.unlink(key)))
  }
}

const mongodb: Sharing = {
  version: versionOfMongodb,
  create: async () => {},
  drop: async (server, name) => void (await withMongodb(server, async (client) => await client.db(name).dropDatabase())),
  url: withDatabase,
}

export const sharing: Record<Kind, Sharing> = {
  redis,
  'redis-cluster': redisCluster,
  mysql: {
    version: versionOfMysql,
    create: async (server, name) => void (await askMysql(server, `CREATE DATABASE ${name}`)),
    drop: async (server, name) => void (await askMysql(server, `DROP DATABASE ${name}`)),
    url: withDatabase,
  },
  postgres: {
    version: versionOfPostgres,
    create: async (server, name) => void (await askPostgres(server, `CREATE DATABASE ${name}`)),
    drop: async (server, name) => void (await askPostgres(server, `DROP DATABASE ${name} WITH (FORCE)`)),
    url: withDatabase,
  },
  mongodb,
  'mongodb-races': mongodb,
}
