import { randomBytes } from 'node:crypto'
import { sharing } from './databases.ts'
import { prepare, start, variables, type Kind } from './kinds.ts'
import type { Server } from './server.ts'

/** A part of a server that all test files of a run share. */
export interface SharedService {
  /** Of a database of its own, where the server has databases. */
  readonly url: string
  /** The product and its version, as the server itself tells it. */
  readonly version: string
  /** The database's name; in Redis, the beginning of all keys of this test file, to be followed by a colon. */
  readonly name: string
}

interface Shared {
  readonly url: string
  readonly version: string
  /** Absent if the environment names the server. */
  readonly server?: Server
}

const running = new Map<Kind, Promise<Shared>>()
/** What is to be dropped from servers that stay. */
const leftOver: (() => Promise<void>)[] = []

export async function share(kind: Kind): Promise<SharedService> {
  let starting = running.get(kind)
  if (starting === undefined) running.set(kind, (starting = startShared(kind)))
  const { url, version, server } = await starting
  const { create, drop, url: urlOf } = sharing[kind]
  const name = `sojourn_test_${randomBytes(5).toString('hex')}`
  await create(url, name)
  if (server === undefined) leftOver.push(async () => await drop(url, name))
  return { url: urlOf(url, name), version, name }
}

/** Whoever shares a server does not kill it: it need not be durable, and a Redis Cluster must not fail over under load. */
async function startShared(kind: Kind): Promise<Shared> {
  for (const variable of variables[kind]) {
    const url = process.env[variable]
    if (url) return { url, version: `${await sharing[kind].version(url)} (${variable})` }
  }
  await prepare(kind)
  const server = await start(kind, { isDurable: false, nodeTimeout: 10_000 })
  return { url: server.url, version: server.version, server }
}

/** Ends the servers that were started, and cleans those that stay. @returns what failed */
export async function endShares(): Promise<unknown[]> {
  const outcomes = await Promise.allSettled([...leftOver.map(async (drop) => await drop()), ...Array.from(running.values(), stop)])
  return outcomes.flatMap((outcome) => (outcome.status === 'rejected' ? [outcome.reason] : []))
}

async function stop(starting: Promise<Shared>): Promise<void> {
  // That a server did not start has been told to the tests that asked for it.
  const shared = await starting.catch(() => null)
  await shared?.server?.stop()
}
