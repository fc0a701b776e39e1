import { setTimeout } from 'node:timers/promises'
import { SojournError } from '../core/errors.ts'
import { run, type Routine, wait } from '../core/routine.ts'
import type { CallOptions, ChangeListener, Maybe, Removed, SessionRecord, Store, Swept, Touch } from '../core/store.ts'
import { BatchedReads } from './batched-reads.ts'
import type { Answer, Columns, Dialect, Row, Value } from './sql/dialect.ts'
import { failure } from './sql/failure.ts'
import { checkFormat } from './sql/format.ts'
import { objectionTo } from './sql/names.ts'

/** A store in a table of a database. */
export interface SqlStore extends Store {
  /** Creates the table and its indexes where they are not there: only then it needs the right to create. */
  createSchema(): Promise<void>
  /**
   * Looks whether the table is there and is as it should be, which the first verb does otherwise.
   *
   * @throws SojournError (as a rejection) `ERR_SOJOURN_STORE_FORMAT` with what is amiss, and the mend.
   */
  check(): Promise<void>
}

const columns: readonly (keyof Columns)[] = ['id', 'version', 'user_id', 'created_at', 'last_seen_at', 'expires_at', 'head', 'data']
const [, ...changing] = columns
const all = columns.join(', ')

/** The statements that all databases share. Each page of a list is a statement of its own: MySQL takes no number for LIMIT. */
function statementsOf({ table, parameter }: Pick<Dialect, 'table' | 'parameter'>) {
  const parameters = (count: number) => Array.from({ length: count }, (_, index) => parameter(index + 1))
  const [first, second, third, fourth] = parameters(4)
  const assignments = changing.map((column, index) => `${column} = ${parameter(index + 1)}`).join(', ')
  return {
    get: `SELECT ${all} FROM ${table} WHERE id = ${first}`,
    getAmong: (condition: string) => `SELECT ${all} FROM ${table} WHERE id ${condition}`,
    insert: `INSERT INTO ${table} (${all}) VALUES (${parameters(columns.length).join(', ')})`,
    put: `UPDATE ${table} SET ${assignments} WHERE id = ${parameter(changing.length + 1)} AND version = ${parameter(changing.length + 2)}`,
    delete: `DELETE FROM ${table} WHERE id = ${first}`,
    list: (limit: number) => `SELECT ${all} FROM ${table} WHERE id > ${first} ORDER BY id LIMIT ${limit}`,
    // The second condition says again what the third says, in words for which every optimizer begins at the right place.
    listOfUser: (limit: number) =>
      `SELECT ${all} FROM ${table} WHERE user_id = ${first} AND created_at >= ${second} AND (created_at > ${third} OR id > ${fourth}) ORDER BY created_at, id LIMIT ${limit}`,
  }
}

// How many rows a page of a list may have, and how long its data may be, roughly.
const pages = [256, 64, 16, 4, 1]
const firstPage = 16
const pageLength = 2 ** 21

const mostConflicts = 10

/** The store over one dialect. Verbs answer at once where the dialect does. */
export function sqlStore(dialect: Dialect): SqlStore {
  return new TableStore(dialect)
}

/** The statements of a schema as a script. */
export function scriptOf(schema: readonly string[]): string {
  return schema.map((statement) => `${statement};\n`).join('\n')
}

class TableStore implements SqlStore {
  readonly name: string
  readonly time?: (call?: CallOptions) => Maybe<number>
  readonly watchChanges?: (listener: ChangeListener) => () => void
  onEvicted?: ((removed: Removed) => void) | undefined

  readonly #dialect: Dialect
  readonly #statements: ReturnType<typeof statementsOf>
  readonly #reads: BatchedReads<Row> | null
  #checked = false
  #closed = false

  constructor(dialect: Dialect) {
    this.name = dialect.name
    this.#dialect = dialect
    this.#statements = statementsOf(dialect)
    const read = (ids: readonly string[], call: CallOptions | undefined) => this.#getAmong(ids, call)
    this.#reads = dialect.among === undefined ? null : new BatchedReads({ read, idOf: (row) => textOf(row[0]), recordOf })
    const { clock, watchChanges } = dialect
    if (watchChanges !== undefined) this.watchChanges = watchChanges
    if (clock !== undefined) this.time = (call) => run(this.#time(clock, call))
  }

  get(id: string, call?: CallOptions): Maybe<SessionRecord | null> {
    return this.#reads === null ? run(this.#get(id, call)) : this.#reads.get(id, call)
  }

  *#get(id: string, call?: CallOptions): Routine<SessionRecord | null> {
    const { rows } = yield* this.#ask('get', this.#statements.get, [id], call, true)
    return rows.length === 0 ? null : recordOf(rows[0]!)
  }

  async #getAmong(ids: readonly string[], call: CallOptions | undefined): Promise<readonly Row[]> {
    const { rows } = await run(ids.length === 1 ? this.#ask('get', this.#statements.get, ids, call, true) : this.#askAmong(ids, call))
    return rows
  }

  #askAmong(ids: readonly string[], call: CallOptions | undefined): Routine<Answer> {
    const [condition, values] = this.#dialect.among!(ids)
    return this.#ask('get', this.#statements.getAmong(condition), values, call, true)
  }

  put(record: SessionRecord, expected: number, call?: CallOptions): Maybe<boolean> {
    return run(this.#put(record, expected, call))
  }

  *#put(record: SessionRecord, expected: number, call?: CallOptions): Routine<boolean> {
    this.#open('put')
    if (record.version <= expected) return false
    const { id, version, createdAt, lastSeenAt, expiresAt, head } = record
    const data = this.#dialect.encode(record.data)
    const values = [version, this.#user(record), createdAt, lastSeenAt, expiresAt, head, data]
    this.#measure(record, data.length)
    // A new version is always another than the one that it replaces: whether a server counts the rows that it found or those
    // that it changed makes no difference.
    if (expected === 0) {
      const { changes } = yield* this.#ask('put', this.#statements.insert, [id, ...values], call)
      return changes === 1
    }
    return yield* this.#change(id, this.#ask('put', this.#statements.put, [...values, id, expected], call))
  }

  /** Others are to know of it if it landed, and where nobody knows whether it did. */
  *#change(id: string, work: Routine<Answer>): Routine<boolean> {
    let landed = true
    try {
      landed = (yield* work).changes === 1
      return landed
    } finally {
      if (landed) this.#dialect.changed?.(id)
    }
  }

  touch(batch: readonly Touch[], call?: CallOptions): Maybe<void> {
    return run(this.#touch(batch, call))
  }

  *#touch(batch: readonly Touch[], call?: CallOptions): Routine<void> {
    this.#open('touch')
    for (const touches of roundsOf(batch)) {
      const rows = touches.map(({ id, version, lastSeenAt, expiresAt }) => ({
        id,
        version,
        last_seen_at: lastSeenAt,
        expires_at: expiresAt,
      }))
      yield* this.#ask('touch', this.#dialect.touch, [JSON.stringify(rows)], call, true)
    }
  }

  delete(id: string, call?: CallOptions): Maybe<boolean> {
    return run(this.#delete(id, call))
  }

  *#delete(id: string, call?: CallOptions): Routine<boolean> {
    return yield* this.#change(id, this.#ask('delete', this.#statements.delete, [id], call))
  }

  /** In pages, each begun after the last record of the one before: between them nothing is held. */
  async *list(userId?: string, call?: CallOptions): AsyncGenerator<SessionRecord, void> {
    this.#open('list')
    if (userId !== undefined && objectionTo(userId) !== null) return
    let limit = firstPage
    let after = { createdAt: Number.MIN_SAFE_INTEGER, id: '' }
    for (;;) {
      const [statement, values] = this.#page(userId, after, limit)
      const { rows } = await run(this.#ask('list', statement, values, call, true))
      let length = 0
      for (const row of rows) {
        const record = recordOf(row)
        length += record.data.length
        after = record
        yield record
      }
      if (rows.length < limit) return
      limit = pages.find((count) => (length / rows.length) * count <= pageLength) ?? 1
    }
  }

  #page(userId: string | undefined, { createdAt, id }: { createdAt: number; id: string }, limit: number): [string, Value[]] {
    if (userId === undefined) return [this.#statements.list(limit), [id]]
    return [this.#statements.listOfUser(limit), [this.#dialect.encode(userId), createdAt, createdAt, id]]
  }

  sweep(now: number, limit: number, call?: CallOptions): Maybe<Swept> {
    return run(this.#sweep(now, limit, call))
  }

  *#sweep(now: number, limit: number, call?: CallOptions): Routine<Swept> {
    const { rows, found = rows.length } = yield* this.#attempt('sweep', () => this.#dialect.sweep(now, limit, call), call, false)
    const removed = rows.map(([id, user, head, expiresAt]) => ({
      id: textOf(id),
      userId: userOf(user),
      head: textOf(head),
      expiresAt: Number(expiresAt),
    }))
    removed.sort((one, other) => one.expiresAt - other.expiresAt || (one.id < other.id ? -1 : 1))
    // Where all that was found is held by others, the rest can wait for the next sweep.
    return { removed: removed.map(({ id, userId, head }) => ({ id, userId, head })), more: found >= limit && rows.length > 0 }
  }

  *#time(clock: string, call?: CallOptions): Routine<number> {
    const { rows } = yield* this.#ask('tell the time', clock, [], call, true)
    return Number(rows[0]![0])
  }

  async createSchema(): Promise<void> {
    try {
      // Where all is there, the right to create is not needed.
      await this.check()
    } catch (error) {
      if (!(error instanceof SojournError) || error.code !== 'ERR_SOJOURN_STORE_FORMAT') throw error
      await this.#create()
    }
  }

  async #create(): Promise<void> {
    try {
      await this.#dialect.create()
    } catch (cause) {
      throw this.#failure('create its schema', cause)
    }
    await this.check()
  }

  async check(): Promise<void> {
    this.#checked = false
    await run(this.#attempt('look at its table', () => ({ rows: [], changes: 0 }), undefined, true))
  }

  async close(): Promise<void> {
    if (this.#closed) return
    this.#closed = true
    await this.#dialect.close()
  }

  *#ask(verb: string, statement: string, values: readonly Value[], call?: CallOptions, repeatable = false): Routine<Answer> {
    return yield* this.#attempt(verb, () => this.#dialect.query(statement, values, call), call, repeatable)
  }

  /**
   * Tries again what the server rolled back for the sake of another, which it did not do at all, and, once, what a broken
   * connection lost of such work as has the same effect when it is done twice.
   */
  *#attempt(verb: string, work: () => Maybe<Answer>, call: CallOptions | undefined, repeatable: boolean): Routine<Answer> {
    for (let attempt = 1; ; attempt++) {
      this.#open(verb)
      try {
        if (!this.#checked) yield* this.#look(call)
        return yield* wait(work())
      } catch (cause) {
        // The core's own are thrown as they are: what the signal was aborted with is one.
        if (cause instanceof SojournError) throw cause
        const trouble = this.#dialect.troubleOf(cause)
        if (trouble === 'taken') return { rows: [], changes: 0 }
        if (trouble === 'schema') this.#checked = false
        const again = trouble === 'conflict' ? attempt < mostConflicts : trouble === 'lost' && repeatable && attempt === 1
        if (!again) throw this.#failure(verb, cause)
      }
      if (attempt > 1) yield* wait(setTimeout(Math.random() * 5 * attempt))
    }
  }

  *#look(call?: CallOptions): Routine<void> {
    const { name, table, columns } = this.#dialect
    checkFormat(name, table, columns, yield* wait(this.#dialect.inspect(call)), mend)
    this.#checked = true
  }

  #open(verb: string): void {
    if (!this.#closed) return
    throw new SojournError(
      'ERR_SOJOURN_CLOSED',
      `The store ${this.name} was asked to ${verb} after it was closed. Close it when the last request has been answered.`,
    )
  }

  #failure(verb: string, cause: unknown): SojournError {
    return cause instanceof SojournError ? cause : failure(this.name, verb, cause, this.#dialect.troubleOf(cause), mend)
  }

  #user({ id, userId }: SessionRecord): Value {
    if (userId === null) return null
    const objection = objectionTo(userId)
    if (objection === null) return this.#dialect.encode(userId)
    throw new SojournError(
      'ERR_SOJOURN_OPTION',
      `The user ID of session ${id} ${objection}: the store ${this.name} can't keep it. Use another.`,
    )
  }

  #measure({ id, head }: SessionRecord, dataLength: number): void {
    const [length, longest] = [dataLength + head.length, this.#dialect.longest()]
    if (length <= longest) return
    throw new SojournError(
      'ERR_SOJOURN_STORE_FULL',
      `The session ${id} takes ${length} bytes, and the server of ${this.name} takes ${longest}. Keep less in it, or raise the server's limit.`,
    )
  }
}

const mend = 'Call `await store.createSchema()` once, or run what `schema()` of the same module prints.'

/** A batch as the statement takes it: sorted by ID, each ID once. A session's further touches, which are rare, come in rounds of their own. */
function roundsOf(batch: readonly Touch[]): Touch[][] {
  const rounds: Map<string, Touch>[] = []
  for (const touch of batch) {
    const round = rounds.find((touches) => !touches.has(touch.id))
    if (round === undefined) rounds.push(new Map([[touch.id, touch]]))
    else round.set(touch.id, touch)
  }
  return rounds.map((touches) => [...touches.values()].sort((one, other) => (one.id < other.id ? -1 : 1)))
}

// Drivers can be told to answer whole numbers as numbers, texts or bigints. All are below 2^53.
function recordOf(row: Row): SessionRecord {
  const [id, version, user, createdAt, lastSeenAt, expiresAt, head, data] = row
  return {
    id: textOf(id),
    version: Number(version),
    userId: userOf(user),
    createdAt: Number(createdAt),
    lastSeenAt: Number(lastSeenAt),
    expiresAt: Number(expiresAt),
    head: textOf(head),
    data: textOf(data),
  }
}

function userOf(value: unknown): string | null {
  return value === null ? null : textOf(value)
}

function textOf(value: unknown): string {
  if (typeof value === 'string') return value
  if (value instanceof Uint8Array) return Buffer.from(value.buffer, value.byteOffset, value.byteLength).toString()
  throw new TypeError(`the driver answered a ${typeof value} where a text is`)
}
