import type { Clock } from '../../src/core/core.ts'
import type { GetOptions, Maybe, Removed, SessionRecord, Store, Swept, Touch } from '../../src/core/store.ts'
import type { SimulatedStore } from './simulated-store.ts'
import type { Tally } from './tally.ts'

export interface NearCacheOptions {
  readonly clock: Clock
  readonly tally: Tally
  readonly maxBytes: number
  /** How old an entry may become, in ms. */
  readonly staleness: number
  /** Whether the database tells of changes. */
  readonly channel: boolean
}

interface Entry {
  readonly record: SessionRecord
  readonly until: number
  readonly bytes: number
}

/** What a record takes in memory beside its text. */
const overhead = 300

/** The records that one process read last, as the design's tiers keep them: none older than the bound, no refusal from any. */
export class NearCache implements Store {
  readonly name = 'simulated near-cache'
  readonly #next: SimulatedStore
  readonly #options: NearCacheOptions
  readonly #entries = new Map<string, Entry>()
  /** Reads on their way; a change that is heard of meanwhile spoils what they bring. */
  readonly #loading = new Map<string, { spoilt: boolean; record: Promise<SessionRecord | null> }>()
  #bytes = 0

  constructor(next: SimulatedStore, options: NearCacheOptions) {
    this.#next = next
    this.#options = options
    if (options.channel) next.hears = (id) => this.#drop(id)
  }

  set onEvicted(listener: ((removed: Removed) => void) | undefined) {
    this.#next.onEvicted = listener
  }

  get(id: string, options?: GetOptions): Maybe<SessionRecord | null> {
    const { clock, tally } = this.#options
    if (options?.fresh === true) return this.#next.get(id)
    tally.add('asked')
    const entry = this.#entries.get(id)
    const now = clock.now()
    // A record that would be refused is read again.
    if (entry !== undefined && entry.until > now && entry.record.expiresAt > now && entry.record.data !== '') {
      tally.add('hits')
      this.#entries.delete(id)
      this.#entries.set(id, entry)
      return entry.record
    }
    return this.#load(id)
  }

  async put(record: SessionRecord, expected: number): Promise<boolean> {
    this.#drop(record.id)
    const landed = await this.#next.put(record, expected)
    this.#drop(record.id)
    if (landed) this.#keep(record)
    return landed
  }

  async touch(batch: readonly Touch[]): Promise<void> {
    await this.#next.touch(batch)
    for (const { id, version, lastSeenAt, expiresAt } of batch) {
      const entry = this.#entries.get(id)
      // What was read at some time is no younger for being touched.
      if (entry?.record.version === version) this.#entries.set(id, { ...entry, record: { ...entry.record, lastSeenAt, expiresAt } })
    }
  }

  async delete(id: string): Promise<boolean> {
    this.#drop(id)
    return await this.#next.delete(id)
  }

  list(userId?: string): AsyncIterable<SessionRecord> {
    return this.#next.list(userId)
  }

  async sweep(now: number, limit: number): Promise<Swept> {
    return await this.#next.sweep(now, limit)
  }

  close(): void {
    this.#next.close()
  }

  async #load(id: string): Promise<SessionRecord | null> {
    const going = this.#loading.get(id)
    if (going !== undefined && !going.spoilt) return await going.record
    const loading = { spoilt: false, record: this.#next.get(id) }
    this.#loading.set(id, loading)
    try {
      const record = await loading.record
      if (record !== null && !loading.spoilt) this.#keep(record)
      return record
    } finally {
      if (this.#loading.get(id) === loading) this.#loading.delete(id)
    }
  }

  #keep(record: SessionRecord): void {
    const { clock, staleness, maxBytes } = this.#options
    this.#drop(record.id)
    const bytes = overhead + record.id.length + record.head.length + record.data.length + (record.userId?.length ?? 0)
    this.#entries.set(record.id, { record, until: clock.now() + staleness, bytes })
    this.#bytes += bytes
    for (const [id] of this.#entries) {
      if (this.#bytes <= maxBytes) return
      this.#drop(id)
    }
  }

  #drop(id: string): void {
    const loading = this.#loading.get(id)
    if (loading !== undefined) loading.spoilt = true
    const entry = this.#entries.get(id)
    if (entry === undefined) return
    this.#entries.delete(id)
    this.#bytes -= entry.bytes
  }
}
