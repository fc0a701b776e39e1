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

export { after, collect, hour, newRecord, start } from '../../../src/testing/store-cases/rule.ts'
