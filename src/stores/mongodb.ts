import { SojournError } from '../core/errors.ts'
import type { CallOptions, GetOptions, Removed, SessionRecord, Store, Swept, Touch } from '../core/store.ts'

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
  /** When the server may remove it by itself: an hour after it expired, so that a sweeper comes first and tells of it. */
  x: Date
  /** head, data */
  h: string
  d: string
}

/** The part of the driver's Db and Collection that is used (mongodb 6 and later). */
export interface MongoDb {
  collection(name: string): MongoCollection
  command(command: object): Promise<{ localTime?: unknown }>
}

export interface MongoCollection {
  findOne(filter: object, options?: object): Promise<object | null>
  insertOne(document: never, options?: object): Promise<unknown>
  replaceOne(filter: object, document: object, options?: object): Promise<{ matchedCount: number }>
  deleteOne(filter: object, options?: object): Promise<{ deletedCount: number }>
  findOneAndDelete(filter: object, options?: object): Promise<object | null>
  bulkWrite(operations: never[], options?: object): Promise<unknown>
  find(filter: object, options?: object): { toArray(): Promise<object[]> }
  createIndex(keys: never, options?: object): Promise<string>
  indexes(): Promise<{ name?: string | undefined }[]>
}

const nameShape = /^[A-Za-z_][\w.-]{0,118}$/
const indexes = { expiry: 'sojourn_expiry', user: 'sojourn_user', ttl: 'sojourn_ttl' } as const
const margin = 3_600_000
const page = 100
const majority = { writeConcern: { w: 'majority' } }

/**
 * Keeps sessions in a MongoDB collection, one document each. Hand in the driver's `Db`: `mongodb(client.db('shop'))`.
 * A write is acknowledged by the majority of a replica set. The TTL index, where the server has such, is a second line: the
 * sweeper does the work.
 *
 * @throws ERR_SOJOURN_OPTION for a collection's name that is none. The first use throws ERR_SOJOURN_STORE_FORMAT when the indexes are missing.
 */
export function mongodb(db: MongoDb, { collection = 'sojourn_sessions' }: MongoOptions = {}): MongoStore {
  if (!nameShape.test(collection) || collection.startsWith('system.')) {
    throw new SojournError('ERR_SOJOURN_OPTION', `collection is ${JSON.stringify(collection)}; name it with letters, digits, '_', '-' and '.', beginning with a letter.`)
  }
  return new MongoSessions(db, db.collection(collection), collection)
}

class MongoSessions implements MongoStore {
  readonly name: string
  readonly #db: MongoDb
  readonly #sessions: MongoCollection
  #checked: Promise<void> | null = null
  #closed = false

  constructor(db: MongoDb, sessions: MongoCollection, name: string) {
    this.#db = db
    this.#sessions = sessions
    this.name = `mongodb:${name}`
  }

  async get(id: string, options?: GetOptions): Promise<SessionRecord | null> {
    await this.#ready()
    const document = await this.#ask(() => this.#sessions.findOne({ _id: id }, signalOf(options)))
    return document === null ? null : recordOf(document as Document)
  }

  async put(record: SessionRecord, expected: number): Promise<boolean> {
    await this.#ready()
    if (record.version <= expected) return false
    const document = documentOf(record)
    if (expected === 0) return await this.#insert(document)
    const { matchedCount } = await this.#ask(() => this.#sessions.replaceOne({ _id: record.id, v: expected }, document, majority))
    return matchedCount === 1
  }

  async touch(batch: readonly Touch[]): Promise<void> {
    await this.#ready()
    if (batch.length === 0) return
    const updates = batch.map(({ id, version, lastSeenAt, expiresAt }) => ({
      updateOne: {
        filter: { _id: id, v: version, e: { $gt: lastSeenAt, $lt: expiresAt } },
        update: { $set: { l: lastSeenAt, e: expiresAt, x: new Date(expiresAt + margin) } },
      },
    }))
    await this.#ask(() => this.#sessions.bulkWrite(updates as never[], { ordered: false, ...majority }))
  }

  async delete(id: string): Promise<boolean> {
    await this.#ready()
    const { deletedCount } = await this.#ask(() => this.#sessions.deleteOne({ _id: id }, majority))
    return deletedCount === 1
  }

  /** Page by page, so that no cursor stays open on the server while the reader is slow, or leaves early. */
  async *list(userId?: string): AsyncGenerator<SessionRecord, void> {
    await this.#ready()
    const user = userId === undefined ? {} : { u: userId }
    for (let last = ''; ; ) {
      const filter = { ...user, _id: { $gt: last } }
      const documents = (await this.#ask(() => this.#sessions.find(filter, { sort: { _id: 1 }, limit: page }).toArray())) as Document[]
      for (const document of documents) yield recordOf(document)
      if (documents.length < page) return
      last = documents.at(-1)!._id
    }
  }

  async sweep(now: number, limit: number): Promise<Swept> {
    await this.#ready()
    const options = { sort: { e: 1, _id: 1 }, limit, projection: { _id: 1 } }
    const expired = await this.#ask(() => this.#sessions.find({ e: { $lte: now } }, options).toArray())
    // Each removal tells whose it was, and looks again: what was touched meanwhile stays.
    const answers = await Promise.allSettled(
      (expired as Document[]).map(({ _id }) =>
        this.#ask(() => this.#sessions.findOneAndDelete({ _id, e: { $lte: now } }, { projection: { u: 1, h: 1 }, ...majority })),
      ),
    )
    const removed: Removed[] = []
    let failure: unknown = null
    for (const answer of answers) {
      if (answer.status === 'rejected') failure = answer.reason
      else if (answer.value !== null) removed.push(removedOf(answer.value as Document))
    }
    // What was removed must be told of, even if the rest could not be.
    if (failure !== null && removed.length === 0) throw failure
    return { removed, more: expired.length === limit || failure !== null }
  }

  async time(): Promise<number> {
    const { localTime } = await this.#ask(() => this.#db.command({ hello: 1 }))
    return localTime instanceof Date ? localTime.getTime() : Date.now()
  }

  async createSchema(): Promise<void> {
    await this.#index({ e: 1, _id: 1 }, { name: indexes.expiry })
    await this.#index({ u: 1, _id: 1 }, { name: indexes.user })
    try {
      await this.#index({ x: 1 }, { name: indexes.ttl, expireAfterSeconds: 0 })
    } catch {
      // FerretDB and some hosted services refuse TTL indexes. The sweeper needs none.
    }
    this.#checked = null
  }

  /** The client was handed in: it is not ours to close. */
  close(): void {
    this.#closed = true
  }

  async #insert(document: Document): Promise<boolean> {
    try {
      // Driver and server agree on a number for each write: one that the driver repeats lands once.
      await this.#ask(() => this.#sessions.insertOne(document as never, majority))
      return true
    } catch (error) {
      if (codeOf(error instanceof Error ? error.cause : error) === duplicateKey) return false
      throw error
    }
  }

  async #index(keys: object, options: object): Promise<void> {
    await this.#ask(() => this.#sessions.createIndex(keys as never, options))
  }

  /** Looks for the indexes once: without them each sweep and each list would read every session. */
  async #ready(): Promise<void> {
    if (this.#closed) throw new SojournError('ERR_SOJOURN_CLOSED', `The store ${this.name} was used after it was closed; close it when the last request has been answered.`)
    this.#checked ??= this.#check()
    try {
      await this.#checked
    } catch (error) {
      this.#checked = null
      throw error
    }
  }

  async #check(): Promise<void> {
    const found = await this.#ask(() => this.#sessions.indexes()).catch((error: unknown) => {
      // A collection that is not there yet has none.
      if (codeOf(error instanceof Error ? error.cause : error) === namespaceNotFound) return []
      throw error
    })
    const missing = [indexes.expiry, indexes.user].filter((name) => !found.some((index) => index.name === name))
    if (missing.length === 0) return
    throw new SojournError(
      'ERR_SOJOURN_STORE_FORMAT',
      `The store ${this.name} lacks its indexes (${missing.join(', ')}); run \`await store.createSchema()\` once, or open it with openStore().`,
    )
  }

  async #ask<T>(work: () => Promise<T>): Promise<T> {
    try {
      return await work()
    } catch (cause) {
      const full = fullCodes.has(codeOf(cause))
      throw new SojournError(
        full ? 'ERR_SOJOURN_STORE_FULL' : 'ERR_SOJOURN_STORE',
        `The store ${this.name} failed: ${cause instanceof Error ? cause.message : String(cause)}. ${full ? 'Make room on the server.' : 'Look whether the server is up and can be written to.'}`,
        { cause },
      )
    }
  }
}

const duplicateKey = 11000
const namespaceNotFound = 26
/** OutOfDiskSpace, ExceededMemoryLimit, DiskQuota by Atlas. */
const fullCodes: ReadonlySet<unknown> = new Set([14031, 146, 8000])

function codeOf(error: unknown): unknown {
  return typeof error === 'object' && error !== null && 'code' in error ? error.code : undefined
}

function signalOf(options: CallOptions | undefined): { signal?: AbortSignal } {
  const signal = options?.signal
  return signal === undefined ? {} : { signal }
}

function documentOf({ id, version, userId, createdAt, lastSeenAt, expiresAt, head, data }: SessionRecord): Document {
  if (userId !== null && !/^\P{Surrogate}*$/u.test(userId)) {
    throw new SojournError('ERR_SOJOURN_OPTION', 'A user ID with half a surrogate pair in it is no text that MongoDB can keep; use another.')
  }
  return { _id: id, v: version, u: userId, c: createdAt, l: lastSeenAt, e: expiresAt, x: new Date(expiresAt + margin), h: head, d: data }
}

function recordOf({ _id, v, u, c, l, e, h, d }: Document): SessionRecord {
  return { id: _id, version: v, userId: u, createdAt: c, lastSeenAt: l, expiresAt: e, head: h, data: d }
}

function removedOf({ _id, u, h }: Document): Removed {
  return { id: _id, userId: u, head: h }
}
