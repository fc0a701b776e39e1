import { setTimeout } from 'node:timers/promises'
import { SojournError } from '../core/errors.ts'
import type { Maybe } from '../core/store.ts'
import { scriptOf, type SqlStore, sqlStore } from './sql.ts'
import type { Answer, Columns, Dialect, FoundColumn, Trouble, Value } from './sql/dialect.ts'
import { formatNote } from './sql/format.ts'
import { checkName } from './sql/names.ts'

export interface SqliteOptions {
  /**
   * The table's name: letters, digits and `_`, at most 48.
   *
   * @default 'sojourn_sessions'
   */
  readonly table?: string
}

/** The part that is used of better-sqlite3's `Database`, and of `DatabaseSync` of `node:sqlite`. */
export interface SqliteDatabase {
  prepare(sql: string): SqliteStatement
  exec(sql: string): unknown
  /** Whether a transaction is open, as better-sqlite3 tells it. */
  readonly inTransaction?: boolean
  /** The same of `node:sqlite`. */
  readonly isTransaction?: boolean
}

export interface SqliteStatement {
  all(...values: (string | number | null)[]): unknown[]
  run(...values: (string | number | null)[]): { readonly changes: number | bigint }
}

/**
 * Keeps sessions in a table of SQLite (3.38 and later), which any number of processes of one machine can share. Hand in a
 * connection that nothing else uses: `sqlite(new Database('sessions.db'))` with better-sqlite3 12 or later, or
 * `sqlite(new DatabaseSync('sessions.db'))` with `node:sqlite`. Verbs answer at once.
 *
 * Nothing is created before `createSchema()` is called, which also sets the file to write-ahead logging.
 *
 * @param close closes the connection, if it was made for the store alone. Internal.
 * @throws SojournError `ERR_SOJOURN_OPTION` for a table's name that is none. The first use throws `ERR_SOJOURN_STORE_FORMAT`
 *   where the table is missing or another.
 */
export function sqlite(db: SqliteDatabase, { table = 'sojourn_sessions' }: SqliteOptions = {}, close?: () => Maybe<unknown>): SqlStore {
  return sqlStore(new Sqlite(db, checkName('table', table), close))
}

/** The table and its indexes as SQL, for those who run their migrations themselves. */
export function schema({ table = 'sojourn_sessions' }: SqliteOptions = {}): string {
  return scriptOf([writeAhead, ...schemaOf(checkName('table', table))])
}

const writeAhead = 'PRAGMA journal_mode = WAL'

const columns: Columns = {
  id: 'text',
  version: 'integer',
  user_id: 'text',
  created_at: 'integer',
  last_seen_at: 'integer',
  expires_at: 'integer',
  head: 'text',
  data: 'text',
}

function schemaOf(table: string): string[] {
  return [
    `CREATE TABLE IF NOT EXISTS "${table}" ( -- ${formatNote}
  id TEXT NOT NULL PRIMARY KEY,
  version INTEGER NOT NULL,
  user_id TEXT,
  created_at INTEGER NOT NULL,
  last_seen_at INTEGER NOT NULL,
  expires_at INTEGER NOT NULL,
  head TEXT NOT NULL,
  data TEXT NOT NULL
)`,
    `CREATE INDEX IF NOT EXISTS "${table}_user" ON "${table}" (user_id, created_at, id) WHERE user_id IS NOT NULL`,
    `CREATE INDEX IF NOT EXISTS "${table}_expiry" ON "${table}" (expires_at, id)`,
  ]
}

// How long a write waits for another process's, if the connection has no limit of its own. It holds up the whole process.
const patience = 2000

class Sqlite implements Dialect {
  readonly name: string
  readonly table: string
  readonly columns = columns
  readonly #schema: readonly string[]
  readonly touch: string

  readonly #db: SqliteDatabase
  readonly #tableName: string
  readonly #end: (() => Maybe<unknown>) | undefined
  readonly #statements = new Map<string, (values: readonly Value[]) => Answer>()

  constructor(db: SqliteDatabase, table: string, end: (() => Maybe<unknown>) | undefined) {
    this.name = `sqlite:${table}`
    this.table = `"${table}"`
    this.#schema = schemaOf(table)
    const fields = ['id', 'version', 'last_seen_at', 'expires_at'].map((field) => `json_extract(value, '$.${field}') AS ${field}`)
    this.touch = `UPDATE ${this.table} AS kept SET last_seen_at = touch.last_seen_at, expires_at = touch.expires_at
FROM (SELECT ${fields.join(', ')} FROM json_each(?)) AS touch
WHERE kept.id = touch.id AND kept.version = touch.version
  AND kept.expires_at > touch.last_seen_at AND kept.expires_at < touch.expires_at`
    this.#db = db
    this.#tableName = table
    this.#end = end
  }

  parameter(): string {
    return '?'
  }

  encode(text: string): string {
    return text
  }

  longest(): number {
    return 10 ** 9
  }

  query(statement: string, values: readonly Value[]): Answer {
    if (this.#isInTransaction()) {
      throw new SojournError(
        'ERR_SOJOURN_STORE',
        `A transaction is open on the connection of ${this.name}, and what is written in it may yet be rolled back. Hand in a connection that nothing else uses.`,
      )
    }
    let ask = this.#statements.get(statement)
    if (ask === undefined) this.#statements.set(statement, (ask = this.#prepare(statement)))
    return ask(values)
  }

  sweep(now: number, limit: number): Answer {
    const due = `SELECT id FROM ${this.table} WHERE expires_at <= ? ORDER BY expires_at, id LIMIT ?`
    const removal = `DELETE FROM ${this.table} WHERE id IN (${due}) RETURNING id, user_id, head, expires_at`
    return this.query(removal, [now, Math.trunc(limit)])
  }

  inspect(): readonly FoundColumn[] {
    const [setting] = this.#db.prepare('PRAGMA busy_timeout').all() as Record<string, unknown>[]
    if (Number(setting?.['timeout']) === 0) this.#db.exec(`PRAGMA busy_timeout = ${patience}`)
    const { rows } = this.query(
      `SELECT c.name, c.type, m.sql AS note, EXISTS (
  SELECT 1 FROM pragma_index_list(m.name) AS l JOIN pragma_index_xinfo(l.name) AS i WHERE i.seqno = 0 AND i.name = c.name AND i.coll = 'BINARY'
) AS indexed FROM sqlite_master AS m JOIN pragma_table_info(m.name) AS c WHERE m.type = 'table' AND lower(m.name) = lower(?)`,
      [this.#tableName],
    )
    return rows.map(([name, type, note, indexed]) => ({
      name: String(name),
      type: String(type),
      indexed: Number(indexed) === 1,
      note: String(note),
    }))
  }

  async create(): Promise<void> {
    await this.#setWriteAhead()
    try {
      this.#db.exec(['BEGIN IMMEDIATE', ...this.#schema, 'COMMIT'].join(';\n'))
    } catch (error) {
      // Left open, it would lock the file for everybody.
      if (this.#isInTransaction()) this.#db.exec('ROLLBACK')
      throw error
    }
  }

  /**
   * Processes that find a new file at the same moment all hold a shared lock on it and want the exclusive one: SQLite refuses each
   * at once, whatever its time limit, for their waiting would never end. So they give up the lock that they have, and try again.
   */
  async #setWriteAhead(): Promise<void> {
    const statement = this.#db.prepare(writeAhead)
    for (const end = performance.now() + patience; ;) {
      try {
        statement.all()
        return
      } catch (error) {
        if (this.troubleOf(error) !== 'busy' || performance.now() > end) throw error
      }
      await setTimeout(1 + Math.random() * 10)
    }
  }

  troubleOf(error: unknown): Trouble {
    if (!(error instanceof Error)) return 'other'
    const { code = '', errcode } = error as SqliteError
    // better-sqlite3 tells the result's name, node:sqlite its number.
    if (code === 'SQLITE_CONSTRAINT_PRIMARYKEY' || errcode === 1555) return 'taken'
    const name = /^SQLITE_([A-Z]+)/.exec(code)?.[1] ?? resultCodes.get((errcode ?? 0) & 0xff)
    if (name === 'ERROR') return /^no such (?:table|column)/.test(error.message) ? 'schema' : 'other'
    return troubles[name ?? ''] ?? 'other'
  }

  close(): Maybe<unknown> {
    this.#statements.clear()
    return this.#end?.()
  }

  #isInTransaction(): boolean {
    return this.#db.inTransaction === true || this.#db.isTransaction === true
  }

  #prepare(statement: string): (values: readonly Value[]) => Answer {
    const prepared = this.#db.prepare(statement)
    if (/^SELECT|\bRETURNING\b/.test(statement)) {
      return (values) => ({
        rows: prepared.all(...(values as (string | number | null)[])).map((row) => Object.values(row as object)),
        changes: 0,
      })
    }
    return (values) => ({ rows: [], changes: Number(prepared.run(...(values as (string | number | null)[])).changes) })
  }
}

interface SqliteError extends Error {
  readonly code?: string
  readonly errcode?: number
}

const resultCodes = new Map([
  [1, 'ERROR'],
  [5, 'BUSY'],
  [6, 'LOCKED'],
  [8, 'READONLY'],
  [13, 'FULL'],
  [18, 'TOOBIG'],
])

const troubles: Readonly<Record<string, Trouble>> = {
  BUSY: 'busy',
  LOCKED: 'busy',
  READONLY: 'read-only',
  FULL: 'full',
  TOOBIG: 'full',
}
