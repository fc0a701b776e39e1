import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import Database from 'better-sqlite3'
import { Cluster, Redis } from 'ioredis'
import { MongoClient } from 'mongodb'
import { createPool } from 'mysql2/promise'
import { Pool } from 'pg'
import type { Store } from '../../src/core/store.ts'
import { disk } from '../../src/stores/disk.ts'
import { memory } from '../../src/stores/memory.ts'
import { mongodb } from '../../src/stores/mongodb.ts'
import { mysql } from '../../src/stores/mysql.ts'
import { postgres } from '../../src/stores/postgres.ts'
import { redis } from '../../src/stores/redis.ts'
import { sqlite } from '../../src/stores/sqlite.ts'
import { tiered, type TieredOptions } from '../../src/stores/tiered.ts'
import { collect } from '../../src/testing/store-cases/rule.ts'
import { ranOn, shared } from '../services/service.ts'
import { clusters, singles } from './redis-clients.ts'

/** One store as two processes have it: each with a client of its own. */
export interface Pair {
  readonly stores: readonly [Store, Store]
  /** All that a thief of the disk or the database would have, as he finds it. */
  readonly dump: () => Promise<Buffer>
  readonly close: () => Promise<unknown>
}

type Open = () => Promise<Pair>

const plain: Readonly<Record<string, Open>> = {
  memory: async () => {
    await ranOn('memory', `Node ${process.version}`)
    const store = memory()
    const dump = async () => Buffer.from(JSON.stringify(await collect(store.list())))
    return { stores: [store, store], dump, close: async () => await store.close() }
  },

  disk: async () => {
    await ranOn('disk', `lmdb ${versionOf('lmdb')}`)
    const folder = mkdtempSync(join(tmpdir(), 'sojourn-matrix-'))
    const stores = [disk(folder), disk(folder)] as const
    return {
      stores,
      dump: async () => filesIn(folder),
      close: async () => {
        for (const store of stores) await store.close()
        rmSync(folder, { recursive: true })
      },
    }
  },

  sqlite: async () => {
    const folder = mkdtempSync(join(tmpdir(), 'sojourn-matrix-'))
    const open = () => new Database(join(folder, 'sessions.db'))
    const [one, other] = [open(), open()] as const
    const { version } = one.prepare('SELECT sqlite_version() AS version').get() as { readonly version: string }
    await ranOn('sqlite', `SQLite ${version} by better-sqlite3`)
    const stores = [sqlite(one), sqlite(other)] as const
    await stores[0].createSchema()
    return {
      stores,
      dump: async () => filesIn(folder),
      close: async () => {
        for (const database of [one, other]) database.close()
        rmSync(folder, { recursive: true })
      },
    }
  },

  mysql: async () => {
    const { url } = await shared('mysql')
    const pools = [createPool({ uri: url, connectionLimit: 10 }), createPool({ uri: url, connectionLimit: 10 })] as const
    const stores = [mysql(pools[0]), mysql(pools[1])] as const
    await stores[0].createSchema()
    const dump = async () => {
      const [rows] = await pools[0].query({ sql: 'SELECT * FROM sojourn_sessions', rowsAsArray: true })
      return bytesOf(rows as unknown[][])
    }
    return { stores, dump, close: async () => await Promise.all(pools.map(async (pool) => await pool.end())) }
  },

  postgres: async () => {
    const { url } = await shared('postgres')
    const pools = [new Pool({ connectionString: url, max: 10 }), new Pool({ connectionString: url, max: 10 })] as const
    const stores = [postgres(pools[0]), postgres(pools[1])] as const
    await stores[0].createSchema()
    const dump = async () => {
      const { rows } = await pools[0].query<unknown[]>({ text: 'SELECT * FROM sojourn_sessions', rowMode: 'array' })
      return bytesOf(rows)
    }
    return { stores, dump, close: async () => await Promise.all(pools.map(async (pool) => await pool.end())) }
  },

  'mongodb-races': async () => {
    const { url, name } = await shared('mongodb-races')
    const clients = [new MongoClient(url), new MongoClient(url)] as const
    const stores = [mongodb(clients[0].db(name)), mongodb(clients[1].db(name))] as const
    await stores[0].createSchema()
    const dump = async () => Buffer.from(JSON.stringify(await clients[0].db(name).collection('sojourn_sessions').find().toArray()))
    return { stores, dump, close: async () => await Promise.all(clients.map(async (client) => await client.close())) }
  },

  redis: async () => {
    const { url, name } = await shared('redis')
    const opened = await Promise.all([singles['node-redis']!(url), singles['ioredis']!(url)])
    const prefix = `${name}:`
    const server = new Redis(url)
    return {
      stores: [redis(opened[0].client, { prefix }), redis(opened[1].client, { prefix })],
      dump: async () => await keysOf(server, prefix),
      close: async () => await Promise.all([...opened.map(({ close }) => close()), server.quit()]),
    }
  },

  'redis-cluster': async () => {
    const { url, name } = await shared('redis-cluster')
    const opened = await Promise.all([clusters['node-redis cluster']!(url), clusters['ioredis Cluster']!(url)])
    const prefix = `${name}:`
    const cluster = new Cluster(
      url
        .replace('redis+cluster://', '')
        .split(',')
        .map((host) => `redis://${host}`),
    )
    await cluster.ping()
    return {
      stores: [redis(opened[0].client, { prefix }), redis(opened[1].client, { prefix })],
      dump: async () => Buffer.concat(await Promise.all(cluster.nodes('master').map(async (node) => await keysOf(node, prefix)))),
      close: async () => await Promise.all([...opened.map(({ close }) => close()), cluster.quit()]),
    }
  },
}

/** As one process has it, by two managers: what another process does it may be told late. */
function tieredOver(open: Open, options: Omit<TieredOptions, 'next'>): Open {
  return async () => {
    const pair = await open()
    const store = tiered({ ...options, next: pair.stores[0] })
    return {
      stores: [store, store],
      // What is in memory alone would be there later.
      dump: async () => Buffer.concat([await pair.dump(), Buffer.from(JSON.stringify(await collect(store.list())))]),
      close: async () => {
        await store.close()
        await pair.close()
      },
    }
  }
}

/** Every store, each by how it is opened twice. */
export const matrix: Readonly<Record<string, Open>> = {
  ...plain,
  'disk, behind memory': tieredOver(plain['disk']!, {}),
  'disk, that memory overflows to': tieredOver(plain['disk']!, { mode: 'overflow', memory: { maxBytes: 40_000 } }),
  'redis, behind memory': tieredOver(plain['redis']!, {}),
  'postgres, behind memory': tieredOver(plain['postgres']!, {}),
}

function filesIn(folder: string): Buffer {
  return Buffer.concat(
    readdirSync(folder).flatMap((name) => (statSync(join(folder, name)).isFile() ? [readFileSync(join(folder, name))] : [])),
  )
}

function bytesOf(rows: readonly (readonly unknown[])[]): Buffer {
  return Buffer.concat(rows.flat().map((value) => Buffer.from(value instanceof Uint8Array ? value : `${String(value)}\n`)))
}

/** The names of all keys, and what they hold. */
async function keysOf(server: Redis, prefix: string): Promise<Buffer> {
  const parts: Buffer[] = []
  for await (const keys of server.scanStream({ match: `${prefix}*` }) as AsyncIterable<string[]>) {
    for (const key of keys) {
      const value =
        (await server.type(key)) === 'string' ? await server.getBuffer(key) : Buffer.from((await server.zrange(key, '0', '-1')).join('\n'))
      parts.push(Buffer.from(`${key}\n`), value ?? Buffer.alloc(0))
    }
  }
  return Buffer.concat(parts)
}

/** A package's version, whether or not it exports its package.json. */
function versionOf(name: string): string {
  for (let folder = dirname(createRequire(import.meta.url).resolve(name)); ; folder = dirname(folder)) {
    try {
      const found = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')) as { readonly name?: string; readonly version?: string }
      if (found.name === name && found.version !== undefined) return found.version
    } catch {
      if (folder === dirname(folder)) throw new Error(`${name} is not installed`)
    }
  }
}
