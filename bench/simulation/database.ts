import type { ChangeListener, SessionRecord } from '../../src/core/store.ts'
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

/**
 * A sharded database that behaves as Redis does under `sojourn/stores/redis`: the same commands in the same order, each at the
 * measured cost; a user's index on a shard of its own; sweeps in two steps, between which others may come.
 */
export class Database {
  readonly options: DatabaseOptions
  readonly shards: readonly Shard[]
  readonly buckets: number
  readonly #rows = new Map<string, Row>()
  readonly #users = new Map<string, Set<string>>()
  readonly #due: readonly DueIndex[]
  readonly #listeners = new Set<ChangeListener>()
  #channelIsUp = true
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
  write(record: SessionRecord, by: ChangeListener | null, bucket?: number): void {
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

  remove(id: string, by: ChangeListener | null): boolean {
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

  /** The channel: as Redis's client tracking in broadcasting mode, each process hears of every change that others make. */
  listen(listener: ChangeListener): () => void {
    this.#listeners.add(listener)
    this.options.time.after(this.options.roundTrip ?? 0, () => listener.opened())
    return () => void this.#listeners.delete(listener)
  }

  /** Nothing is told any more. @param noticed whether the processes know */
  cutChannel(noticed: boolean): void {
    this.#channelIsUp = false
    if (noticed) for (const listener of this.#listeners) listener.cut()
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

  #tell(id: string, by: ChangeListener | null): void {
    if (this.#listeners.size === 0) return
    const { time, tally, costs, roundTrip = 0, stretch = 1, processStretch = 1 } = this.options
    const messages = this.#listeners.size * processStretch
    tally.add('messages', messages)
    if (!this.#channelIsUp) return
    this.shardOf(this.bucketOf(id)).serve(time.now, costs.message.serverMicros * messages, stretch)
    time.after(roundTrip / 2, () => {
      // Redis tells the writer as well, whose store knows its own.
      for (const listener of this.#listeners) if (listener !== by) listener.changed(id)
    })
  }
}
