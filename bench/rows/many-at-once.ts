import { Connection } from '../measure/connection.ts'
import { withDatabase } from '../measure/databases.ts'
import { Server } from '../measure/server.ts'
import { percentile, spreadOf } from '../measure/statistics.ts'
import { Visitor } from '../measure/visitor.ts'
import type { Finding, Row } from '../row.ts'

const writers = 200
const rounds = 20
const warmUp = 40
/** After each round one writer goes on alone, so many times. */
const alone = 20

export const row: Row = {
  name: 'many-at-once',
  title: 'One session, 200 writers at once',
  method:
    `${writers} requests of one session at once, over as many connections to one node:http server, ${rounds} times with a new session each: each adds a key of its own to ` +
    'the session after it has waited 10 ms, as for a query. Then the keys that are there are counted. Then one writer goes on alone, 20 times, and with its times those of the many are compared. ' +
    "The client writes the bytes of its requests and does nothing else: node:http's own takes more of a processor for 200 requests than a server without sessions, and would measure itself.",
  async run(tell) {
    return await withDatabase('redis', tell, async (url) => {
      tell('  bare')
      const bare = await bursts('bare', {})
      const without = latency('bare, without a session', bare, 'what Node itself, the client and the waiting for one another come to')
      const findings: Finding[] = [without]
      for (const settings of [{ store: 'memory' }, { store: 'redis', url }]) {
        const on = settings.store === 'redis' ? 'Redis' : 'memory'
        for (const library of ['sojourn', 'express-session']) {
          tell(`  ${library}, ${on}`)
          findings.push(...findingsOf(`${library}, ${on}`, await bursts(library, settings), library === 'sojourn' ? without.value : null))
        }
      }
      return findings
    })
  },
}

interface Bursts {
  /** For each round: how many of the writes are there afterwards. */
  readonly landed: readonly number[]
  /** For each round: how many writes the store was asked for. */
  readonly writes: readonly number[]
  /** ms that each request took. */
  readonly times: readonly number[]
  readonly timesAlone: readonly number[]
}

async function bursts(library: string, settings: Record<string, unknown>): Promise<Bursts> {
  const server = await Server.start({ program: 'writers', settings: { library, ...settings, counted: true } })
  const connections = await Promise.all(Array.from({ length: writers }, async () => await Connection.open(server.origin)))
  try {
    const all = { landed: [] as number[], writes: [] as number[], times: [] as number[], timesAlone: [] as number[] }
    // The first rounds warm up the server; they do not count.
    for (let round = -warmUp; round < rounds; round++) {
      const visitor = new Visitor(server.origin)
      await visitor.get('/create')
      const { cookie } = visitor
      const before = library === 'bare' ? 0 : await writesOf(server)
      const times = await Promise.all(connections.map(async (connection, key) => await connection.time(`/add/key${key}`, cookie)))
      if (round >= 0) {
        if (library !== 'bare') {
          all.writes.push((await writesOf(server)) - before)
          all.landed.push(Number(await visitor.get('/count')))
        }
        all.times.push(...times)
        for (let key = 0; key < alone; key++) all.timesAlone.push(await connections[0]!.time(`/add/alone${key}`, cookie))
      }
      visitor.leave()
    }
    return all
  } finally {
    for (const connection of connections) connection.close()
    await server.stop()
  }
}

async function writesOf(server: Server): Promise<number> {
  const counts = (await server.ask('counts')) as { put?: number; set?: number }
  return counts.put ?? counts.set ?? 0
}

/** Their p99 beside that of one alone. */
function latency(name: string, { times, timesAlone }: Bursts, note = ''): Finding {
  const [single, together] = [percentile(timesAlone, 99), percentile(times, 99)]
  const both = `${together.toFixed(1)} ms, alone ${single.toFixed(1)}`
  return {
    what: `${name}: p99 of a request`,
    value: together / single,
    unit: '× a single writer',
    note: note === '' ? both : `${both}: ${note}`,
  }
}

/** @param least the p99 of a server without sessions, where there are goals */
function findingsOf(name: string, all: Bursts, least: number | null): Finding[] {
  const hasGoals = least !== null
  const { landed, writes } = all
  const there = spreadOf(landed)
  const asked = spreadOf(writes)
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
    { ...latency(name, all), ...(hasGoals && { goal: { atMost: 3 }, bound: { value: least, of: 'a server without sessions' } }) },
  ]
}
