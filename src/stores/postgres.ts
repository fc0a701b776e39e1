import { createHash, randomBytes } from 'node:crypto'
import { keepOpen, type OpenLine } from '../core/channel.ts'
import { SojournError } from '../core/errors.ts'
import type { CallOptions, ChangeListener, Maybe } from '../core/store.ts'
import { Announcer } from './postgres/announcer.ts'
import { scriptOf, type SqlStore, sqlStore } from './sql.ts'
import { type Connect, lend } from './sql/connection.ts'
import type { Answer, Columns, Dialect, FoundColumn, Trouble, Value } from './sql/dialect.ts'
import { networkCodes } from './sql/failure.ts'
import { formatNote } from './sql/format.ts'
import { checkName } from './sql/names.ts'

export interface PostgresOptions {
  /**
   * The table's name: letters, digits and `_`, at most 48.
   *
   * @default 'sojourn_sessions'
   */
  readonly table?: string
  /**
   * The schema that the table is in; it must be there.
   *
   * @default the first one of the connection's search path
   */
  readonly schema?: string
  /**
   * Whether writes are told of (NOTIFY), for other processes that keep sessions in memory (`tiered`). A store that is itself behind `tiered`
   * tells by itself; this is for those beside it that are not.
   *
   * @default false
   */
  readonly notify?: boolean
}

/** The part that is used of a pool of `pg`. */
export interface PostgresPool {
  readonly options?: { readonly max?: number | undefined }
  connect(done: (error: Error | undefined, client: PostgresClient | undefined) => void): void
  on(event: 'error', listener: (error: Error) => void): unknown
  off(event: 'error', listener: (error: Error) => void): unknown
}

export interface PostgresClient {
  /** 'I' outside a transaction, 'T' within one, 'E' within one that failed. Newer versions of pg tell it. */
  getTransactionStatus?(): string | null
  readonly binary?: boolean
  query(query: PostgresQuery, done: (error: Error | null, result: PostgresResult | PostgresResult[]) => void): void
  on(event: 'error', listener: (error: Error) => void): unknown
  on(event: 'end', listener: () => void): unknown
  on(event: 'notification', listener: (message: PostgresNotification) => void): unknown
  off(event: 'error', listener: (error: Error) => void): unknown
  release(broken?: boolean): void
}

export interface PostgresNotification {
  readonly channel: string
  readonly payload?: string | undefined
}

export interface PostgresQuery {
  readonly text: string
  readonly name?: string | undefined
  readonly values?: readonly Value[] | undefined
  readonly rowMode: 'array'
  readonly types: { getTypeParser(oid: number): (value: never) => unknown }
}

export interface PostgresResult {
  readonly rows: unknown[][]
  readonly rowCount: number | null
}

/**
 * Keeps sessions in a table of PostgreSQL (12 and later). Hand in a pool of `pg`: `postgres(new Pool({ connectionString }))`.
 *
 * Nothing is created before `createSchema()` is called.
 *
 * @param close ends the pool, if it was made for the store alone. Internal.
 * @throws SojournError `ERR_SOJOURN_OPTION` for a name that is none. The first use rejects with `ERR_SOJOURN_STORE_FORMAT` where
 *   the table is missing or another.
 */
export function postgres(pool: PostgresPool, options: PostgresOptions = {}, close?: () => Maybe<unknown>): SqlStore {
  return sqlStore(new Postgres(pool, namesOf(options), options.notify === true, close))
}

/** The table and its indexes as SQL, for those who run their migrations themselves. */
export function schema(options: PostgresOptions = {}): string {
  return scriptOf(schemaOf(namesOf(options)))
}

interface Names {
  readonly table: string
  readonly schema: string | undefined
}

function namesOf({ table = 'sojourn_sessions', schema }: PostgresOptions): Names {
  return { table: checkName('table', table), schema: schema === undefined ? undefined : checkName('schema', schema) }
}

const quoted = ({ table, schema }: Names) => (schema === undefined ? `"${table}"` : `"${schema}"."${table}"`)

const columns: Columns = {
  id: 'text',
  version: 'bigint',
  user_id: 'bytea',
  created_at: 'bigint',
  last_seen_at: 'bigint',
  expires_at: 'bigint',
  head: 'text',
  data: 'bytea',
}

// Users and data are bytes, since a text can't hold every character, nor a database of every encoding.
function schemaOf(names: Names): string[] {
  const { table } = names
  return [
    `CREATE TABLE IF NOT EXISTS ${quoted(names)} (
  id text COLLATE "C" PRIMARY KEY,
  version bigint NOT NULL,
  user_id bytea,
  created_at bigint NOT NULL,
  last_seen_at bigint NOT NULL,
  expires_at bigint NOT NULL,
  head text NOT NULL,
  data bytea NOT NULL
)`,
    `CREATE INDEX IF NOT EXISTS "${table}_user" ON ${quoted(names)} (user_id, created_at, id) WHERE user_id IS NOT NULL`,
    `CREATE INDEX IF NOT EXISTS "${table}_expiry" ON ${quoted(names)} (expires_at, id)`,
    `COMMENT ON TABLE ${quoted(names)} IS '${formatNote}'`,
  ]
}

class Postgres implements Dialect {
  readonly name: string
  readonly table: string
  readonly columns = columns
  readonly #schema: readonly string[]
  readonly touch: string
  readonly clock = `SELECT floor(extract(epoch FROM clock_timestamp()) * 1000)::bigint AS now`

  readonly watchChanges?: (listener: ChangeListener) => () => void

  readonly #pool: PostgresPool
  readonly #end: (() => Maybe<unknown>) | undefined
  readonly #prepared = new Map<string, PostgresQuery>()
  readonly #channel: string
  readonly #announcer: Announcer
  #tells: boolean

  constructor(pool: PostgresPool, names: Names, tells: boolean, end: (() => Maybe<unknown>) | undefined) {
    this.name = `postgres:${names.schema === undefined ? '' : `${names.schema}.`}${names.table}`
    this.table = quoted(names)
    this.#schema = schemaOf(names)
    const lands = 'kept.version = touch.version AND kept.expires_at > touch.last_seen_at AND kept.expires_at < touch.expires_at'
    // The rows are locked before they are updated, because an UPDATE takes them in any order: two batches could each wait for
    // the other.
    this.touch = `WITH touch AS MATERIALIZED (
  SELECT touch.* FROM json_to_recordset($1::json) AS touch (id text, version bigint, last_seen_at bigint, expires_at bigint)
  JOIN ${this.table} AS kept ON kept.id = touch.id AND ${lands}
  ORDER BY kept.id FOR NO KEY UPDATE OF kept
)
UPDATE ${this.table} AS kept SET last_seen_at = touch.last_seen_at, expires_at = touch.expires_at
FROM touch WHERE kept.id = touch.id AND ${lands}`
    this.#pool = pool
    this.#end = end
    this.#tells = tells
    // Whether or not the schema is named: IDs of another's table are no one's here.
    this.#channel = `sojourn:${names.table}`
    // News need not survive a crash of the server, which ends all who would hear of them.
    const announce = `SELECT set_config('synchronous_commit', 'off', true), pg_notify($1, $2)`
    this.#announcer = new Announcer(randomBytes(6).toString('base64url'), (payload) => this.query(announce, [this.#channel, payload]))
    // Of a pool of one connection none can be spared.
    if (pool.options?.max !== 1) this.watchChanges = (listener) => this.#watch(listener)
    hear(pool)
  }

  changed(id: string): void {
    if (this.#tells) this.#announcer.tell(id)
  }

  #watch(listener: ChangeListener): () => void {
    this.#tells = true
    return keepOpen(this.#listen(listener), listener)
  }

  #listen(listener: ChangeListener): OpenLine {
    return async (broken, givenUp) => {
      const client = await new Promise<PostgresClient>((resolve, reject) =>
        this.#client((error, lent) => (lent === undefined ? reject(error!) : resolve(lent))),
      )
      client.on('error', broken)
      client.on('end', broken)
      client.on('notification', ({ channel, payload = '' }) => {
        if (channel === this.#channel) for (const id of this.#announcer.heard(payload)) listener.changed(id)
      })
      let isClosed = false
      const close = (): void => {
        if (!isClosed) client.release(true)
        isClosed = true
      }
      givenUp.addEventListener('abort', close)
      try {
        givenUp.throwIfAborted()
        await ask(client, queryOf(`LISTEN "${this.#channel}"`))
      } catch (error) {
        close()
        throw error
      }
      return { ping: () => ask(client, queryOf('SELECT 1')), close }
    }
  }

  parameter(index: number): string {
    return `$${index}`
  }

  among(ids: readonly string[]): [string, readonly Value[]] {
    return ['= ANY ($1)', [ids]]
  }

  encode(text: string): Uint8Array {
    return Buffer.from(text)
  }

  longest(): number {
    // A value of PostgreSQL's is 1 GB at most, and a message of the protocol too.
    return 2 ** 30 - 2 ** 20
  }

  query(statement: string, values: readonly Value[], call?: CallOptions): Promise<Answer> {
    return lend(this.#connect, isSound, call, (connection) => connection.query(statement, values))
  }

  /** By a list of IDs, for which the planner always takes the primary key: of a join's size it would have to guess. */
  sweep(now: number, limit: number, call?: CallOptions): Promise<Answer> {
    const statement = `WITH due AS MATERIALIZED (
  SELECT id FROM ${this.table} WHERE expires_at <= $1 ORDER BY expires_at, id LIMIT ${Math.trunc(limit)} FOR UPDATE SKIP LOCKED
)
DELETE FROM ${this.table} WHERE id = ANY (ARRAY(SELECT id FROM due)) AND expires_at <= $1
RETURNING id, user_id, head, expires_at`
    return this.query(statement, [now], call)
  }

  async inspect(call?: CallOptions): Promise<readonly FoundColumn[]> {
    const { rows } = await this.query(
      `SELECT a.attname AS name, format_type(a.atttypid, a.atttypmod) AS type, obj_description(a.attrelid, 'pg_class') AS note,
  EXISTS (SELECT FROM pg_index i WHERE i.indrelid = a.attrelid AND i.indkey[0] = a.attnum AND i.indisvalid)::int AS indexed
FROM pg_attribute a WHERE a.attrelid = to_regclass($1) AND a.attnum > 0 AND NOT a.attisdropped`,
      [this.table],
      call,
    )
    return rows.map(([name, type, note, indexed]) => ({
      name: String(name),
      type: String(type),
      indexed: Number(indexed) === 1,
      note: typeof note === 'string' ? note : '',
    }))
  }

  /** In one transaction, one process after the other: IF NOT EXISTS alone fails when two create the same at once. */
  async create(): Promise<void> {
    await this.query([`SELECT pg_advisory_xact_lock(hashtext('sojourn'))`, ...this.#schema].join('; '), [])
  }

  troubleOf(error: unknown): Trouble {
    if (!(error instanceof Error)) return 'other'
    const { code, severity, detail } = error as PostgresError
    // What the server itself told has a severity.
    if (severity === undefined) return networkCodes.has(code) || unreachable.test(error.message) ? 'lost' : 'other'
    // An index of the application's own may have been met instead.
    if (code === uniqueViolation) return /\(id\)=/.test(detail ?? '') ? 'taken' : 'other'
    return troubles.find(([codes]) => codes.test(code ?? ''))?.[1] ?? 'other'
  }

  async close(): Promise<void> {
    await this.#announcer.settled()
    await this.#end?.()
    unhear(this.#pool)
  }

  readonly #connect: Connect = (done) => {
    this.#client((error, client) => {
      if (client === undefined) return done(error ?? null)
      if (client.binary === true) {
        client.release()
        return done(
          new SojournError(
            'ERR_SOJOURN_OPTION',
            `The pool of ${this.name} has the option binary, with which pg reads numbers and bytes wrong. Hand in a pool without it.`,
          ),
        )
      }
      client.on('error', ignore)
      done(null, {
        query: (text, values) => (values.length === 0 ? ask(client, queryOf(text)) : ask(client, this.#prepare(text), values)),
        release: (broken) => {
          client.off('error', ignore)
          client.release(broken)
        },
      })
    })
  }

  /** One that is in no transaction: somebody may have given it back without COMMIT or ROLLBACK, and what is written there may never be committed. */
  #client(done: (error: Error | undefined, client: PostgresClient | undefined) => void): void {
    this.#pool.connect((error, client) => {
      if (client === undefined || !/[TE]/.test(client.getTransactionStatus?.() ?? '')) return done(error, client)
      client.release(true)
      this.#client(done)
    })
  }

  /** Prepared statements have names, by which two stores on one pool must not take each other's. */
  #prepare(text: string): PostgresQuery {
    let query = this.#prepared.get(text)
    if (query === undefined) {
      query = queryOf(text, `sojourn_${createHash('sha256').update(text).digest('base64url').slice(0, 16)}`)
      this.#prepared.set(text, query)
    }
    return query
  }
}

/** In arrays: for a row as an object pg makes a new shape with each answer. */
function queryOf(text: string, name?: string): PostgresQuery {
  return { text, name, rowMode: 'array', types }
}

/** By a callback: pg's promises would be two more for each statement. */
function ask(client: PostgresClient, query: PostgresQuery, values?: readonly Value[]): Promise<Answer> {
  return new Promise((resolve, reject) => {
    // pg copies what is an object's own, one descriptor after the other: what all queries of a text have in common is inherited.
    const own: { values?: readonly Value[] } & PostgresQuery = Object.create(query)
    if (values !== undefined) own.values = values
    client.query(own, (error, result) => {
      if (error !== null && error !== undefined) return reject(error)
      const { rows, rowCount } = Array.isArray(result) ? result.at(-1)! : result
      resolve({ rows, changes: rowCount ?? 0 })
    })
  })
}

/** Whatever parsers the application has set. */
const types: PostgresQuery['types'] = { getTypeParser: (oid) => (oid === bytea ? bytesOf : String) }

const bytea = 17

/** A `bytea` as text: in hexadecimal, or in the old way (`bytea_output = escape`). */
function bytesOf(text: string): Buffer {
  if (text.startsWith('\\x')) return Buffer.from(text.slice(2), 'hex')
  const unescaped = text.replace(
    /\\(?:(\\)|(\d{3}))/g,
    (_, slash: string | undefined, octal: string) => slash ?? String.fromCharCode(Number.parseInt(octal, 8)),
  )
  return Buffer.from(unescaped, 'latin1')
}

function ignore(): void {}

const stores = new WeakMap<PostgresPool, number>()

// A pool tells of each idle connection that breaks by an event that ends the process if nobody listens.
function hear(pool: PostgresPool): void {
  const count = stores.get(pool) ?? 0
  if (count === 0) pool.on('error', ignore)
  stores.set(pool, count + 1)
}

function unhear(pool: PostgresPool): void {
  const count = stores.get(pool) ?? 1
  if (count === 1) pool.off('error', ignore)
  stores.set(pool, count - 1)
}

interface PostgresError extends Error {
  readonly code?: string
  readonly severity?: string
  readonly detail?: string
}

const uniqueViolation = '23505'

const unreachable =
  /connection terminated|connection ended|not queryable|connection error|timeout exceeded|timeout expired|after calling end|client was closed/i

/** By SQLSTATE. */
const troubles: readonly (readonly [RegExp, Trouble])[] = [
  // Rolled back for another's sake; and a transaction that somebody left open had failed already: neither did anything.
  [/^(?:40001|40P01|25P02)$/, 'conflict'],
  // No connection, server shutting down or starting, too many connections.
  [/^(?:08...|57P0.|53300)$/, 'lost'],
  [/^(?:53100|53200|53000|54000)$/, 'full'],
  [/^(?:42P01|42703|3F000)$/, 'schema'],
  [/^25006$/, 'read-only'],
  [/^(?:42501|28...)$/, 'denied'],
  // Lock not available, statement cancelled by a time limit.
  [/^(?:55P03|57014)$/, 'busy'],
]

/** What the server itself answers leaves the connection as it was; one that takes no writes may have been the primary before. */
function isSound(error: unknown): boolean {
  const { code = '', severity } = error as PostgresError
  return severity === 'ERROR' && code !== '25006' && code !== '25P02'
}
