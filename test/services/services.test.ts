import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { chmodSync, mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { createConnection } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { Cluster } from 'ioredis'
import { describe, test } from 'vitest'
import { withMongodb } from './mongodb.ts'
import { askMysql } from './mysql.ts'
import { askPostgres } from './postgres.ts'
import { withRedis } from './redis.ts'
import { service, shared, startTimeout, type Kind } from './service.ts'

interface Row {
  readonly kind: Kind
  readonly version: RegExp
  readonly write: (url: string) => Promise<unknown>
  /** The value that `write` wrote, or nothing. */
  readonly read: (url: string) => Promise<unknown>
  readonly keeps?: false
}

async function withCluster<T>(url: string, work: (client: Cluster) => Promise<T>): Promise<T> {
  const cluster = new Cluster(
    url
      .replace('redis+cluster://', '')
      .split(',')
      .map((host) => `redis://${host}`),
    {
      clusterRetryStrategy: () => null,
    },
  )
  cluster.on('error', () => {})
  try {
    return await work(cluster)
  } finally {
    cluster.disconnect()
  }
}

const documents = {
  write: async (url: string) => await withMongodb(url, async (client) => await client.db().collection('t').insertOne({ value: 'kept' })),
  read: async (url: string) => await withMongodb(url, async (client) => (await client.db().collection('t').findOne())?.['value']),
}

const rows: readonly Row[] = [
  {
    kind: 'redis',
    version: /^(Redis|Valkey) \d+\.\d+/,
    write: async (url) => await withRedis(url, async (client) => await client.set('key', 'kept')),
    read: async (url) => await withRedis(url, async (client) => await client.get('key')),
  },
  {
    kind: 'redis-cluster',
    version: /^(Redis|Valkey) \d+\.\d+\S+, 3 primaries and 3 replicas$/,
    write: async (url) => await withCluster(url, async (client) => await client.set('key', 'kept')),
    read: async (url) => await withCluster(url, async (client) => await client.get('key')),
  },
  {
    kind: 'mysql',
    version: /^(MariaDB|MySQL) \d+\.\d+/,
    write: async (url) => await askMysql(url, "CREATE TABLE t AS SELECT 'kept' AS value"),
    read: async (url) => (await askMysql(url, 'SELECT value FROM t'))[0]?.['value'],
  },
  {
    kind: 'postgres',
    version: /^PostgreSQL \d+/,
    write: async (url) => await askPostgres(url, "CREATE TABLE t AS SELECT 'kept' AS value"),
    read: async (url) => (await askPostgres(url, 'SELECT value FROM t'))[0]?.['value'],
  },
  { kind: 'mongodb', version: /^(FerretDB \d\S+ \()?MongoDB \d/, ...documents },
  { kind: 'mongodb-races', version: /^(mongo-java-server \d\S+ \()?MongoDB \d/, ...documents, keeps: false },
]

describe.concurrent('a private server', { timeout: startTimeout }, () => {
  test.for(rows)('of the kind $kind answers, stands still, crashes and comes back', async (row, { expect }) => {
    const server = await service(row.kind)
    expect(server.version).toMatch(row.version)
    await row.write(server.url)

    server.pause()
    const answer = row.read(server.url)
    expect(await Promise.race([answer, sleep(300, 'silence')])).toBe('silence')
    server.resume()
    expect(await answer).toBe('kept')

    await server.kill()
    await expect(row.read(server.url)).rejects.toThrow()
    await server.restart()
    const { keeps = true } = row
    if (keeps) expect(await row.read(server.url)).toBe('kept')
    else await row.write(server.url)

    await server.stop()
    await expect(row.read(server.url)).rejects.toThrow()
  })

  test('of a Redis Cluster: when a primary is killed its replica takes over, and the other nodes serve on', async ({ expect }) => {
    const cluster = await service('redis-cluster')
    const { nodes, url } = cluster
    await withCluster(url, async (client) => await client.set('key', 'kept'))
    await nodes[0]!.kill()
    const began = Date.now()
    await expect
      .poll(async () => await withRedis(nodes[3]!.url, async (client) => await client.info('replication')), {
        timeout: 20_000,
        interval: 50,
      })
      .toContain('role:master')
    expect(Date.now() - began).toBeLessThan(10_000)
    await expect.poll(async () => await withCluster(url, async (client) => await client.set('key', 'new')), { timeout: 10_000 }).toBe('OK')
    await cluster.stop()
  })
})

describe.concurrent('the end of the process that started servers', { timeout: startTimeout }, () => {
  test.for([
    ['SIGKILL', rows.map(({ kind }) => kind)],
    ['SIGINT', ['redis', 'postgres']],
  ] as const)('by %s is their end, and their folders are gone', async ([signal, kinds], { expect }) => {
    const folder = mkdtempSync(join(tmpdir(), 'sojourn-services-'))
    chmodSync(folder, 0o755) // PostgreSQL's and MariaDB's own user must reach it.
    try {
      const { child, line } = start('holder.ts', kinds, { TMPDIR: folder })
      const urls: string[] = JSON.parse(await line)
      const addresses = urls.flatMap((url) => url.match(/127\.0\.0\.1:\d+/g) ?? [])
      expect(await Promise.all(addresses.map(isOpen))).not.toContain(false)

      child.kill(signal)
      await expect.poll(async () => await Promise.all(addresses.map(isOpen)), { timeout: 10_000 }).not.toContain(true)
      await expect.poll(() => readdirSync(folder).filter((name) => name.startsWith('sojourn-')), { timeout: 10_000 }).toEqual([])
    } finally {
      rmSync(folder, { recursive: true })
    }
  })
})

describe.concurrent('a shared server', { timeout: startTimeout }, () => {
  test.for(['mysql', 'postgres', 'mongodb'] as const)(
    'of the kind %s gives each test file a database of its own',
    async (kind, { expect }) => {
      const { write, read } = rows.find((row) => row.kind === kind)!
      const [mine, other] = [await shared(kind), await shared(kind)]
      expect(mine.url).toContain(mine.name)
      await write(mine.url)
      expect(await read(mine.url)).toBe('kept')
      expect(await read(other.url).catch(() => undefined)).toBe(undefined)
    },
  )

  test.for(['redis', 'redis-cluster'] as const)(
    "of the kind %s gives each test file a name for its keys' beginning",
    async (kind, { expect }) => {
      const [mine, other] = [await shared(kind), await shared(kind)]
      expect(mine.url).toBe(other.url)
      expect(mine.name).not.toBe(other.name)
    },
  )

  test('that the environment names is used, goes on running, and is left as it was found', async ({ expect }) => {
    const [redis, postgres] = await Promise.all([service('redis'), service('postgres')])
    const { line } = start('borrower.ts', [], { REDIS_URL: redis.url, POSTGRES_URL: postgres.url })
    const borrowed: Record<'redis' | 'postgres', { url: string; version: string; name: string }> = JSON.parse(await line)
    expect(borrowed.redis).toMatchObject({ url: redis.url, version: `${redis.version} (REDIS_URL)` })
    expect(borrowed.postgres.url).toBe(postgres.url.replace(/postgres$/, borrowed.postgres.name))
    expect(await withRedis(redis.url, async (client) => await client.dbsize())).toBe(0)
    expect(await askPostgres(postgres.url, "SELECT datname FROM pg_database WHERE datname LIKE 'sojourn%'")).toEqual([])
    await Promise.all([redis.stop(), postgres.stop()])
  })
})

/** Starts one of the programs in `programs/`. `line`: the first line that it prints that is JSON */
function start(program: string, args: readonly string[], env: NodeJS.ProcessEnv) {
  const file = fileURLToPath(new URL(`programs/${program}`, import.meta.url))
  const child = spawn(process.execPath, ['--import', 'tsx', file, ...args], {
    env: { ...process.env, ...env },
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const line = (async () => {
    for await (const line of createInterface({ input: child.stdout })) if (/^[[{]/.test(line)) return line
    throw new Error(`${program} ended without a word.`)
  })()
  return { child, line }
}

async function isOpen(address: string): Promise<boolean> {
  const [host, port] = address.split(':')
  const socket = createConnection(Number(port), host)
  try {
    await once(socket, 'connect')
    return true
  } catch {
    return false
  } finally {
    socket.destroy()
  }
}
