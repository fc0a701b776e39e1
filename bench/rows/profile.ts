import { join } from 'node:path'
import { kinds, type Kind, pathOf } from '../measure/contest.ts'
import { type Database, withDatabase } from '../measure/databases.ts'
import { withFolder } from '../measure/folder.ts'
import { forget, nodeOptions, parts, perfIsMissing, profile, type Profile } from '../measure/perf.ts'
import { Server } from '../measure/server.ts'
import { Visitor } from '../measure/visitor.ts'
import { type Client, load } from '../measure/wrk.ts'
import type { Finding, Row } from '../row.ts'

/** As long as a compiler needs to be through with what a server does again and again. */
const warmUp = 6
const seconds = 6
/** As many as in the rows of databases. */
const sessions = 64

interface Pair {
  readonly name: string
  readonly program: string
  /** What sojourn is compared with. */
  readonly without: string
  readonly database?: Database
  readonly keeps?: string
}

const pairs: readonly Pair[] = [
  { name: 'node:http', program: 'node', without: 'bare' },
  { name: 'Express', program: 'express', without: 'bare' },
  { name: 'Fastify', program: 'fastify', without: 'bare' },
  { name: 'disk on Express', program: 'express', without: 'bare', keeps: 'disk' },
  { name: 'PostgreSQL', program: 'node', without: 'raw', database: 'postgres' },
  { name: 'MariaDB', program: 'node', without: 'raw', database: 'mysql' },
]

export const row: Row = {
  name: 'profile',
  title: 'Where the time of a request goes',
  method:
    'Servers of the rows above again, in memory unless something else is said, each loaded alone while Linux’s `perf` looks 4,999 times a second what its process is ' +
    'at: bare (for a database: with the driver alone, as in its row), and with sojourn. The samples themselves cost time, in both. What sojourn takes is its own ' +
    'JavaScript, and what it has V8, Node, the driver and the kernel do.',
  async run(tell) {
    const missing = await perfIsMissing()
    if (missing !== null) return [{ what: 'all', value: null, unit: 'µs a request', note: missing }]
    const findings: Finding[] = []
    for (const pair of pairs) {
      const work = async (url?: string) => await compare(pair, url, tell)
      findings.push(...(pair.database === undefined ? await work() : await withDatabase(pair.database, tell, work)))
    }
    return findings
  },
}

async function compare(pair: Pair, url: string | undefined, tell: (line: string) => void): Promise<Finding[]> {
  return await withFolder(async (folder) => {
    const without = await profilesOf(pair, pair.without, url, folder, tell)
    const sojourn = await profilesOf(pair, 'sojourn', url, folder, tell)
    return kinds.flatMap((kind) => findingsOf(`${pair.name}, ${kind}`, without[kind], sojourn[kind]))
  })
}

/** µs of each request. */
async function profilesOf(
  { name, program, database, keeps }: Pair,
  library: string,
  url: string | undefined,
  folder: string,
  tell: (line: string) => void,
): Promise<Record<Kind, Profile>> {
  const settings = { library, store: database ?? keeps ?? 'memory', url, folder: join(folder, 'sessions') }
  const server = await Server.start({ program, settings, nodeOptions })
  try {
    const cookies: string[] = []
    for (let i = 0; i < (database === undefined ? 1 : sessions); i++) {
      const visitor = new Visitor(server.origin)
      await visitor.get('/create')
      visitor.leave()
      // As in the first row, the bare server is sent a cookie, too.
      cookies.push(visitor.cookie || `sid=${'x'.repeat(48)}`)
    }
    const client: Client = { cookies, headers: {} }
    const measured = {} as Record<Kind, Profile>
    for (const kind of kinds) {
      tell(`  ${name}, ${library}, ${kind}`)
      const at = server.origin + pathOf[kind]
      await load(at, client, warmUp)
      let requests = 0
      const times = await profile(server.pid, join(folder, `${library}-${kind}`), async () => {
        ;({ requests } = await load(at, client, seconds))
      })
      measured[kind] = Object.fromEntries(parts.map((part) => [part, times[part] / requests])) as Profile
    }
    return measured
  } finally {
    await server.stop()
    forget(server.pid)
  }
}

function findingsOf(name: string, bare: Profile, ours: Profile): Finding[] {
  const sum = (profile: Profile) => parts.reduce((total, part) => total + profile[part], 0)
  const lines = [...parts.map((part) => [part, ours[part], bare[part]] as const), ['all', sum(ours), sum(bare)] as const]
  return lines.map(([part, with_, without]) => ({
    what: `${name}: ${part}`,
    value: with_,
    unit: 'µs a request',
    note: `without ${without.toFixed(1)}; ${with_ >= without ? 'more' : 'less'} by ${Math.abs(with_ - without).toFixed(1)}, of a request without ${Math.round((100 * Math.abs(with_ - without)) / sum(bare))} %`,
  }))
}
