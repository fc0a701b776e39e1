import { SojournError } from '../core/errors.ts'
import type { CallOptions, Maybe } from '../core/store.ts'
import { scriptOf, type SqlStore, sqlStore } from './sql.ts'
import { type Connect, lend } from './sql/connection.ts'
import type { Answer, Columns, Dialect, FoundColumn, Row, Trouble, Value } from './sql/dialect.ts'
import { networkCodes } from './sql/failure.ts'
import { formatNote } from './sql/format.ts'
import { checkName } from './sql/names.ts'

export interface MysqlOptions {
  /**
   * The table's name: letters, digits and `_`, at most 48.
   *
   * @default 'sojourn_sessions'
   */
  readonly table?: string
}

/** The part that is used of a pool of `mysql2/promise`: the one by callbacks that it has in it. */
export interface MysqlPool {
  readonly pool: { getConnection(done: (error: Error | null, connection: MysqlConnection) => void): void }
}

export interface MysqlConnection {
  /** The options that it has from its pool. */
  readonly config?: { readonly nestTables?: unknown; readonly typeCast?: unknown }
  query(query: string | MysqlQuery, done: (error: Error | null, result: unknown) => void): unknown
  execute(
    query: string | MysqlQuery,
    values: (string | number | Buffer | null)[],
    done: (error: Error | null, result: unknown) => void,
  ): unknown
  release(): void
  destroy(): void
}

export interface MysqlQuery {
  readonly sql: string
  readonly rowsAsArray: boolean
  readonly nestTables: boolean
  readonly typeCast: (field: unknown, next: () => unknown) => unknown
}

/**
 * Keeps sessions in a table of MySQL (8.0 and later) or MariaDB (10.6 and later). Hand in a pool: `mysql(createPool(url))` with
 * `createPool` of `mysql2/promise`.
 *
 * Nothing is created before `createSchema()` is called.
 *
 * @param close ends the pool, if it was made for the store alone. Internal.
 * @throws SojournError `ERR_SOJOURN_OPTION` for a table's name that is none, or another kind of pool. The first use rejects with
 *   `ERR_SOJOURN_STORE_FORMAT` where the table is missing or another. `put` rejects with `ERR_SOJOURN_STORE_FULL` for a record
 *   that the server takes for too long.
 */
export function mysql(pool: MysqlPool, { table = 'sojourn_sessions' }: MysqlOptions = {}, close?: () => Maybe<unknown>): SqlStore {
  if (typeof (pool as Partial<MysqlPool> | null)?.pool?.getConnection !== 'function')
    throw new SojournError('ERR_SOJOURN_OPTION', 'mysql() was handed no pool of mysql2/promise: hand in what its createPool() gives.')
  return sqlStore(new Mysql(pool, checkName('table', table), close))
}

/** The table as SQL, for those who run their migrations themselves. */
export function schema({ table = 'sojourn_sessions' }: MysqlOptions = {}): string {
  return scriptOf(schemaOf(checkName('table', table)))
}

const columns: Columns = {
  id: 'char(16) ascii_bin',
  version: 'bigint',
  user_id: 'varbinary(1024)',
  created_at: 'bigint',
  last_seen_at: 'bigint',
  expires_at: 'bigint',
  head: 'mediumtext ascii_bin',
  data: 'longblob',
}

// Users and data are bytes: no collation takes two users for one, and no character set of a connection changes a text.
function schemaOf(table: string): string[] {
  return [
    `CREATE TABLE IF NOT EXISTS \`${table}\` (
  id CHAR(16) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  version BIGINT NOT NULL,
  user_id VARBINARY(1024) NULL,
  created_at BIGINT NOT NULL,
  last_seen_at BIGINT NOT NULL,
  expires_at BIGINT NOT NULL,
  head MEDIUMTEXT CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  data LONGBLOB NOT NULL,
  PRIMARY KEY (id),
  KEY ${table}_user (user_id, created_at, id),
  KEY ${table}_expiry (expires_at, id)
) ENGINE = InnoDB ROW_FORMAT = DYNAMIC COMMENT = '${formatNote}'`,
  ]
}

/** A list that is one parameter, as a table: a batch of any size is one prepared statement. */
const listed = (name: string, ...fields: string[]) =>
  `JSON_TABLE(?, '$[*]' COLUMNS (id VARCHAR(16) PATH '$.id'${fields.map((field) => `, ${field} BIGINT PATH '$.${field}'`).join('')})) AS ${name}`

// From the list to the table, not the other way round, so that rows are locked in the list's order.
const joined = (name: string, table: string) =>
  `STRAIGHT_JOIN ${table} AS kept FORCE INDEX (PRIMARY) ON kept.id = CONVERT(${name}.id USING ascii) COLLATE ascii_bin`

class Mysql implements Dialect {
  readonly name: string
  readonly table: string
  readonly columns = columns
  readonly #schema: readonly string[]
  readonly touch: string
  readonly clock = `SELECT TIMESTAMPDIFF(MICROSECOND, '1970-01-01', UTC_TIMESTAMP(6)) DIV 1000 AS now`

  readonly #pool: MysqlPool
  readonly #tableName: string
  readonly #end: (() => Maybe<unknown>) | undefined
  readonly #sweeping: { readonly lock: string; readonly remove: string }
  #longest = Infinity

  constructor(pool: MysqlPool, table: string, end: (() => Maybe<unknown>) | undefined) {
    this.name = `mysql:${table}`
    this.table = `\`${table}\``
    this.#schema = schemaOf(table)
    this.touch = `UPDATE ${listed('touch', 'version', 'last_seen_at', 'expires_at')} ${joined('touch', this.table)}
SET kept.last_seen_at = touch.last_seen_at, kept.expires_at = touch.expires_at
WHERE kept.version = touch.version AND kept.expires_at > touch.last_seen_at AND kept.expires_at < touch.expires_at`
    this.#sweeping = {
      lock: `SELECT kept.id, kept.user_id, kept.head, kept.expires_at FROM ${listed('due')} ${joined('due', this.table)}
WHERE kept.expires_at <= ? FOR UPDATE SKIP LOCKED`,
      remove: `DELETE kept FROM ${listed('due')} ${joined('due', this.table)}`,
    }
    this.#pool = pool
    this.#tableName = table
    this.#end = end
  }

  parameter(): string {
    return '?'
  }

  /** Of a few lengths, the last text again and again: each length is a statement that every connection prepares. */
  among(texts: readonly string[]): [string, readonly Value[]] {
    const length = 2 ** Math.ceil(Math.log2(texts.length))
    const all = Array.from({ length }, (_, index) => texts[index] ?? texts.at(-1)!)
    return [`IN (${all.map(() => '?').join(', ')})`, all]
  }

  encode(text: string): Uint8Array {
    return Buffer.from(text)
  }

  longest(): number {
    return this.#longest
  }

  query(statement: string, values: readonly Value[], call?: CallOptions): Promise<Answer> {
    return lend(this.#connect, isSound, call, async (connection) => {
      const answer: MysqlAnswer = await connection.query(statement, values)
      if (answer.isInTransaction === true) throw this.#leftOpen()
      return answer
    })
  }

  /** Somebody began a transaction on a connection and gave it back to the pool: what is written there may never be committed. */
  #leftOpen(): SojournError {
    return new SojournError(
      'ERR_SOJOURN_STORE',
      `The pool of ${this.name} lent a connection on which a transaction was open, and what is written in it may never be committed. The connection was closed, and nothing written: look who gives connections back without COMMIT or ROLLBACK.`,
    )
  }

  /**
   * The candidates are read without a lock, then locked by their primary keys alone and looked at again: under REPEATABLE
   * READ, which is the default, a locking search of the expiry index would lock the gaps that others insert into. What
   * somebody else has locked is skipped, so it waits for nobody.
   */
  sweep(now: number, limit: number, call?: CallOptions): Promise<Answer> {
    const search = `SELECT id FROM ${this.table} WHERE expires_at <= ? ORDER BY expires_at, id LIMIT ${Math.trunc(limit)}`
    return lend(this.#connect, isSoundInTransaction, call, async (connection) => {
      const due = await connection.query(search, [now])
      if (due.rows.length === 0) return due
      await connection.query('START TRANSACTION', [])
      const locked = await connection.query(this.#sweeping.lock, [listOf(due.rows), now])
      if (locked.rows.length > 0) await connection.query(this.#sweeping.remove, [listOf(locked.rows)])
      // Whatever `completion_type` says: the next verb on this connection is on its own again.
      await connection.query('COMMIT AND NO CHAIN NO RELEASE', [])
      return { ...locked, found: due.rows.length }
    })
  }

  async inspect(call?: CallOptions): Promise<readonly FoundColumn[]> {
    const settings = await this.query('SELECT @@autocommit AS autocommit, @@max_allowed_packet AS packet', [], call)
    const [autocommit, packet] = settings.rows[0]!
    if (Number(autocommit) !== 1) {
      throw new SojournError(
        'ERR_SOJOURN_OPTION',
        `The connections of ${this.name} have autocommit off, so that no write would ever be seen. Hand in a pool that leaves it on.`,
      )
    }
    // Room for the parameters that are not data.
    this.#longest = Number(packet) - 4096
    const { rows } = await this.query(
      `SELECT c.COLUMN_NAME AS name, c.COLUMN_TYPE AS type, c.COLLATION_NAME AS collation, c.COLUMN_KEY AS keyed, t.TABLE_COMMENT AS note
FROM information_schema.COLUMNS c JOIN information_schema.TABLES t ON t.TABLE_SCHEMA = c.TABLE_SCHEMA AND t.TABLE_NAME = c.TABLE_NAME
WHERE c.TABLE_SCHEMA = DATABASE() AND c.TABLE_NAME = ?`,
      [this.#tableName],
      call,
    )
    return rows.map(([name, type, collation, keyed, note]) => ({
      name: String(name),
      // MariaDB tells a display width, which changes nothing.
      type: `${String(type).replace(/^bigint\(\d+\)/, 'bigint')}${collation === null ? '' : ` ${collation as string}`}`,
      indexed: keyed !== '',
      note: String(note),
    }))
  }

  async create(): Promise<void> {
    for (const statement of this.#schema) await this.query(statement, [])
  }

  troubleOf(error: unknown): Trouble {
    if (!(error instanceof Error)) return 'other'
    const { errno, code, fatal } = error as MysqlError
    // An index of the application's own may have been met instead.
    if (errno === duplicateEntry) return /\bPRIMARY'?$/.test(error.message) ? 'taken' : 'other'
    const trouble = troubles.get(errno)
    if (trouble !== undefined) return trouble
    return fatal === true || networkCodes.has(code) || unreachable.test(error.message) ? 'lost' : 'other'
  }

  close(): Maybe<unknown> {
    return this.#end?.()
  }

  readonly #connect: Connect = (done) => {
    this.#pool.pool.getConnection((error, connection) => {
      if (error !== null && error !== undefined) return done(error)
      done(null, {
        query: (sql, values) => ask(connection, sql, values),
        release: (broken) => (broken ? connection.destroy() : connection.release()),
      })
    })
  }
}

interface MysqlError extends Error {
  readonly errno?: number
  readonly code?: string
  readonly sqlState?: string
  readonly fatal?: boolean
}

interface MysqlAnswer extends Answer {
  /** As the server told it with a write. */
  readonly isInTransaction?: boolean
}

const inTransaction = 1

/** How rows are asked for, whatever the pool's own options are. Of `typeCast` the driver takes the pool's own before all but a function. */
const asRows = { rowsAsArray: true, nestTables: false, typeCast: (_: unknown, next: () => unknown) => next() } as const

/**
 * Whether the pool's own options leave the values of a row as the driver reads them by default, in an array or an object. Then a statement
 * needs no options of its own, which the driver spreads over others: that costs 6 µs there, and 20 more elsewhere, for V8 has no room
 * left for the shapes of other objects.
 */
function isPlain({ config }: MysqlConnection): boolean {
  return config !== undefined && !config.nestTables && config.typeCast === true
}

/** By a callback: the connections of `mysql2/promise` are made anew each time that one is lent. */
function ask(connection: MysqlConnection, sql: string, values: readonly Value[]): Promise<MysqlAnswer> {
  return new Promise((resolve, reject) => {
    const done = (error: Error | null, result: unknown): void => {
      if (error !== null && error !== undefined) reject(error)
      else resolve(answerOf(result))
    }
    // No other statement answers rows.
    const query = sql.startsWith('SELECT') && !isPlain(connection) ? { sql, ...asRows } : sql
    if (values.length === 0) connection.query(query, done)
    else connection.execute(query, values as (string | number | Buffer | null)[], done)
  })
}

function answerOf(result: unknown): MysqlAnswer {
  if (Array.isArray(result))
    return { rows: result.map((row: object) => (Array.isArray(row) ? row : Object.values(row)) as Row), changes: 0 }
  const { affectedRows, serverStatus } = result as { readonly affectedRows: number; readonly serverStatus?: number }
  return { rows: [], changes: affectedRows, isInTransaction: ((serverStatus ?? 0) & inTransaction) !== 0 }
}

/** The IDs that the rows begin with. */
function listOf(rows: readonly Row[]): string {
  return JSON.stringify(rows.map(([id]) => ({ id: String(id) })).sort((one, other) => (one.id < other.id ? -1 : 1)))
}

const unreachable = /connection (?:lost|is in closed state)|closed state|pool is closed|no connections available|queue limit reached/i

const duplicateEntry = 1062

const troubles: ReadonlyMap<unknown, Trouble> = new Map<number, Trouble>([
  // A deadlock; a row that changed after the transaction's snapshot (MariaDB 11.6.2 and later); a cluster's certification.
  ...([1213, 1020, 3101].map((errno) => [errno, 'conflict']) as [number, Trouble][]),
  [1205, 'busy'],
  // Too many connections, shutting down, connection killed or timed out, and the network's errors as the server tells them.
  ...([1040, 1053, 1203, 1152, 1158, 1159, 1160, 1161, 1927, 4031].map((errno) => [errno, 'lost']) as [number, Trouble][]),
  // The disk, the tablespace, a table's own limit, memory; 1153: a packet that is too large.
  ...([1021, 1037, 1038, 1041, 1114, 1153, 3019].map((errno) => [errno, 'full']) as [number, Trouble][]),
  ...([1054, 1146].map((errno) => [errno, 'schema']) as [number, Trouble][]),
  ...([1290, 1792, 1836].map((errno) => [errno, 'read-only']) as [number, Trouble][]),
  ...([1044, 1045, 1142, 1143, 1227].map((errno) => [errno, 'denied']) as [number, Trouble][]),
])

/** What the server itself answers leaves the connection as it was; one that takes no writes may have been the primary before. */
function isSound(error: unknown): boolean {
  const { sqlState, fatal, errno } = error as MysqlError
  return sqlState !== undefined && fatal !== true && troubles.get(errno) !== 'read-only' && troubles.get(errno) !== 'lost'
}

/** An open transaction ends with its connection. */
function isSoundInTransaction(): boolean {
  return false
}
