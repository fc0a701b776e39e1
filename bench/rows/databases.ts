import { contest } from '../measure/contest.ts'
import { type Database, databases, withDatabase } from '../measure/databases.ts'
import { against, boundBy } from '../measure/findings.ts'
import type { Finding, Row } from '../row.ts'

const bare = { name: 'bare Express', program: 'express', library: 'bare', keeps: 'nothing' } as const
const peers = { mysql: 'express-mysql-session', postgres: 'connect-pg-simple', mongodb: 'connect-mongo' } as const

export const row: Row = {
  name: 'databases',
  title: 'MariaDB, PostgreSQL, MongoDB without a near-cache',
  method:
    'Per database: a node:http server that reads one text as long as a session by its key (R), or reads and writes it (W), in prepared statements where the ' +
    'driver has them, without session code; the same with sojourn; then Express 5, bare, with the least of a session written out by hand over that driver, with sojourn, and with the express-session store for the database. ' +
    'One driver and pools of ten connections for all; 64 sessions in turn, servers that do not wait for a disk. The database shares the core of the load generator.',
  async run(tell) {
    const findings: Finding[] = []
    for (const database of Object.keys(peers) as (keyof typeof peers)[])
      findings.push(...(await withDatabase(database, tell, (url) => compare(database, url, tell))))
    return findings
  },
}

async function compare(database: keyof typeof peers & Database, url: string, tell: (line: string) => void): Promise<Finding[]> {
  const { name } = databases[database]
  const settings = { store: database, url }
  const raw = { name: `${name}, raw`, program: 'node', library: 'raw', keeps: 'text' as const, settings }
  const ours = { name: `${name}, sojourn`, program: 'node', library: 'sojourn', settings }
  const byHand = { name: `${name}, by hand on Express`, program: 'express', library: 'by hand, stored', settings }
  const oursOnExpress = { name: `${name}, sojourn on Express`, program: 'express', library: 'sojourn', settings }
  const peer = { name: `${name}, ${peers[database]} on Express`, program: 'express', library: 'express-session', settings }
  const result = await contest({ entrants: [raw, ours, bare, byHand, oursOnExpress, peer], sessions: 64, tell })
  return [
    ...against(result, ours.name, raw.name, '× raw', { R: 0.9, W: 0.9 }),
    ...against(result, oursOnExpress.name, peer.name, `× ${peers[database]}`, { R: 2, W: 2 }, boundBy(byHand.name)),
    ...[byHand, oursOnExpress, peer].flatMap(({ name }) => against(result, name, bare.name, '× bare')),
  ]
}
