import { randomBytes } from 'node:crypto'
import type { SessionRecord } from '../../../src/core/store.ts'
import type { SqlStore } from '../../../src/stores/sql.ts'

export interface Statement {
  readonly sql: string
  readonly values: readonly unknown[]
}

/** One kind of SQL database, for the tests that all share. */
export interface Kit {
  readonly kind: 'mysql' | 'postgres' | 'sqlite'
  /** A name for a table of the test's own. */
  readonly newTable: () => string
  readonly store: (table: string) => SqlStore
  readonly ask: (sql: string) => Promise<readonly Record<string, unknown>[]>
  /** What the stores sent, and what their driver threw. */
  readonly sent: Statement[]
  readonly thrown: Error[]
  /** The tables that a statement reads without an index; none, if it uses one for each. */
  readonly scanned: (statement: Statement) => Promise<readonly string[]>
  /** Rows of two kinds: those with an even number are of users, and `expiresAt` is SQL over the number `n`, from 0 on. */
  readonly fill: (table: string, count: number, expiresAt: string) => Promise<void>
}

export const start = Date.UTC(2100, 0, 1)
export const hour = 3_600_000

export function newRecord(fields: Partial<SessionRecord> = {}): SessionRecord {
  return {
    id: randomBytes(12).toString('base64url'),
    version: 1000,
    userId: null,
    createdAt: start,
    lastSeenAt: start,
    expiresAt: start + hour,
    head: 'head',
    data: '{}',
    ...fields,
  }
}

export function after(record: SessionRecord, fields: Partial<SessionRecord> = {}): SessionRecord {
  return { ...record, version: record.version + 1, ...fields }
}

export async function collect(records: AsyncIterable<SessionRecord>): Promise<SessionRecord[]> {
  const collected: SessionRecord[] = []
  for await (const record of records) collected.push(record)
  return collected
}
