import type { CallOptions, ChangeListener, Maybe } from '../../core/store.ts'

export type Value = string | number | Uint8Array | readonly string[] | null

/** What was asked for, in the order of the statement. */
export type Row = readonly unknown[]

export interface Answer {
  readonly rows: readonly Row[]
  /** How many rows a statement inserted or deleted, or updated to other values. */
  readonly changes: number
  /** Of a sweep that can't take all that it finds: how many it found, those that somebody else held among them. */
  readonly found?: number
}

/**
 * What an error of a driver's is to the store.
 * - `taken`: an insert met a record of the same ID
 * - `conflict`: the server rolled the statement back for the sake of another; nothing of it happened
 * - `lost`: the connection broke, or there was none to be had
 */
export type Trouble = 'taken' | 'conflict' | 'lost' | 'full' | 'schema' | 'read-only' | 'denied' | 'busy' | 'other'

/** The columns by their names, each with its type as the database itself writes it. */
export interface Columns {
  readonly id: string
  readonly version: string
  readonly user_id: string
  readonly created_at: string
  readonly last_seen_at: string
  readonly expires_at: string
  readonly head: string
  readonly data: string
}

/** What the database says of the table: a row a column, none if there is no such table. */
export interface FoundColumn {
  readonly name: string
  readonly type: string
  /** Whether an index begins with it. */
  readonly indexed: boolean
  /** The table's comment, or its CREATE statement: it may tell the format. */
  readonly note: string
}

/** What one kind of database has of its own: all else is in sql.ts. */
export interface Dialect {
  /** For messages. */
  readonly name: string
  /** The table's name as it stands in statements. */
  readonly table: string
  readonly columns: Columns

  /** The statement's nth parameter, counted from 1. */
  parameter(index: number): string
  /**
   * Whether a column is one of several texts, as the end of a condition, and its parameters, from the first on. Absent where reads don't
   * wait for one another, and so are not to go out together.
   */
  among?(texts: readonly string[]): [condition: string, values: readonly Value[]]
  /** What stands for a text in the columns `user_id` and `data`. */
  encode(text: string): string | Uint8Array

  /**
   * Lands a batch of touches, given as a JSON list of objects with the columns' names, sorted by ID, each ID once. Whoever locks several
   * rows locks them in the order of their IDs.
   */
  readonly touch: string
  /** The server's clock, in ms, as `now`; absent where there is no server. */
  readonly clock?: string

  /** A record was changed or removed, or may have been: to be told to other processes where somebody wants that. */
  changed?(id: string): void
  /** As the store's; absent where the database has no channel. */
  readonly watchChanges?: ((listener: ChangeListener) => () => void) | undefined

  query(statement: string, values: readonly Value[], call?: CallOptions): Maybe<Answer>
  /** Removes the oldest that have expired, at most `limit`, and answers their `id`, `user_id`, `head` and `expires_at` in any order. */
  sweep(now: number, limit: number, call?: CallOptions): Maybe<Answer>
  /** Looks at the table, and at such settings as the store can't work with: those it throws for. */
  inspect(call?: CallOptions): Maybe<readonly FoundColumn[]>
  create(): Maybe<unknown>
  troubleOf(error: unknown): Trouble
  /** The longest record that the server takes, in bytes, as far as is known. */
  longest(): number
  /** Ends what was opened for the store. */
  close(): Maybe<unknown>
}
