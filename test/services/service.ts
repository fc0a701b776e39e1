import { request } from 'node:http'
import { text } from 'node:stream/consumers'
import { brokerVariable } from './broker-variable.ts'
import { prepare, start, type Kind, type ServerOf, type ServiceOptions } from './kinds.ts'
import type { SharedService } from './shares.ts'

export type { Kind, ServiceOptions } from './kinds.ts'
export type { RedisCluster } from './redis-cluster.ts'
export type { Server } from './server.ts'
export type { SharedService } from './shares.ts'

/** For a hook or a test that starts a server: the first run on a machine installs and builds, which can take minutes. */
export const startTimeout = 15 * 60_000

/**
 * A database of its own on the run's server of this kind, which is the one that the environment names (`REDIS_URL`,
 * `REDIS_CLUSTER_URL`, `MYSQL_URL`, `POSTGRES_URL`, `MONGODB_URL`), or else is started when the first test file asks. It is
 * gone after the run. Not to be killed or paused: `service` is for that.
 */
export async function shared(kind: Kind): Promise<SharedService> {
  if (process.env[brokerVariable] === undefined) throw new Error('`shared` is for tests that vitest runs: use `service`.')
  const part = (await ask('shared', kind)) as SharedService
  await ranOn(kind, part.version)
  return part
}

/**
 * Starts a private server, to be killed, paused and restarted at will. It ends with this process, however that ends, if it is
 * not stopped before.
 */
export async function service<K extends Kind>(kind: K, options: Partial<ServiceOptions> = {}): Promise<ServerOf<K>> {
  // Test files run in several processes at once: the broker lets one after the other install and build.
  if (process.env[brokerVariable] === undefined) await prepare(kind)
  else await ask('prepare', kind)
  const server = await start(kind, options)
  await ranOn(kind, server.version)
  return server
}

/** Adds a line to the matrix that is printed after the tests; `shared` and `service` do so by themselves. */
export async function ranOn(name: string, version: string): Promise<void> {
  if (process.env[brokerVariable] !== undefined) await ask('ran', name, version)
}

/** What every store has to pass. */
export type Suite = 'contract' | 'model' | 'two managers' | 'shop' | 'outage'

/** Notes in the matrix that a suite ran over a store. */
export async function suiteRan(suite: Suite, store: string): Promise<void> {
  if (process.env[brokerVariable] !== undefined) await ask('suite', store, suite)
}

async function ask(...path: string[]): Promise<unknown> {
  const address = `${process.env[brokerVariable]}/${path.map(encodeURIComponent).join('/')}`
  // Not by fetch, which gives up after five minutes.
  return await new Promise((resolve, reject) => {
    const sent = request(address, { method: 'POST', agent: false }, (response) => {
      text(response).then((body) => {
        if (response.statusCode === 200) resolve(JSON.parse(body))
        else reject(new Error(body))
      }, reject)
    })
    sent.on('error', reject)
    sent.end()
  })
}
