import { givenUp } from '../core/call.ts'
import { SojournError } from '../core/errors.ts'
import type { CallOptions, GetOptions, Maybe, Removed, SessionRecord, Store, Swept, Touch } from '../core/store.ts'
import { BatchedReads } from './batched-reads.ts'

export interface MongoOptions {
  /** The collection's name: letters, digits, `_`, `-` and `.`. @default 'sojourn_sessions' */
  readonly collection?: string
}

/** A MongoDB store, which can make its indexes. */
export interface MongoStore extends Store {
  /** Makes the indexes, where they are not there. Needs the right `createIndex`. */
  createSchema(): Promise<void>
}

/** One session as a document. The data are one text, so that no key of theirs can mean anything to the server. */
interface Document {
  _id: string
  /** version */
  v: number
  /** userId */
  u: string | null
  /** createdAt, lastSeenAt, expiresAt */
  c: number
  l: number
  e: number
  /** When the server may remove it by itself: a day after it expired, so that a sweeper comes first and tells of it. */
  x: Date
  /** head, data */
  h: string
  d: string
}

/** The part of the driver's Db and Collection that is used (mongodb 6 and later). */
export interface MongoDb {
  collection(name: string, options?: object): MongoCollection
  command(command: object): Promise<{ localTime?: unknown }>
}

export interface MongoCollection {
  insertOne(document: never, options?: object): Promise<unknown>
  replaceOne(filter: object, document: object, options?: object): Promise<{ matchedCount: number }>
  deleteOne(filter: object, options?: object): Promise<{ deletedCount: number }>
  bulkWrite(operations: never[], options?: object): Promise<unknown>
  find(filter: object, options?: object): { toArray(): Promise<object[]> }
  createIndex(keys: never, options?: object): Promise<string>
  indexes(): Promise<{ readonly name?: string | undefined; readonly key?: unknown; readonly collation?: unknown }[]>
}

const nameShape = /^[A-Za-z_][\w.-]{0,118}$/
const indexes: Readonly<Record<string, object>> = {
  sojourn_expiry: { e: 1, _id: 1 },
  sojourn_user: { u: 1, _id: 1 },
}
const ttlKeys = { x: 1 }
const ttlOptions = { name: 'sojourn_ttl', expireAfterSeconds: 0 }
const margin = 86_400_000
/** The last moment that a BSON date and a JavaScript date can both name. What is later would be written as 1970. */
const lastMoment = 8.64e15
const page = 100
/** Touches in one command: FerretDB on SQLite hangs at a hundred updates in one. */
const batchLimit = 50
/** How many removals of a sweep are under way at once: requests need the pool's connections too. */
const lanes = 8
/**
 * Whatever the client is set to: a write must be the majority's, a secondary may lag, and numbers must come as numbers, those
 * by which the server tells of a write too.
 */
const collectionOptions = {
  writeConcern: { w: 'majority' },
  readPreference: 'primary',
  promoteValues: true,
  promoteLongs: true,
  useBigInt64: false,
  raw: false,
} as const

/**
 * Keeps sessions in a MongoDB collection, one document each. Hand in the driver's `Db`: `mongodb(client.db('shop'))`.
 * A write is acknowledged by the majority of a replica set. The TTL index, where the server has such, is a second line: the
 * sweeper does the work.
 *
 * @param close closes the client, if it was made for the store alone. Internal.
 * @throws SojournError `ERR_SOJOURN_OPTION` for a collection's name that is none. The first use throws
 *   `ERR_SOJOURN_STORE_FORMAT` where the indexes are missing or others.
 */
export function mongodb(db: MongoDb, { collection = 'sojourn_sessions' }: MongoOptions = {}, close?: () => Maybe<unknown>): MongoStore {
  checkName(collection)
  return new MongoSessions(db, db.collection(collection, collectionOptions), collection, close)
}

/** The indexes as commands for mongosh, for those who run their migrations themselves. */
export function schema({ collection = 'sojourn_sessions' }: MongoOptions = {}): string {
  checkName(collection)
  const command = (keys: object, options: object) =>
    `db.getCollection('${collection}').createIndex(${JSON.stringify(keys)}, ${JSON.stringify(options)})\n`
  return [...Object.entries(indexes).map(([name, keys]) => command(keys, { name })), command(ttlKeys, ttlOptions)].join('')
}

function checkName(collection: string): void {
  if (nameShape.test(collection) && !/^system\.|\.\.|\.$/.test(collection)) return
  throw new SojournError(
    'ERR_SOJOURN_OPTION',
    `collection is ${JSON.stringify(collection)}; name it with letters, digits, '_', '-' and '.', beginning with a letter.`,
  )
}

class MongoSessions implements MongoStore {
  readonly name: string
  readonly #db: MongoDb
  readonly #sessions: MongoCollection
  readonly #end: (() => Maybe<unknown>) | undefined
  readonly #reads = new BatchedReads<object>({
    read: (ids, call) => this.#read(ids, call),
    idOf: (document) => keyOf(document as Document),
    recordOf: (document) => this.#recordOf(document),
  })
  #checked: Promise<void> | null = null
  #closed = false

  constructor(db: MongoDb, sessions: MongoCollection, name: string, end: (() => Maybe<unknown>) | undefined) {
    this.#db = db
    this.#sessions = sessions
    this.#end = end
    this.name = `mongodb:${name}`
  }

  get(id: string, options?: GetOptions): Promise<SessionRecord | null> {
    return this.#reads.get(id, options)
  }

  async #read(ids: readonly string[], options: CallOptions | undefined): Promise<readonly object[]> {
    await this.#ready()
    const filter = { _id: ids.length === 1 ? ids[0] : { $in: ids } }
    return await this.#ask(() => this.#sessions.find(filter, { limit: ids.length, ...signalOf(options) }).toArray(), options)
  }

  async put(record: SessionRecord, expected: number, options?: CallOptions): Promise<boolean> {
    await this.#ready()
    if (record.version <= expected || expected < 0) return false
    const document = documentOf(record)
    if (expected === 0) return await this.#insert(document, options)
    const filter = { _id: record.id, v: expected }
    const { matchedCount } = await this.#ask(() => this.#sessions.replaceOne(filter, document), options)
    return matchedCount === 1
  }

  async touch(batch: readonly Touch[], options?: CallOptions): Promise<void> {
    await this.#ready()
    const updates = batch.map(({ id, version, lastSeenAt, expiresAt }) => ({
      updateOne: {
        filter: { _id: id, v: version, e: { $gt: lastSeenAt, $lt: expiresAt } },
        update: { $set: { l: lastSeenAt, e: expiresAt, x: endOf(expiresAt) } },
      },
    }))
    for (let from = 0; from < updates.length; from += batchLimit) {
      const some = updates.slice(from, from + batchLimit) as never[]
      await this.#ask(() => this.#sessions.bulkWrite(some, { ordered: false }), options)
    }
  }

  async delete(id: string, options?: CallOptions): Promise<boolean> {
    await this.#ready()
    const { deletedCount } = await this.#ask(() => this.#sessions.deleteOne({ _id: id }), options)
    return deletedCount === 1
  }

  /** Page by page, so that no cursor stays open on the server while the reader is slow, or leaves early. */
  async *list(userId?: string, options?: CallOptions): AsyncGenerator<SessionRecord, void> {
    if (userId !== undefined) checkUser(userId)
    const user = userId === undefined ? {} : { u: { $eq: userId } }
    for (let last = ''; ;) {
      await this.#ready()
      const filter = { ...user, _id: { $gt: last } }
      const pageOptions = { sort: { _id: 1 }, limit: page, ...signalOf(options) }
      const found = await this.#ask(() => this.#sessions.find(filter, pageOptions).toArray(), options)
      const records = found.map((document) => this.#recordOf(document))
      yield* records
      if (records.length < page) return
      last = records.at(-1)!.id
    }
  }

  async sweep(now: number, limit: number, options?: CallOptions): Promise<Swept> {
    await this.#ready()
    const projection = { _id: 1, v: 1, u: 1, h: 1 }
    const dueOptions = { sort: { e: 1, _id: 1 }, limit, projection, ...signalOf(options) }
    // What another program wrote is not ours to remove.
    const expired = { e: { $lte: now }, v: { $type: 'number' }, h: { $type: 'string' } }
    const due = (await this.#ask(() => this.#sessions.find(expired, dueOptions).toArray(), options)) as Document[]
    const removed: Removed[] = []
    let failure: unknown = null
    const rest = due.values()
    const lane = async () => {
      for (const { _id, v, u, h } of rest) {
        if (failure !== null) return
        // Looked at again: what was touched meanwhile stays, and what was written is told of as it is then, by the next sweep.
        const filter = { _id, v, e: { $lte: now } }
        try {
          const { deletedCount } = await this.#ask(() => this.#sessions.deleteOne(filter), options)
          if (deletedCount === 1) removed.push({ id: _id, userId: u, head: h })
        } catch (error) {
          failure = error
        }
      }
    }
    await Promise.all(Array.from({ length: lanes }, lane))
    // What was removed must be told of, even if the rest could not be.
    if (failure !== null && removed.length === 0) throw failure
    return { removed, more: due.length === limit || failure !== null }
  }

  async time(options?: CallOptions): Promise<number> {
    this.#open()
    const { localTime } = await this.#ask(async () => {
      // Servers before 4.4.2 know the second alone; those that hold clients to a version of the API the first alone.
      return await this.#db.command({ hello: 1 }).catch(async (error: unknown) => {
        if (codeOf(error) !== commandNotFound) throw error
        return await this.#db.command({ isMaster: 1 })
      })
    }, options)
    if (localTime instanceof Date) return localTime.getTime()
    throw new SojournError(
      'ERR_SOJOURN_STORE',
      `The server of the store ${this.name} does not tell its time; look whether it is a MongoDB.`,
    )
  }

  async createSchema(): Promise<void> {
    this.#open()
    for (const [name, keys] of Object.entries(indexes)) await this.#index(keys, { name })
    try {
      await this.#index(ttlKeys, ttlOptions)
    } catch (error) {
      // FerretDB and some hosted services have no such index. The sweeper needs none.
      if (!refusals.has(codeOf(causeOf(error)))) throw error
    }
    this.#checked = null
    await this.#ready()
  }

  async close(): Promise<void> {
    if (this.#closed) return
    this.#closed = true
    await this.#end?.()
  }

  async #insert(document: Document, options: CallOptions | undefined): Promise<boolean> {
    try {
      // Driver and server agree on a number for each write: one that the driver repeats lands once.
      await this.#ask(() => this.#sessions.insertOne(document as never), options)
      return true
    } catch (error) {
      if (codeOf(causeOf(error)) === duplicateKey) return false
      throw error
    }
  }

  async #index(keys: object, options: object): Promise<void> {
    await this.#ask(() => this.#sessions.createIndex(keys as never, options))
  }

  #open(): void {
    if (!this.#closed) return
    throw new SojournError(
      'ERR_SOJOURN_CLOSED',
      `The store ${this.name} was used after it was closed; close it when the last request has been answered.`,
    )
  }

  /** Looks for the indexes once: without them each sweep and each list would read every session. */
  async #ready(): Promise<void> {
    this.#open()
    const checked = (this.#checked ??= this.#check())
    try {
      await checked
    } catch (error) {
      if (this.#checked === checked) this.#checked = null
      throw error
    }
  }

  async #check(): Promise<void> {
    const found = await this.#ask(() => this.#sessions.indexes()).catch((error: unknown) => {
      // A collection that is not there yet has none.
      if (codeOf(causeOf(error)) === namespaceNotFound) return []
      throw error
    })
    if (found.some(({ collation }) => collation !== undefined)) {
      throw new SojournError(
        'ERR_SOJOURN_STORE_FORMAT',
        `The collection of the store ${this.name} has a collation, which takes different users for the same; name another collection.`,
      )
    }
    const keysOf = new Map(found.map(({ name, key }) => [name, JSON.stringify(key)]))
    const missing = Object.keys(indexes).filter((name) => keysOf.get(name) !== JSON.stringify(indexes[name]))
    if (missing.length === 0) return
    throw new SojournError(
      'ERR_SOJOURN_STORE_FORMAT',
      `The store ${this.name} lacks its indexes (${missing.join(', ')}); run \`await store.createSchema()\` once, or open it with openStore().`,
    )
  }

  #recordOf(document: object): SessionRecord {
    const { _id, v, u, c, l, e, h, d } = document as Document
    const isOurs = [v, c, l, e].every((value) => typeof value === 'number') && [_id, h, d].every((value) => typeof value === 'string')
    if (isOurs && (u === null || typeof u === 'string')) {
      return { id: _id, version: v, userId: u, createdAt: c, lastSeenAt: l, expiresAt: e, head: h, data: d }
    }
    throw new SojournError(
      'ERR_SOJOURN_STORE_FORMAT',
      `The store ${this.name} holds a document that is no session of it; remove what other programs wrote into the collection.`,
    )
  }

  async #ask<T>(work: () => Promise<T>, options?: CallOptions): Promise<T> {
    // The driver can't call a write back once it has begun: what was given up before that is not sent.
    const reason = givenUp(options)
    if (reason !== null) throw reason
    try {
      return await work()
    } catch (cause) {
      const full = isFull(cause)
      const said = (cause instanceof Error ? cause.message : String(cause)).replace(/\.$/, '')
      throw new SojournError(
        full ? 'ERR_SOJOURN_STORE_FULL' : 'ERR_SOJOURN_STORE',
        `The store ${this.name} failed: ${said}. ${full ? 'Make room on the server, or the record shorter.' : 'Look whether the server is up and can be written to.'}`,
        { cause },
      )
    }
  }
}

const duplicateKey = 11000
const namespaceNotFound = 26
const commandNotFound = 59
/** BadValue, CannotCreateIndex, InvalidOptions, CommandNotSupported, InvalidIndexSpecificationOption, NotImplemented. */
const refusals: ReadonlySet<unknown> = new Set([2, 67, 72, 115, 197, 238])

/** Out of disk space, over an Atlas quota, or a record of more than the server takes (16 MB). */
function isFull(error: unknown): boolean {
  const code = codeOf(error)
  const message = error instanceof Error ? error.message : ''
  if (code === 14031 || code === 10334) return true
  if (code === 8000) return /quota/i.test(message)
  // The driver finds it out by itself, at the end of its buffer or by the size that the server named.
  return code === 'ERR_OUT_OF_RANGE' || /larger than the maximum size/i.test(message)
}

function codeOf(error: unknown): unknown {
  return typeof error === 'object' && error !== null && 'code' in error ? error.code : undefined
}

function causeOf(error: unknown): unknown {
  return error instanceof Error ? error.cause : undefined
}

function signalOf(options: CallOptions | undefined): { signal?: AbortSignal } {
  const signal = options?.signal
  return signal === undefined ? {} : { signal }
}

function keyOf({ _id }: Document): string {
  return _id
}

function documentOf({ id, version, userId, createdAt, lastSeenAt, expiresAt, head, data }: SessionRecord): Document {
  if (userId !== null) checkUser(userId)
  return { _id: id, v: version, u: userId, c: createdAt, l: lastSeenAt, e: expiresAt, x: endOf(expiresAt), h: head, d: data }
}

/** BSON's texts are UTF-8, which would make all halves of surrogate pairs the same character. */
function checkUser(userId: string): void {
  if (!/\p{Surrogate}/u.test(userId)) return
  throw new SojournError('ERR_SOJOURN_OPTION', 'A user ID with half a surrogate pair in it is no text that MongoDB can keep; use another.')
}

function endOf(expiresAt: number): Date {
  return new Date(Math.min(expiresAt + margin, lastMoment))
}
