import type { SessionRecord } from '../../src/core/store.ts'
import type { Costs } from './costs.ts'
import { DueIndex, type DueRow } from './due-index.ts'
import { Shard } from './shard.ts'
import type { Tally } from './tally.ts'
import type { VirtualTime } from './virtual-time.ts'

export interface DatabaseOptions {
  readonly time: VirtualTime
  readonly tally: Tally
  readonly costs: Costs
  readonly shards?: number
  /** Expiry indexes in all, as `sojourn/stores/redis` spreads them over the shards. */
  readonly buckets?: number
  /** How many commands of sessions each one stands for, where a shard has a sample of its sessions. */
  readonly stretch?: number
  /** The same for what each process does by itself: sweeps. */
  readonly processStretch?: number
  /** From a process to a shard and back, in ms. */
  readonly roundTrip?: number
  /** How far back writes can be lost, in ms. */
  readonly memory?: number
}

/** A record with the bucket that it is in. */
interface Row {
  readonly record: SessionRecord
  readonly bucket: number
}

interface Written {
  readonly at: number
  readonly id: string
  readonly bucket: number
  readonly before: SessionRecord | null
}

/** Hears that a record changed which it had read. */
export type Hears = (id: string) => void

/**
 * A sharded database that behaves as Redis does under `sojourn/stores/redis`: the same commands in the same order, each at the
 * measured cost; a user's index on a shard of its own; sweeps in two steps, between which others may come.
 */
export class Database {
  readonly options: DatabaseOptions
  readonly shards: readonly Shard[]
  readonly buckets: number
  /** Whether word of changes reaches the processes. */
  channelIsUp = true
  readonly #rows = new Map<string, Row>()
  readonly #users = new Map<string, Set<string>>()
  readonly #due: readonly DueIndex[]
  readonly #readers = new Map<string, Set<Hears>>()
  #journal: Written[] = []

  constructor(options: DatabaseOptions) {
    const { shards = 1, buckets = 2 * shards, stretch = 1 } = options
    this.options = options
    this.buckets = buckets
    this.shards = Array.from({ length: shards }, () => new Shard(stretch))
    this.#due = Array.from(
      { length: buckets },
      () => new DueIndex(({ id, expiresAt }) => this.#rows.get(id)?.record.expiresAt === expiresAt),
    )
  }

  get size(): number {
    return this.#rows.size
  }

  bucketOf(id: string): number {
    // Not by the ID, which is random each time that the simulation runs.
    return this.#rows.get(id)?.bucket ?? id.charCodeAt(0) % this.buckets
  }

  shardOf(bucket: number): Shard {
    return this.shards[Math.floor((bucket * this.shards.length) / this.buckets)]!
  }

  shardOfUser(userId: string): Shard {
    let sum = 0
    for (let at = 0; at < userId.length; at++) sum = (sum * 31 + userId.charCodeAt(at)) % 65_521
    return this.shards[sum % this.shards.length]!
  }

  read(id: string): SessionRecord | null {
    return this.#rows.get(id)?.record ?? null
  }

  /** @param by who wrote, and needs no word of it */
  write(record: SessionRecord, by: Hears | null, bucket?: number): void {
    const { id, userId, expiresAt } = record
    const before = this.#rows.get(id)
    const at = bucket ?? before?.bucket ?? this.options.time.random.below(this.buckets)
    this.#note(id, at, before?.record ?? null)
    this.#rows.set(id, { record, bucket: at })
    if (before?.record.expiresAt !== expiresAt) this.#due[at]!.add({ id, expiresAt })
    if (before !== undefined && before.record.userId !== userId) this.#forget(before.record)
    if (userId !== null) this.#indexed(userId).add(id)
    this.#tell(id, by)
  }

  remove(id: string, by: Hears | null): boolean {
    const row = this.#rows.get(id)
    if (row === undefined) return false
    this.#note(id, row.bucket, row.record)
    this.#rows.delete(id)
    this.#forget(row.record)
    this.#tell(id, by)
    return true
  }

  idsOf(userId: string | undefined): string[] {
    return [...(userId === undefined ? this.#rows.keys() : (this.#users.get(userId) ?? []))]
  }

  due(bucket: number, now: number, count: number): DueRow[] {
    return this.#due[bucket]!.due(now, count)
  }

  /** Client tracking: whoever read a record hears once of its next change. */
  track(id: string, hears: Hears): void {
    const readers = this.#readers.get(id)
    if (readers === undefined) this.#readers.set(id, new Set([hears]))
    else readers.add(hears)
  }

  /**
   * A replica takes over that had not heard of the last writes: they are undone, those of one shard or of all.
   *
   * @param lag in ms
   * @returns the IDs concerned
   */
  loseLast(lag: number, shard: Shard | null = null): Set<string> {
    const { now } = this.options.time
    const ids = new Set<string>()
    const journal = this.#journal
    for (let at = journal.length - 1; at >= 0 && journal[at]!.at > now - lag; at--) {
      const { id, bucket, before } = journal[at]!
      if (shard !== null && this.shardOf(bucket) !== shard) continue
      ids.add(id)
      const current = this.#rows.get(id)?.record
      if (current !== undefined) this.#forget(current)
      if (before === null) this.#rows.delete(id)
      else {
        this.#rows.set(id, { record: before, bucket })
        this.#due[bucket]!.add({ id, expiresAt: before.expiresAt })
        if (before.userId !== null) this.#indexed(before.userId).add(id)
      }
    }
    return ids
  }

  #note(id: string, bucket: number, before: SessionRecord | null): void {
    const { time, memory = 0 } = this.options
    if (memory === 0) return
    this.#journal.push({ at: time.now, id, bucket, before })
    if (this.#journal.length % 50_000 === 0) this.#journal = this.#journal.filter(({ at }) => at > time.now - memory)
  }

  #indexed(userId: string): Set<string> {
    let ids = this.#users.get(userId)
    if (ids === undefined) this.#users.set(userId, (ids = new Set()))
    return ids
  }

  #forget({ id, userId }: SessionRecord): void {
    if (userId === null) return
    const ids = this.#users.get(userId)
    ids?.delete(id)
    if (ids?.size === 0) this.#users.delete(userId)
  }

  #tell(id: string, by: Hears | null): void {
    const readers = this.#readers.get(id)
    if (readers === undefined) return
    const { time, tally, roundTrip = 0 } = this.options
    this.#readers.delete(id)
    for (const hears of readers) {
      if (hears === by) continue
      tally.add('messages')
      if (this.channelIsUp) time.after(roundTrip / 2, () => hears(id))
    }
  }
}
