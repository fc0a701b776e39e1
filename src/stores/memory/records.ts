import type { SessionRecord } from '../../core/store.ts'
import type { Entry } from './entry.ts'
import { Expiry } from './expiry.ts'
import { Recency } from './recency.ts'

/**
 * The records, with what finds them: by ID, by user, by expiry, by use. Each change here is one step in which all of these
 * and the count of bytes stay in agreement; what may change when is the store's affair.
 */
export class Records {
  /** An estimate of what all of this takes. */
  bytes = 0

  #entries = new Map<string, Entry>()
  #users = new Map<string, Set<Entry>>()
  #anonymous = new Recency()
  #loggedIn = new Recency()
  #expiry = new Expiry()

  get count(): number {
    return this.#entries.size
  }

  find(id: string): Entry | undefined {
    return this.#entries.get(id)
  }

  /** All entries, live: what is removed during the walk is skipped. Ends even if something is added at each step. */
  *all(): Generator<Entry> {
    let left = this.count
    for (const entry of this.#entries.values()) {
      if (left-- === 0) return
      yield entry
    }
  }

  /** The entries that one user has now. */
  ofUser(userId: string): Entry[] {
    return [...(this.#users.get(userId) ?? [])]
  }

  insert(record: SessionRecord, bytes: number): Entry {
    const entry: Entry = { record, bytes, newer: null, older: null, bucket: null, slot: 0 }
    this.#entries.set(record.id, entry)
    this.bytes += bytes
    this.#addToUser(entry)
    this.release(entry)
    return entry
  }

  replace(entry: Entry, record: SessionRecord, bytes: number): Entry {
    const sameUser = entry.record.userId === record.userId
    this.#recencyOf(entry).remove(entry)
    if (!sameUser) this.#removeFromUser(entry)
    this.bytes += bytes - entry.bytes

    entry.record = record
    entry.bytes = bytes

    if (!sameUser) this.#addToUser(entry)
    this.#recencyOf(entry).add(entry)
    this.#expiry.changed(entry)
    return entry
  }

  /** As `replace`, for a record in which nothing but `lastSeenAt` and `expiresAt` is another. */
  touch(entry: Entry, record: SessionRecord): void {
    entry.record = record
    this.#expiry.changed(entry)
    this.use(entry)
  }

  remove(entry: Entry): void {
    this.hold(entry)
    this.#removeFromUser(entry)
    this.bytes -= entry.bytes
    this.#entries.delete(entry.record.id)
  }

  /** Makes the entry the most recently used. */
  use(entry: Entry): void {
    const recency = this.#recencyOf(entry)
    if (recency.newest === entry) return
    recency.remove(entry)
    recency.add(entry)
  }

  /** Takes an entry out of `firstDue` and `leastUsed`, until it is released. */
  hold(entry: Entry): void {
    this.#recencyOf(entry).remove(entry)
    this.#expiry.remove(entry)
  }

  release(entry: Entry): void {
    this.#recencyOf(entry).add(entry)
    this.#expiry.add(entry)
  }

  /** The entry that expires first, if its time had come at `now`. */
  firstDue(now: number): Entry | null {
    return this.#expiry.firstDue(now)
  }

  /** What should go first when room is wanted: anonymous visitors before users, then the least recently used. */
  leastUsed(): Entry | null {
    return this.#anonymous.oldest ?? this.#loggedIn.oldest
  }

  #recencyOf(entry: Entry): Recency {
    return entry.record.userId === null ? this.#anonymous : this.#loggedIn
  }

  #addToUser(entry: Entry): void {
    const { userId } = entry.record
    if (userId === null) return
    const entries = this.#users.get(userId)
    if (entries === undefined) this.#users.set(userId, new Set([entry]))
    else entries.add(entry)
  }

  #removeFromUser(entry: Entry): void {
    const { userId } = entry.record
    if (userId === null) return
    const entries = this.#users.get(userId)!
    entries.delete(entry)
    if (entries.size === 0) this.#users.delete(userId)
  }
}
