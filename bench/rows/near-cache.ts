import { contest } from '../measure/contest.ts'
import { type Database, databases, withDatabase } from '../measure/databases.ts'
import { against, boundBy } from '../measure/findings.ts'
import type { Finding, Row } from '../row.ts'

export const row: Row = {
  name: 'near-cache',
  title: 'Redis, MariaDB, PostgreSQL, MongoDB with a near-cache',
  method:
    'Per database: a node:http server that reads one text as long as a session by its key (R), or reads and writes it (W), without session code; ' +
    'and sojourn on `tiered({ memory, next })` over the same database; and the least of such a session written out by hand, read in memory (R), and set in the database before it is answered (W). One driver for all, 64 sessions in turn. The database shares the core of the load generator.',
  async run(tell) {
    const findings: Finding[] = []
    for (const database of Object.keys(databases) as Database[])
      findings.push(...(await withDatabase(database, tell, (url) => compare(database, url, tell))))
    return findings
  },
}

async function compare(database: Database, url: string, tell: (line: string) => void): Promise<Finding[]> {
  const { name } = databases[database]
  const settings = { store: database, url }
  const raw = { name: `${name}, raw`, program: 'node', library: 'raw', keeps: 'text' as const, settings }
  const byHand = { name: `${name}, by hand`, program: 'node', library: 'by hand, near', settings }
  const ours = { name: `${name}, sojourn`, program: 'node', library: 'sojourn', settings: { ...settings, near: true } }
  const result = await contest({ entrants: [raw, byHand, ours], sessions: 64, tell })
  return [
    ...against(result, ours.name, raw.name, '× raw', { R: 2, W: 1 }, boundBy(byHand.name)),
    ...against(result, byHand.name, raw.name, '× raw'),
  ]
}
