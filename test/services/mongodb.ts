import { mkdirSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { MongoClient } from 'mongodb'
import { built } from './cache.ts'
import { findProgram, runQuietly } from './programs.ts'
import { programOf } from './requirements.ts'
import { startServer, type Server } from './server.ts'
import type { ServiceOptions } from './kinds.ts'

const url = ({ port }: { port: number }) => `mongodb://127.0.0.1:${port}/test`

/** A mongod where there is one, else FerretDB, which keeps its data in SQLite and whose updates are not atomic. */
export async function startMongodb(options: ServiceOptions): Promise<Server> {
  return (await startMongod(options)) ?? (await startFerretdb(options))
}

/** A mongod where there is one, else mongo-java-server, which runs one command after the other and keeps its data in memory. */
export async function startMongodbForRaces(options: ServiceOptions): Promise<Server> {
  return (await startMongod(options)) ?? (await startMongoJavaServer(options))
}

async function startMongod({ args }: ServiceOptions): Promise<Server | null> {
  const mongod = findProgram('mongod')
  if (mongod === null) return null
  return await startServer({
    name: 'mongod',
    command: ({ folder, port }) => [mongod, '--dbpath', folder, '--port', String(port), '--bind_ip', '127.0.0.1', '--quiet', ...args],
    url,
    probe: versionOfMongodb,
  })
}

async function startFerretdb({ args }: ServiceOptions): Promise<Server> {
  const ferretdb = await ferretdbProgram()
  return await startServer({
    name: 'ferretdb',
    prepare: async ({ folder }) => mkdirSync(join(folder, 'data')),
    command: ({ folder, port }) => [ferretdb, `127.0.0.1:${port}`, join(folder, 'data'), ...args],
    url,
    probe: async (url) => `FerretDB ${pinned('ferretdb/go.mod', /FerretDB v(\S+)/)} (${await versionOfMongodb(url)})`,
  })
}

async function startMongoJavaServer({ args }: ServiceOptions): Promise<Server> {
  const classes = await mongoJavaServerClasses()
  const java = join(dirname(await programOf('javac')), 'java')
  const small = ['-Xms32m', '-Xmx512m', '-XX:+UseSerialGC', '-XX:TieredStopAtLevel=1']
  return await startServer({
    name: 'mongo-java-server',
    command: ({ port }) => [
      java,
      ...small,
      '-cp',
      `${join(classes, 'classes')}:${join(classes, 'lib')}/*`,
      'Server',
      String(port),
      ...args,
    ],
    url,
    probe: async (url) =>
      `mongo-java-server ${pinned('mongo-java-server/pom.xml', /<version>(\d+\.\S+)</)} (${await versionOfMongodb(url)})`,
  })
}

/** Builds what is not there yet, so that a start is quick. */
export async function buildMongodb(): Promise<void> {
  if (findProgram('mongod') === null) await ferretdbProgram()
}

export async function buildMongodbForRaces(): Promise<void> {
  if (findProgram('mongod') === null) await mongoJavaServerClasses()
}

async function ferretdbProgram(): Promise<string> {
  const folder = new URL('ferretdb/', import.meta.url)
  const sources = ['go.mod', 'go.sum', 'main.go'].map((name) => new URL(name, folder))
  return await built('ferretdb', sources, 'Building FerretDB, once, in about four minutes (go build) …', async (path) => {
    const go = await programOf('go')
    // Without debugging symbols, and without C, whose compiler may be absent.
    const options = { cwd: folder, env: { ...process.env, CGO_ENABLED: '0' } }
    await runQuietly(go, ['build', '-trimpath', '-ldflags=-s -w', '-o', path, '.'], options)
  })
}

async function mongoJavaServerClasses(): Promise<string> {
  const folder = new URL('mongo-java-server/', import.meta.url)
  const sources = ['pom.xml', 'src/main/java/Server.java'].map((name) => new URL(name, folder))
  return await built('mongo-java-server', sources, 'Fetching mongo-java-server, once (mvn compile) …', async (path) => {
    await programOf('javac')
    const maven = await programOf('mvn')
    await runQuietly(maven, ['-q', '-B', 'compile', `-Dfolder=${path}`], { cwd: folder })
  })
}

/** A version that the servers' programs name, since the servers don't tell their own. */
function pinned(file: string, version: RegExp): string {
  return version.exec(readFileSync(new URL(file, import.meta.url), 'utf8'))?.[1] ?? 'unknown'
}

export async function versionOfMongodb(url: string): Promise<string> {
  return await withMongodb(url, async (client) => {
    const info = await client.db('admin').command({ buildInfo: 1 })
    return `MongoDB ${info['version']}`
  })
}

export async function withMongodb<T>(url: string, work: (client: MongoClient) => Promise<T>): Promise<T> {
  const client = new MongoClient(url, { serverSelectionTimeoutMS: 1000, connectTimeoutMS: 2000 })
  try {
    return await work(client)
  } finally {
    await client.close()
  }
}
