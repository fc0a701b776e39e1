import { join } from 'node:path'
import { kinds, type Kind, pathOf } from '../measure/contest.ts'
import { type Database, withDatabase } from '../measure/databases.ts'
import { withFolder } from '../measure/folder.ts'
import { forget, nodeOptions, owners, parts, perfIsMissing, profile, type Owner, type Profile } from '../measure/perf.ts'
import { Server } from '../measure/server.ts'
import { Visitor } from '../measure/visitor.ts'
import { type Client, load } from '../measure/wrk.ts'
import type { Finding, Row } from '../row.ts'

/** As long as a compiler needs to be through with what a server does again and again. */
const warmUp = 4
const seconds = 4
/** As many as in the rows of databases. */
const sessions = 64

interface Pair {
  readonly name: string
  readonly program: string
  /** What sojourn is compared with. */
  readonly without: string
  readonly database?: Database
  readonly keeps?: string
  /** Settings of sojourn alone. */
  readonly ours?: Readonly<Record<string, unknown>>
}

const pairs: readonly Pair[] = [
  { name: 'node:http', program: 'node', without: 'bare' },
  { name: 'Express', program: 'express', without: 'bare' },
  { name: 'Fastify', program: 'fastify', without: 'bare' },
  { name: 'disk on Express', program: 'express', without: 'by hand, stored', keeps: 'disk' },
  { name: 'sealed on Express', program: 'express', without: 'bare', ours: { library: 'sealed' } },
  { name: 'Redis with a near-cache', program: 'node', without: 'by hand, near', database: 'redis', ours: { near: true } },
  { name: 'PostgreSQL with a near-cache', program: 'node', without: 'by hand, near', database: 'postgres', ours: { near: true } },
  { name: 'PostgreSQL on Express', program: 'express', without: 'by hand, stored', database: 'postgres' },
]

export const row: Row = {
  name: 'profile',
  title: 'Where the time of a request goes',
  method:
    'Servers of the rows above again, in memory unless something else is said, each loaded alone while Linux’s `perf` looks 4,999 times a second what its process is ' +
    'at: bare (for a database: with the driver alone, or by hand, as in its row), and with sojourn. The samples themselves cost time, in both. Each counts for ' +
    'whose JavaScript runs, or called what V8, Node or the kernel is at; what V8 has inlined counts for its caller. What it takes ' +
    'the kernel to wake whoever waits for what was written (the load generator, a database) is told apart: the longer they waited, the more.',
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
    const without = await profilesOf(pair, { library: pair.without }, url, folder, tell)
    const sojourn = await profilesOf(pair, { library: 'sojourn', ...pair.ours }, url, folder, tell)
    return kinds.flatMap((kind) => findingsOf(`${pair.name}, ${kind}`, without[kind], sojourn[kind]))
  })
}

/** µs of each request. */
async function profilesOf(
  { name, program, database, keeps }: Pair,
  own: Readonly<{ library: string } & Record<string, unknown>>,
  url: string | undefined,
  folder: string,
  tell: (line: string) => void,
): Promise<Record<Kind, Profile>> {
  const { library } = own
  const settings = { ...own, store: database ?? keeps ?? 'memory', url, folder: join(folder, library) }
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
      measured[kind] = scaled(times, 1 / requests)
    }
    return measured
  } finally {
    await server.stop()
    forget(server.pid)
  }
}

function scaled(profile: Profile, factor: number): Profile {
  const of = (owner: Owner) => Object.fromEntries(parts.map((part) => [part, profile[owner][part] * factor]))
  return Object.fromEntries(owners.map((owner) => [owner, of(owner)])) as unknown as Profile
}

function findingsOf(name: string, bare: Profile, ours: Profile): Finding[] {
  const sum = (all: Profile[Owner]) => parts.reduce((total, part) => total + all[part], 0)
  const whole = (profile: Profile) => owners.reduce((total, owner) => total + sum(profile[owner]), 0)
  const finding = (what: string, value: number, without: number, split: string): Finding => ({
    what: `${name}: ${what}`,
    value,
    unit: 'µs a request',
    note: `without ${without.toFixed(1)}; ${value >= without ? 'more' : 'less'} by ${Math.abs(value - without).toFixed(1)}${split}`,
  })
  const splitOf = (all: Profile[Owner]) => `; all of it: ${parts.map((part) => `${part} ${all[part].toFixed(1)}`).join(', ')}`
  return [
    ...owners
      .filter((owner) => sum(ours[owner]) >= 0.5 || sum(bare[owner]) >= 0.5)
      .map((owner) => finding(`for ${owner}`, sum(ours[owner]), sum(bare[owner]), splitOf(ours[owner]))),
    finding(
      'all',
      whole(ours),
      whole(bare),
      `, ${Math.round((100 * Math.abs(whole(ours) - whole(bare))) / whole(bare))} % of a request without`,
    ),
  ]
}
