import { isPromise } from '../../core/routine.ts'
import { SojournError } from '../../core/errors.ts'
import type { CallOptions, ChangeListener, GetOptions, Maybe, Removed, SessionRecord, Store, Swept, Touch } from '../../core/store.ts'
import { Flights, type Flight } from './flights.ts'
import { Reads } from './reads.ts'
import { Recent } from './recent.ts'

export interface Bounds {
  readonly maxBytes: number
  /** Whether `next` is to tell of changes, where it can. @default true */
  readonly channel?: boolean | undefined
  /** How old what is answered may be, in ms: while changes are told of, and while they are not. */
  readonly staleness: { readonly told: number; readonly untold: number }
}

/**
 * What was lately read from `next` or written to it, in memory. `next` alone is the truth: each write goes there first, and a record
 * is answered from memory for so long only as the bound allows, counted from when it was asked for.
 */
export class WriteThrough implements Store {
  readonly name: string
  readonly caches = true
  readonly time?: (options?: CallOptions) => Maybe<number>

  readonly #next: Store
  readonly #staleness: Bounds['staleness']
  readonly #now: () => number
  readonly #recent: Recent
  readonly #flights = new Flights()
  readonly #reads: Reads
  readonly #unwatch: (() => void) | null
  #limit: number
  #closed = false

  /** @param now a clock that never goes back, in ms; no date */
  constructor(next: Store, { maxBytes, channel = true, staleness }: Bounds, now: () => number = () => performance.now()) {
    this.name = `tiered:${next.name}`
    this.#next = next
    this.#staleness = staleness
    this.#limit = staleness.untold
    this.#now = now
    this.#recent = new Recent(maxBytes)
    this.#reads = new Reads(next, now, this.#flights, (id, record, sentAt, floor) => this.#heard(id, record, sentAt, floor))
    if (next.time !== undefined) this.time = (options) => next.time!(options)
    // A bounded store that gave a record up has it no more.
    next.onEvicted = ({ id }) => this.#forget(id)
    this.#unwatch = (channel ? next.watchChanges?.(this.#listener()) : null) ?? null
  }

  set onEvicted(listener: ((removed: Removed) => void) | undefined) {
    this.#next.onEvicted = (removed) => {
      this.#forget(removed.id)
      listener?.(removed)
    }
  }

  get(id: string, options?: GetOptions): Maybe<SessionRecord | null> {
    if (this.#closed) throw this.#closedError('get')
    if (options?.fresh === true) return this.#reads.fresh(id, options)
    const entry = this.#recent.find(id)
    if (entry === undefined || this.#now() - entry.sentAt >= this.#limit) return this.#reads.any(id, this.#limit, options)
    this.#recent.use(entry)
    return entry.record
  }

  put(record: SessionRecord, expected: number, options?: CallOptions): Maybe<boolean> {
    if (this.#closed) throw this.#closedError('put')
    const { id } = record
    const sentAt = this.#now()
    let landed: Maybe<boolean>
    try {
      landed = this.#next.put(record, expected, options)
    } catch (error) {
      this.#forget(id)
      throw error
    }
    if (!isPromise(landed)) return this.#put(record, sentAt, landed, null)
    const flight = this.#flights.begin(id)
    return landed.then(
      (answer) => this.#put(record, sentAt, answer, flight),
      (error: unknown) => {
        this.#flights.end(id, flight)
        this.#forget(id)
        throw error
      },
    )
  }

  #put(record: SessionRecord, sentAt: number, landed: boolean, flight: Flight | null): boolean {
    const { id, version } = record
    if (flight !== null) this.#flights.end(id, flight)
    if (!landed) {
      this.#forget(id)
      return false
    }
    // What is on its way, and brings an older one, must not come to stand here.
    this.#flights.atLeast(id, version)
    const floor = flight?.floor ?? 0
    if (floor > version) this.#recent.drop(id)
    else this.#heard(id, record, sentAt, floor)
    return true
  }

  touch(batch: readonly Touch[], options?: CallOptions): Maybe<void> {
    if (this.#closed) throw this.#closedError('touch')
    const forget = (error: unknown): never => {
      for (const { id } of batch) this.#forget(id)
      throw error
    }
    const note = (): void => {
      for (const touch of batch) this.#touched(touch)
    }
    let noted: Maybe<void>
    try {
      noted = this.#next.touch(batch, options)
    } catch (error) {
      return forget(error)
    }
    return isPromise(noted) ? noted.then(note, forget) : note()
  }

  /**
   * A touch was answered, which says not whether it landed. Of the version that it was meant for the times only grow: a cached record of
   * that version that it would have landed on is in `next` with these times, or with later ones.
   */
  #touched({ id, version, lastSeenAt, expiresAt }: Touch): void {
    this.#flights.atLeast(id, Infinity)
    const entry = this.#recent.find(id)
    if (entry === undefined) return
    const { record } = entry
    if (record.version > version || (record.version === version && record.expiresAt >= expiresAt)) return
    // Not heard anew: it is as old as it was.
    if (record.version === version && record.expiresAt > lastSeenAt) entry.record = { ...record, lastSeenAt, expiresAt }
    else this.#recent.drop(id)
  }

  delete(id: string, options?: CallOptions): Maybe<boolean> {
    if (this.#closed) throw this.#closedError('delete')
    let removed: Maybe<boolean>
    try {
      removed = this.#next.delete(id, options)
    } catch (error) {
      this.#forget(id)
      throw error
    }
    if (isPromise(removed)) return removed.finally(() => this.#forget(id))
    this.#forget(id)
    return removed
  }

  list(userId?: string, options?: CallOptions): AsyncIterable<SessionRecord> {
    if (this.#closed) throw this.#closedError('list')
    return this.#next.list(userId, options)
  }

  sweep(now: number, limit: number, options?: CallOptions): Maybe<Swept> {
    if (this.#closed) throw this.#closedError('sweep')
    const forget = (swept: Swept): Swept => {
      for (const { id } of swept.removed) this.#forget(id)
      return swept
    }
    const swept = this.#next.sweep(now, limit, options)
    return isPromise(swept) ? swept.then(forget) : forget(swept)
  }

  close(): Maybe<void> {
    this.#closed = true
    this.#unwatch?.()
    this.#recent.clear()
    return this.#next.close()
  }

  /** An answer of `next` to what was sent then: kept unless something newer is known, or that it is old by now. */
  #heard(id: string, record: SessionRecord | null, sentAt: number, floor: number): void {
    if (record === null) return this.#recent.drop(id)
    const entry = this.#recent.find(id)
    const isNews = entry === undefined || sentAt >= entry.sentAt || record.version > entry.record.version
    if (this.#closed || record.version < floor || !isNews) return
    this.#recent.keep(record, sentAt)
  }

  /** Another may stand there by now, or none. */
  #forget(id: string): void {
    this.#recent.drop(id)
    this.#flights.atLeast(id, Infinity)
  }

  #listener(): ChangeListener {
    return {
      changed: (id) => this.#forget(id),
      opened: () => {
        // What was heard before may have changed in the meantime, and nobody told.
        this.#recent.clear()
        this.#flights.allAtLeast(Infinity)
        this.#limit = this.#staleness.told
      },
      cut: () => {
        this.#limit = this.#staleness.untold
      },
    }
  }

  #closedError(verb: string): SojournError {
    return new SojournError(
      'ERR_SOJOURN_CLOSED',
      `The store ${this.name} was asked to ${verb} after it was closed. Close it when the last request has been answered.`,
    )
  }
}
