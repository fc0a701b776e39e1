import { SojournError } from '../core/errors.ts'
import { parseSize, type Size } from '../core/size.ts'
import type { GetOptions, Removed, SessionRecord, Store, Swept, Touch } from '../core/store.ts'
import type { Entry } from './memory/entry.ts'
import { Records } from './memory/records.ts'
import { Reports } from './memory/reports.ts'
import { sizeOf } from './memory/size.ts'

export interface MemoryOptions {
  /**
   * What the sessions may take together, with all that finds them: a number of bytes, or text such as '256 MB' (the default).
   * An estimate, on the high side.
   */
  readonly maxBytes?: Size | undefined
  /** How many sessions there may be: 1 to 16,000,000 (the default, and what one JavaScript Map carries). */
  readonly maxSessions?: number | undefined
}

const mostSessions = 16_000_000

/** A store whose verbs answer at once. @internal */
export interface PromptStore extends Store {
  get(id: string, options?: GetOptions): SessionRecord | null
  put(record: SessionRecord, expected: number): boolean
  touch(batch: readonly Touch[]): void
  delete(id: string): boolean
  sweep(now: number, limit: number): Swept
  close(): void
}

/**
 * Keeps sessions in this process: they end with it, and no other process sees them. For development, tests, and single
 * processes whose sessions may be lost; `sojourn/stores/disk` keeps them over a restart.
 *
 * It never grows past its bounds. When one is reached, what has expired goes first, then the least recently used anonymous
 * session, then the least recently used one of a user; the manager reports each session that ended so before its time.
 *
 * @throws SojournError `ERR_SOJOURN_OPTION` for a bound that is none. `put` throws `ERR_SOJOURN_STORE_FULL` for one record
 *   that is larger than all that the store may hold.
 */
export function memory({ maxBytes = '256 MB', maxSessions = mostSessions }: MemoryOptions = {}): Store {
  if (!Number.isInteger(maxSessions) || maxSessions < 1 || maxSessions > mostSessions) {
    throw new SojournError(
      'ERR_SOJOURN_OPTION',
      `maxSessions is ${String(maxSessions)}, which is no number of sessions; write a whole number from 1 to ${mostSessions}, or leave it out.`,
    )
  }
  return new MemoryStore(parseSize(maxBytes, 'maxBytes'), maxSessions, undefined)
}

/**
 * The memory that overflows (`tiered`).
 *
 * @param spill takes each record for which there is no room any more, expired ones too: then nothing is reported, and nothing is lost. It
 *   is called when the put that wanted the room is done, and calls no verb.
 * @internal
 */
export function overflowingMemory(maxBytes: number, spill: (record: SessionRecord) => void): PromptStore {
  return new MemoryStore(maxBytes, mostSessions, spill)
}

class MemoryStore implements PromptStore {
  readonly name = 'memory'
  onEvicted?: ((removed: Removed) => void) | undefined

  #maxBytes: number
  #maxSessions: number
  #records = new Records()
  #reports = new Reports()
  #closed = false

  // The latest use that was told of: what had expired by then goes first when room is wanted. The store asks no clock, for
  // the manager's may be an injected one.
  #now = -Infinity

  #spill: ((record: SessionRecord) => void) | undefined

  constructor(maxBytes: number, maxSessions: number, spill: ((record: SessionRecord) => void) | undefined) {
    this.#maxBytes = maxBytes
    this.#maxSessions = maxSessions
    this.#spill = spill
  }

  get(id: string): SessionRecord | null {
    const records = this.#open('get')
    const entry = records.find(id)
    if (entry === undefined) return null
    records.use(entry)
    return entry.record
  }

  put(record: SessionRecord, expected: number): boolean {
    const records = this.#open('put')
    const found = records.find(record.id)
    if ((found?.record.version ?? 0) !== expected || record.version <= expected) return false
    const bytes = sizeOf(record)
    if (bytes > this.#maxBytes) {
      throw new SojournError(
        'ERR_SOJOURN_STORE_FULL',
        `The session ${record.id} takes ${bytes} bytes, and the whole memory store may hold ${this.#maxBytes}. Keep less in it, or raise maxBytes.`,
      )
    }
    this.#heard(record.lastSeenAt)
    const entry = found === undefined ? records.insert(record, bytes) : records.replace(found, record, bytes)
    if (this.#full()) this.#makeRoom(entry)
    return true
  }

  touch(batch: readonly Touch[]): void {
    const records = this.#open('touch')
    for (const { id, version, lastSeenAt, expiresAt } of batch) {
      const entry = records.find(id)
      if (entry === undefined || entry.record.version !== version) continue
      if (entry.record.expiresAt <= lastSeenAt || entry.record.expiresAt >= expiresAt) continue
      this.#heard(lastSeenAt)
      records.touch(entry, { ...entry.record, lastSeenAt, expiresAt })
    }
  }

  delete(id: string): boolean {
    const records = this.#open('delete')
    const entry = records.find(id)
    if (entry === undefined) return false
    records.remove(entry)
    return true
  }

  async *list(userId?: string): AsyncGenerator<SessionRecord, void> {
    const records = this.#open('list')
    for (const entry of userId === undefined ? records.all() : records.ofUser(userId)) {
      this.#open('list')
      // The caller may have changed anything since the last one.
      if (records.find(entry.record.id) !== entry) continue
      if (userId === undefined || entry.record.userId === userId) yield entry.record
    }
  }

  sweep(now: number, limit: number): Swept {
    const records = this.#open('sweep')
    const removed = this.#reports.take(limit)
    let due = records.firstDue(now)
    while (due !== null && removed.length < limit) {
      const { id, userId, head } = due.record
      records.remove(due)
      removed.push({ id, userId, head })
      due = records.firstDue(now)
    }
    return { removed, more: due !== null || this.#reports.count > 0 }
  }

  close(): void {
    this.#closed = true
    this.#records = new Records()
    this.#reports = new Reports()
  }

  #open(verb: string): Records {
    if (!this.#closed) return this.#records
    throw new SojournError(
      'ERR_SOJOURN_CLOSED',
      `The memory store was asked to ${verb} after it was closed. Close it when the last request has been answered.`,
    )
  }

  #heard(moment: number): void {
    if (moment > this.#now) this.#now = moment
  }

  #full(): boolean {
    return this.#records.count > this.#maxSessions || this.#records.bytes + this.#reports.bytes > this.#maxBytes
  }

  /** Gives up records until the bounds hold, never the one that was just written: its `put` answers that it is there. */
  #makeRoom(written: Entry): void {
    const records = this.#records
    const evicted: Removed[] = []
    const spilled: SessionRecord[] = []
    records.hold(written)
    while (this.#full()) {
      const due = records.firstDue(this.#now)
      if (this.#spill !== undefined) {
        const entry = due ?? records.leastUsed()!
        records.remove(entry)
        spilled.push(entry.record)
      } else if (due !== null) {
        records.remove(due)
        this.#reports.add(due.record)
      } else if (this.#reports.count > 0 && records.count <= this.#maxSessions) {
        // Better an expired session without a report than a live one without its record.
        this.#reports.take(1)
      } else {
        const entry = records.leastUsed()!
        records.remove(entry)
        evicted.push({ id: entry.record.id, userId: entry.record.userId, head: entry.record.head })
      }
    }
    records.release(written)
    for (const record of spilled) this.#spill?.(record)
    for (const removed of evicted) this.onEvicted?.(removed)
  }
}
