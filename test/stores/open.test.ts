import { execFile } from 'node:child_process'
import { cpSync, existsSync, statSync, writeFileSync } from 'node:fs'
import { once } from 'node:events'
import { createServer, type AddressInfo } from 'node:net'
import { join } from 'node:path'
import { inspect, promisify } from 'node:util'
import { beforeAll, describe, expect, test, vi } from 'vitest'
import { buildIfNeeded, root } from '../../scripts/setup.mjs'
import { openStore } from '../../src/stores/open.ts'
import { service, shared, startTimeout } from '../services/service.ts'
import { newFolder, newRecord } from './disk-folder.ts'

const redis = await shared('redis')
const cluster = await shared('redis-cluster')
const mysql = await shared('mysql')
const postgres = await shared('postgres')
const mongo = await shared('mongodb')

beforeAll(buildIfNeeded)

const withQuery = (url: string, query: string) => `${url}${url.includes('?') ? '&' : '?'}${query}`

test('memory: is a store in memory', async () => {
  const store = await openStore('memory:')
  expect(store.name).toBe('memory')
  await store.close()
})

test('disk: and a path is a store in that folder', async () => {
  const folder = join(newFolder(), 'a folder with ?&#%20 in it')
  const store = await openStore(`disk:${folder}`)
  expect(store.name).toBe(`disk:${folder}`)
  const record = newRecord()
  await store.put(record, 0)
  await store.close()
  expect(existsSync(join(folder, 'data.mdb'))).toBe(true)
  const again = await openStore(`DISK:${folder}`)
  expect(await again.get(record.id)).toEqual(record)
  await again.close()
})

test('sqlite: and a path is a store in that file, in a folder for its owner alone', async () => {
  const folder = join(newFolder(), 'a folder with ?&#%20 in it')
  const store = await openStore(`sqlite:${folder}/sessions.db`)
  expect(store.name).toBe('sqlite:sojourn_sessions')
  const record = newRecord()
  await store.put(record, 0)
  await store.close()
  expect(statSync(folder).mode & 0o077).toBe(0)
  const again = await openStore(`sqlite:${folder}/sessions.db`)
  expect(await again.get(record.id)).toEqual(record)
  await again.close()
})

describe.each([
  ['redis:', withQuery(redis.url, `prefix=${redis.name}:`), `redis:${redis.name}:`],
  ['redis+cluster:', withQuery(cluster.url, `prefix=${cluster.name}%3A`), `redis:${cluster.name}:`],
  ['mysql:', mysql.url, 'mysql:sojourn_sessions'],
  ['mariadb:', withQuery(mysql.url.replace('mysql:', 'MariaDB:'), 'table=other&connectionLimit=3'), 'mysql:other'],
  ['postgres:', postgres.url, 'postgres:sojourn_sessions'],
  ['postgresql:', withQuery(postgres.url.replace('postgres:', 'postgresql:'), 'table=other&schema=public'), 'postgres:public.other'],
  ['mongodb:', mongo.url, 'mongodb:sojourn_sessions'],
  ['mongodb: with options', withQuery(mongo.url, 'appName=shop&collection=other'), 'mongodb:other'],
])('%s is a store on that server', (_, url, name) => {
  test('made ready, also by several at once, found again, and closed with what it opened', async () => {
    const stores = await Promise.all([1, 2, 3, 4].map(async () => await openStore(url)))
    const [one, other] = stores as [(typeof stores)[0], (typeof stores)[0]]
    expect(one.name).toBe(name)
    const record = newRecord()
    expect(await one.put(record, 0)).toBe(true)
    expect(await other.get(record.id)).toEqual(record)
    expect(await other.delete(record.id)).toBe(true)
    for (const store of stores) await store.close()
    await expect((async () => await one.get(record.id))()).rejects.toMatchObject({ code: 'ERR_SOJOURN_CLOSED' })
  })
})

test('no connection is left after close, which a process that ends by itself shows', { timeout: 60_000 }, async () => {
  const urls = [redis, cluster, mysql, postgres, mongo].map(({ url }) => url)
  const program = `import { openStore } from ${JSON.stringify(join(root, 'dist/stores/open.js'))}
for (const url of ${JSON.stringify([...urls, `sqlite:${newFolder()}/a.db`])}) {
  const store = await openStore(url)
  await store.get('0123456789abcdef')
  await store.close()
}`
  const run = promisify(execFile)(process.execPath, ['--input-type=module', '--eval', program], { timeout: 30_000 })
  await expect(run).resolves.toMatchObject({ stdout: '', stderr: '' })
})

test.each(['redis', 'mysql', 'postgres'] as const)(
  'what is open goes on when its server is back: %s',
  { timeout: startTimeout },
  async (kind) => {
    const server = await service(kind)
    const store = await openStore(server.url)
    const record = newRecord()
    await store.put(record, 0)
    await server.kill()
    const began = performance.now()
    await expect((async () => await store.get(record.id))()).rejects.toMatchObject({ code: 'ERR_SOJOURN_STORE' })
    expect(performance.now() - began).toBeLessThan(2000)
    await server.restart()
    await vi.waitFor(async () => expect(await store.get(record.id)).toEqual(record), { timeout: 20_000, interval: 100 })
    await store.close()
    await server.stop()
  },
)

describe('a server that can not be used', () => {
  const forms = (address: string) => [
    `redis://ada:s3cr3t@${address}/0`,
    `redis+cluster://ada:s3cr3t@${address}`,
    `mysql://ada:s3cr3t@${address}/shop`,
    `postgres://ada:s3cr3t@${address}/shop`,
    `mongodb://ada:s3cr3t@${address}/shop`,
  ]

  test.each(forms('127.0.0.1:1'))('is told at once if it is not there, without the password: %s', async (url) => {
    const error: unknown = await openStore(url).catch((thrown: unknown) => thrown)
    expect(error).toMatchObject({ code: 'ERR_SOJOURN_STORE', status: 503 })
    expect(inspect(error, { depth: 20, showHidden: true })).not.toContain('s3cr3t')
  })

  test('is told after a while if it says nothing', { timeout: 60_000 }, async () => {
    const server = createServer(() => {}).listen(0, '127.0.0.1')
    await new Promise((listening) => server.once('listening', listening))
    const { port } = server.address() as AddressInfo
    await Promise.all(
      forms(`127.0.0.1:${port}`).map(async (url) => {
        const error: unknown = await openStore(url).catch((thrown: unknown) => thrown)
        expect(error, url).toMatchObject({ code: 'ERR_SOJOURN_STORE' })
        expect(inspect(error, { depth: 20, showHidden: true }), url).not.toContain('s3cr3t')
      }),
    )
    server.close()
  })

  test('a file that is no database, or in no folder, is told', async () => {
    const file = join(newFolder(), 'file')
    writeFileSync(file, 'no database, but a text that is long enough to be looked at as if it were one')
    await expect(openStore(`sqlite:${file}`)).rejects.toMatchObject({ code: expect.stringMatching(/^ERR_SOJOURN_STORE/) as string })
    await expect(openStore(`sqlite:${file}/a.db`)).rejects.toMatchObject({ code: 'ERR_SOJOURN_STORE' })
  })
})

describe('an IPv6 address is a host', () => {
  test(
    'of Redis',
    async () => {
      const server = await service('redis', { isDurable: false, args: ['--bind', '127.0.0.1', '::1'] })
      const store = await openStore(`${server.url.replace('127.0.0.1', '[::1]')}/2?prefix=six:`)
      const record = newRecord()
      expect(await store.put(record, 0)).toBe(true)
      expect(await store.get(record.id)).toEqual(record)
      await store.close()
      await server.stop()
    },
    startTimeout,
  )

  test.each(['redis://[::1]:1', 'redis+cluster://[::1]:1', 'mysql://[::1]:1/shop', 'postgres://[::1]:1/shop', 'mongodb://[::1]:1/shop'])(
    '%s is asked, and not there',
    async (url) => {
      const error: unknown = await openStore(url).catch((thrown: unknown) => thrown)
      expect(error).toMatchObject({ code: 'ERR_SOJOURN_STORE' })
      expect(inspect(error, { depth: 20 })).not.toContain('ENOTFOUND')
    },
  )
})

test('a socket of PostgreSQL’s, and a time limit of MySQL’s, are said in the URL as their drivers have it', async () => {
  const { hostname, port, pathname, username } = new URL(postgres.url)
  const store = await openStore(`postgres://${username}@${pathname}?host=${hostname}&port=${port}`)
  expect(await store.get('x')).toBeNull()
  await store.close()
  const silent = createServer(() => {}).listen(0, '127.0.0.1')
  await once(silent, 'listening')
  const began = performance.now()
  const url = `mysql://ada@127.0.0.1:${(silent.address() as AddressInfo).port}/shop?connectTimeout=300`
  await expect(openStore(url)).rejects.toMatchObject({ code: 'ERR_SOJOURN_STORE' })
  expect(performance.now() - began).toBeLessThan(1900)
  silent.close()
})

test.each([
  'redis://ada:s3cr3t@host/0?db=2',
  'redis+cluster://ada:s3cr3t@host?db=2',
  'postgres://ada:s3cr3t@host/x%',
  'redis://ada:s3cr3t@host:port/0',
  'redis://ada:s3cr3t@host/zero',
  'redis+cluster://ada:s3cr3t@host:port,host:6379',
  'redis+cluster://',
  'redis://ada:s3cr3t@host/?prefix=%E0%A4%A',
  'mysql://ada:s3cr3t@host:port/shop',
  'mariadb:ada:s3cr3t@',
  'postgres://ada:s3cr3t@host:port/shop',
  'postgres://ada:s3cr3t@host/shop?table=drop table',
  'mongodb://ada:s3cr3t@/shop',
  'mongodb://ada:s3cr3t@host/shop?noSuchOption=s3cr3t',
  'mongodb://ada:s3c@r3t@host/shop',
  'sqlite:',
])('a URL that can not be read is refused, and none of it is told: %s', async (url) => {
  const error: unknown = await openStore(url).catch((thrown: unknown) => thrown)
  expect(error).toMatchObject({ name: 'SojournError', code: 'ERR_SOJOURN_OPTION' })
  expect(inspect(error, { depth: 20, showHidden: true })).not.toMatch(/s3cr3t|ada:/)
})

test.each([
  ['redis://host', 'redis'],
  ['rediss+cluster://host', 'redis'],
  ['mysql://host', 'mysql2'],
  ['postgres://host', 'pg'],
  ['mongodb+srv://host', 'mongodb'],
  ['sqlite:./a.db', 'better-sqlite3@12'],
])('a driver that is not installed is asked for by name: %s', async (url, name) => {
  const folder = newFolder()
  cpSync(join(root, 'dist'), join(folder, 'dist'), { recursive: true })
  writeFileSync(join(folder, 'package.json'), '{ "type": "module" }')
  const program = `process.getBuiltinModule = () => undefined
const { openStore } = await import('./dist/stores/open.js')
const { code, message } = await openStore(${JSON.stringify(url)}).catch((error) => error)
console.log(code, message)`
  const { stdout } = await promisify(execFile)(process.execPath, ['--input-type=module', '--eval', program], { cwd: folder })
  expect(stdout).toMatch(/^ERR_SOJOURN_OPTION /)
  expect(stdout.trim().endsWith(`npm install ${name}`), stdout).toBe(true)
})

test.each([
  '',
  'disk',
  './.data/sessions',
  '//ada:secret@host/',
  'floppy:a',
  'reddis://ada:secret@host:6379/0',
  'disk:',
  'memory:secret',
  '\n:x',
])('a URL of no known store is refused: %j', async (url) => {
  await expect(openStore(url)).rejects.toMatchObject({ name: 'SojournError', code: 'ERR_SOJOURN_OPTION' })
  await expect(openStore(url)).rejects.not.toMatchObject({ message: expect.stringMatching(/secret|ada:/) as string })
})

test('an unknown scheme is named, and so are the known ones', async () => {
  await expect(openStore('reddis://ada:secret@host')).rejects.toThrow(/'reddis:'.*memory:.*disk:.*redis:.*mongodb\+srv:/)
})

test('an object’s own words are no schemes', async () => {
  for (const url of ['constructor:', '__proto__:x', 'toString:x'])
    await expect(openStore(url)).rejects.toMatchObject({ code: 'ERR_SOJOURN_OPTION' })
})
