import { Connection } from '../measure/connection.ts'
import { onLoadCore } from '../measure/cores.ts'
import { withDatabase } from '../measure/databases.ts'
import { Server } from '../measure/server.ts'
import { pairedRatio, percentile, spreadOf } from '../measure/statistics.ts'
import { Visitor } from '../measure/visitor.ts'
import type { Finding, Row } from '../row.ts'

const writers = 200
const rounds = 25
/** As many before them, which do not count. */
const warmUp = 40
/** After its round one writer goes on alone, so many times. */
const alone = 100

const bare = 'bare, without a session'

export const row: Row = {
  name: 'many-at-once',
  title: 'One session, 200 writers at once',
  method:
    `${writers} requests of one session at once, over as many connections to one node:http server, ${rounds} times with a new session each, the servers in turns, each turn begun by as many that do not count: each request adds a key of its own to ` +
    `the session after it has waited 10 ms, as for a query. Then the keys that are there are counted. Then one writer goes on alone, ${alone} times, and in each round the p99 of ` +
    "the many is compared with its; medians of the rounds. The client is on the load generator's core, writes the bytes of its requests and does nothing else: node:http's own takes more " +
    'of a processor for 200 requests than a server without sessions, and would measure itself.',
  async run(tell) {
    return await withDatabase('redis', tell, async (url) => {
      const stores = [
        { name: 'memory', settings: { store: 'memory' } },
        { name: 'Redis', settings: { store: 'redis', url } },
      ]
      const ofBoth = stores.flatMap(({ name, settings }) =>
        ['sojourn', 'express-session'].map((library) => ({ name: `${library}, ${name}`, library, settings })),
      )
      const entrants: Entrant[] = []
      try {
        for (const one of [{ name: bare, library: 'bare', settings: {} }, ...ofBoth]) entrants.push(await entrantOf(one))
        await onLoadCore(async () => await inTurns(entrants, tell))
      } finally {
        for (const entrant of entrants) await leave(entrant)
      }
      const without = latency(entrants[0]!, 'what Node itself, the client and the waiting for one another come to')
      return [without, ...entrants.slice(1).flatMap((entrant) => findingsOf(entrant, without.value!))]
    })
  },
}

interface Entrant {
  readonly name: string
  readonly library: string
  readonly server: Server
  readonly connections: readonly Connection[]
  readonly rounds: Round[]
}

interface Round {
  /** How many of the writes are there afterwards. */
  readonly landed: number
  /** How many writes the store was asked for. */
  readonly writes: number
  /** ms that each request took. */
  readonly times: readonly number[]
  readonly timesAlone: readonly number[]
}

async function entrantOf({ name, library, settings }: { name: string; library: string; settings: object }): Promise<Entrant> {
  const server = await Server.start({ program: 'writers', settings: { library, ...settings, counted: true } })
  try {
    const connections = await Promise.all(Array.from({ length: writers }, async () => await Connection.open(server.origin)))
    return { name, library, server, connections, rounds: [] }
  } catch (error) {
    await server.stop()
    throw error
  }
}

async function leave({ server, connections }: Entrant): Promise<void> {
  for (const connection of connections) connection.close()
  await server.stop()
}

async function inTurns(entrants: readonly Entrant[], tell: (line: string) => void): Promise<void> {
  tell('  warming up')
  for (let round = 0; round < warmUp; round++) for (const entrant of entrants) await burst(entrant, 20)
  for (let round = 1; round <= rounds; round++) {
    tell(`  round ${round} of ${rounds}`)
    for (const entrant of entrants) {
      // What others have pushed out of the processor's caches comes back.
      await burst(entrant, 0)
      entrant.rounds.push(await burst(entrant, alone))
    }
  }
}

async function burst({ library, server, connections }: Entrant, repeated: number): Promise<Round> {
  const visitor = new Visitor(server.origin)
  try {
    await visitor.get('/create')
    const { cookie } = visitor
    const hasStore = library !== 'bare'
    const before = hasStore ? await writesOf(server) : 0
    const times = await Promise.all(connections.map(async (connection, key) => await connection.time(`/add/key${key}`, cookie)))
    const writes = hasStore ? (await writesOf(server)) - before : 0
    const landed = hasStore ? Number(await visitor.get('/count')) : 0
    const timesAlone: number[] = []
    for (let key = 0; key < repeated; key++) timesAlone.push(await connections[0]!.time(`/add/alone${key}`, cookie))
    return { landed, writes, times, timesAlone }
  } finally {
    visitor.leave()
  }
}

async function writesOf(server: Server): Promise<number> {
  const counts = (await server.ask('counts')) as { put?: number; set?: number }
  return counts.put ?? counts.set ?? 0
}

/** The p99 of the many beside that of one alone. */
function latency({ name, rounds }: Entrant, note = ''): Finding {
  const together = rounds.map(({ times }) => percentile(times, 99))
  const single = rounds.map(({ timesAlone }) => percentile(timesAlone, 99))
  const { median, least, most } = pairedRatio(together, single)
  const both = `${spreadOf(together).median.toFixed(1)} ms, alone ${spreadOf(single).median.toFixed(1)}`
  return {
    what: `${name}: p99 of a request`,
    value: median,
    unit: '× a single writer',
    spread: [least, most],
    note: note === '' ? both : `${both}: ${note}`,
  }
}

/** @param least the p99 of a server without sessions */
function findingsOf(entrant: Entrant, least: number): Finding[] {
  const { name, rounds } = entrant
  const hasGoals = entrant.library === 'sojourn'
  const there = spreadOf(rounds.map(({ landed }) => landed))
  const asked = spreadOf(rounds.map(({ writes }) => writes))
  return [
    {
      what: `${name}: writes that are there, in the worst round`,
      value: there.least,
      unit: `of ${writers}`,
      spread: [there.least, there.most],
      ...(hasGoals && { goal: { atLeast: writers } }),
    },
    {
      what: `${name}: writes to the store in a round`,
      value: asked.median,
      unit: 'writes',
      spread: [asked.least, asked.most],
      ...(hasGoals && { goal: { atMost: 2 } }),
      ...(hasGoals && { note: 'the first alone; those that come while it is on its way, or find it done, together' }),
    },
    { ...latency(entrant), ...(hasGoals && { goal: { atMost: 3 }, bound: { value: least, of: 'a server without sessions' } }) },
  ]
}
