import { contest } from '../measure/contest.ts'
import { type Database, databases, withDatabase } from '../measure/databases.ts'
import { against } from '../measure/findings.ts'
import type { Finding, Row } from '../row.ts'

const bare = { name: 'bare node:http', program: 'node', library: 'bare', keeps: 'nothing' } as const

export const row: Row = {
  name: 'near-cache',
  title: 'Redis, MariaDB, PostgreSQL, MongoDB with a near-cache',
  method:
    'Per database: a node:http server that reads one text as long as a session by its key (R), or reads and writes it (W), without session code; ' +
    'and sojourn on `tiered({ memory, next })` over the same database; and a bare one, which is what a near-cache that costs nothing would come to for R. One driver for both, 64 sessions in turn. The database shares the core of the load generator.',
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
  const ours = { name: `${name}, sojourn`, program: 'node', library: 'sojourn', settings: { ...settings, near: true } }
  return against(
    await contest({ entrants: [bare, raw, ours], sessions: 64, tell }),
    ours.name,
    raw.name,
    '× raw',
    { R: 2, W: 1 },
    { R: bare.name },
  )
}
