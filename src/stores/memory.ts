import { SojournError } from '../core/errors.ts'
import { parseSize, type Size } from '../core/size.ts'
import type { GetOptions, Removed, SessionRecord, Store, Swept, Touch } from '../core/store.ts'
import { type Bounds, boundsFor } from './memory/grain.ts'
import { Records } from './memory/records.ts'
import { Reports } from './memory/reports.ts'

export interface MemoryOptions {
  /**
   * What the store may take, with all that finds its sessions: a number of bytes, or text such as '256 MB' (the default). Memory
   * that was taken stays with the store, for the next sessions.
   */
  readonly maxBytes?: Size | undefined
  /** How many sessions there may be: 1 to 100,000,000 (the default). */
  readonly maxSessions?: number | undefined
}

const mostSessions = 100_000_000

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
 * They lie outside the JavaScript heap, where a session takes some 140 bytes beside its data and its user's ID. The store never
 * grows past its bounds. When one is reached, what has expired goes first, then the least recently used anonymous
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
  return new MemoryStore(parseSize(maxBytes, 'maxBytes'), maxSessions, null)
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

  readonly #bounds: Bounds
  readonly #maxSessions: number
  #records: Records
  #reports: Reports
  #closed = false

  // The latest use that was told of: what had expired by then goes first when room is wanted. The store asks no clock, for
  // the manager's may be an injected one.
  #now = -Infinity

  readonly #spill: ((record: SessionRecord) => void) | null

  constructor(maxBytes: number, maxSessions: number, spill: ((record: SessionRecord) => void) | null) {
    this.#spill = spill
    this.#bounds = boundsFor(maxBytes)
    this.#maxSessions = maxSessions
    this.#records = new Records(this.#bounds)
    this.#reports = new Reports(this.#bounds.reportBytes)
  }

  get(id: string): SessionRecord | null {
    const records = this.#open('get')
    const found = records.find(id)
    return found === 0 ? null : records.use(found, id)
  }

  put(record: SessionRecord, expected: number): boolean {
    const records = this.#open('put')
    const { id, version } = record
    const found = records.find(id)
    if ((found === 0 ? 0 : records.version(found, id)) !== expected || version <= expected) return false
    this.#write(found, record)
    return true
  }

  touch(batch: readonly Touch[]): void {
    const records = this.#open('touch')
    for (const { id, version, lastSeenAt, expiresAt } of batch) {
      const found = records.find(id)
      if (found === 0 || records.version(found, id) !== version) continue
      const stored = records.expiresAt(found)
      if (stored <= lastSeenAt || stored >= expiresAt) continue
      this.#heard(lastSeenAt)
      if (records.touch(found, id, lastSeenAt, expiresAt)) continue
      this.#write(found, { ...records.look(found, id), lastSeenAt, expiresAt })
    }
  }

  delete(id: string): boolean {
    const records = this.#open('delete')
    const found = records.find(id)
    if (found === 0) return false
    records.remove(found)
    return true
  }

  async *list(userId?: string): AsyncGenerator<SessionRecord, void> {
    const records = this.#open('list')
    for (const ids of userId === undefined ? records.all() : [records.ofUser(userId)]) {
      for (const id of ids) {
        this.#open('list')
        // The caller may have changed anything since the last one.
        const found = records.find(id)
        if (found === 0) continue
        const record = records.look(found, id)
        if (userId === undefined || record.userId === userId) yield record
      }
    }
  }

  sweep(now: number, limit: number): Swept {
    const records = this.#open('sweep')
    const removed = this.#reports.take(limit)
    let due = records.firstDue(now, true)
    while (isRecord(due) && removed.length < limit) {
      removed.push(records.removed(due))
      records.remove(due)
      due = records.firstDue(now, true)
    }
    return { removed, more: due !== 0 || this.#reports.count > 0 }
  }

  close(): void {
    this.#closed = true
    // What it had taken goes with these.
    this.#records = new Records(boundsFor(1))
    this.#reports = new Reports(0)
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

  /** Writes a record in the place of what is there, and gives up others until it has room. */
  #write(found: number, record: SessionRecord): void {
    const records = this.#records
    if (found !== 0 && records.overwrite(found, record)) {
      this.#heard(record.lastSeenAt)
      return
    }
    const bytes = records.encode(record)
    if (!records.couldHold()) {
      throw new SojournError(
        'ERR_SOJOURN_STORE_FULL',
        `The session ${record.id} takes ${bytes} bytes, and the whole memory store may hold ${this.#bounds.maxBytes}. Keep less in it, or raise maxBytes.`,
      )
    }
    this.#heard(record.lastSeenAt)
    if (found !== 0) {
      if (records.rewrite(found, record)) return
      records.remove(found)
    }
    const spilled: SessionRecord[] = []
    const evicted: Removed[] = []
    // A little with each put, so that none takes long.
    for (let step = 0; step < 32 && records.isOver && records.count > 0; step++) if (!records.shrink()) this.#giveUpOne(evicted, spilled)
    while (records.count >= this.#maxSessions || !records.prepare()) this.#giveUpOne(evicted, spilled)
    records.insert(record)
    for (const record of spilled) this.#spill?.(record)
    for (const removed of evicted) this.onEvicted?.(removed)
  }

  #giveUpOne(evicted: Removed[], spilled: SessionRecord[]): void {
    const records = this.#records
    const due = records.firstDue(this.#now, false)
    const given = isRecord(due) ? due : records.leastUsed()
    const removed = records.removed(given)
    if (this.#spill !== null) spilled.push(records.look(given, removed.id))
    records.remove(given)
    if (this.#spill !== null) return
    if (isRecord(due)) this.#reports.add(removed)
    else evicted.push(removed)
  }
}

/** Whether it is the address of one: 0 and -1 are none. */
function isRecord(address: number): boolean {
  return address !== 0 && address !== -1
}
