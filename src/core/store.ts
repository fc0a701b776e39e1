/** What a verb may answer: at once where the store can, so that no request waits for a microtask it does not need. */
export type Maybe<T> = T | Promise<T>

/** One session as a store keeps it. Records are never changed in place: a change is a new record with a greater version. */
export interface SessionRecord {
  /** 16 base64url characters. Not a credential: it may be logged. Never derived from what a client sent. */
  readonly id: string
  /** Rises with each `put`; a whole number from 1 to 2^53 - 1. */
  readonly version: number
  /** The application's user, or null for an anonymous visitor (and for a tombstone). Indexed by the store. */
  readonly userId: string | null
  /** Milliseconds since the epoch, as all times here. */
  readonly createdAt: number
  readonly lastSeenAt: number
  /** From this moment on the record opens for nobody. Indexed by the store. */
  readonly expiresAt: number
  /** The core's own (secret hashes, device, timeouts): opaque to stores. Printable ASCII. */
  readonly head: string
  /** The application's data, encoded: opaque to stores. Well-formed Unicode of any length. */
  readonly data: string
}

/** One use of a session, to be noted without a new version. */
export interface Touch {
  readonly id: string
  readonly userId: string | null
  /** The touch lands only on this version. */
  readonly version: number
  readonly lastSeenAt: number
  readonly expiresAt: number
}

/** What is told of a record that a sweep (or a full store) removed. */
export interface Removed {
  readonly id: string
  readonly userId: string | null
  readonly head: string
}

/** What one batch of a sweep did. */
export interface Swept {
  readonly removed: readonly Removed[]
  /** True when more may have expired than this batch took. */
  readonly more: boolean
}

/** What the core says with a call. */
export interface CallOptions {
  /** Aborted when the core has stopped waiting: a store whose client can give up should. Made when it is first asked for. */
  readonly signal?: AbortSignal
}

export interface GetOptions extends CallOptions {
  readonly fresh?: boolean
}

/** Who is told of the changes that others make: see `watchChanges`. */
export interface ChangeListener {
  /** The record is another by now, or gone. Not told of what was inserted, nor of touches (a store may tell of them all the same). */
  changed(id: string): void
  /** From now on changes are told of. What was read before this may be old, and nobody will tell. */
  opened(): void
  /** From now on changes are told of no more, until it opens again. */
  cut(): void
}

/**
 * Where sessions live. Each verb is atomic and concerns one record (a batch of touches: each of them for itself).
 *
 * The core never brings an ID back that was removed, and changes a record's user to null alone.
 *
 * A store does no more than its words: it never judges whether a session has expired (`get` answers expired records too,
 * as long as they are there), never looks into `head` or `data`, never makes up a record. A failure is a throw or a
 * rejection; "not there" and "not landed" are answers. `sojourn/testing` has the contract's test cases (`storeCases`).
 */
export interface Store {
  /** For messages: what kind of store, and where. Never a credential. */
  readonly name: string

  /**
   * The record, or null when there is none. Sees every put that was acknowledged before the call, by any process, if
   * `fresh` is true; a store with a cache in front may answer an older one otherwise.
   */
  get(id: string, options?: GetOptions): Maybe<SessionRecord | null>

  /**
   * Writes the whole record, its expiry and its user's index entry, if and only if the stored version is `expected` now
   * (0: no record is there) and `record.version` is greater. True once it landed and every process can see it; false,
   * changing nothing, when the stored version is another. Never inserts unless `expected` is 0.
   */
  put(record: SessionRecord, expected: number, options?: CallOptions): Maybe<boolean>

  /**
   * Notes uses, of each session one at most: each lands on its own, where the version is unchanged, the record had not expired at the touch's
   * `lastSeenAt`, and the touch's `expiresAt` is greater than the stored one. It changes `lastSeenAt` and `expiresAt`
   * (and the expiry index), nothing else. It never creates, never shortens.
   */
  touch(batch: readonly Touch[], options?: CallOptions): Maybe<void>

  /** Removes the record with its index entries. True if one was there. For inserts that were abandoned. */
  delete(id: string, options?: CallOptions): Maybe<boolean>

  /** The records of one user, or of all; expired ones and tombstones may be among them. Releases what it holds when left early. */
  list(userId?: string, options?: CallOptions): AsyncIterable<SessionRecord>

  /**
   * Removes at most `limit` records whose `expiresAt` is `now` or earlier, oldest first, each looked at again as it is
   * removed (a record that was touched or written meanwhile stays). Costs by what has expired, not by what is stored.
   */
  sweep(now: number, limit: number, options?: CallOptions): Maybe<Swept>

  /**
   * The server's clock, in ms since the epoch, for a store whose server has one of its own: a process whose clock is far from
   * it must not sweep.
   */
  time?(options?: CallOptions): Maybe<number>

  /** Ends what the store itself opened; never a client that was handed in. Verbs fail afterwards. */
  close(): Maybe<void>

  /**
   * True for a store with a cache in front: a record that `get` answers may be old, unless `fresh` is asked for; that none is there
   * is never the cache's answer. The core reads again, fresh, before it refuses anything by such a record.
   */
  readonly caches?: boolean | undefined

  /**
   * Tells soon of every change by anybody else: another process, or another handle on the same data. The store's own writes may be
   * told of too, in which case a cache in front drops what it could have kept. It opens by itself, again after it was cut. A change that
   * lands while it is open goes untold only if it is cut before, or if who made it died at that moment.
   *
   * @returns ends it: nothing is told from then on
   */
  watchChanges?(listener: ChangeListener): () => void

  /** Set by the manager. A bounded store calls it for each live record that it gave up for want of room. */
  onEvicted?: ((removed: Removed) => void) | undefined
}
