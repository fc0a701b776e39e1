import { json } from '../../src/core/codec.ts'
import { type Content, ContentFormat } from '../../src/core/content.ts'
import { decodeTombstone, isTombstone, type Tombstone } from '../../src/core/head.ts'
import { isPromise } from '../../src/core/routine.ts'
import { partsOf } from '../../src/core/sealing/layout.ts'
import type { GetOptions, Maybe, Removed, SessionRecord, Store, Touch } from '../../src/core/store.ts'
import { type Data, initial, type StoreUnderTest, type World } from './world.ts'

/** What the store was seen to do with one ID. */
export interface Seen {
  readonly id: string
  /** The newest live record. */
  last: SessionRecord
  tombstone: (Tombstone & { readonly record: SessionRecord; readonly moment: number }) | null
  /** Puts of a tombstone that are on their way. */
  ending: number
  /** Removed by a sweep while it was live; how often. */
  sweptLive: number
  /** An insert that was taken back: a login that failed. */
  abandoned: boolean
}

const format = new ContentFormat<Data>({ initial, codec: json, schema: undefined, schemaVersion: 1, maxSize: 1e6, migrate: undefined })

/** Looks on from right above the real store: what was put, what landed, what a sweep took. It changes nothing. */
export class Watch {
  readonly seen = new Map<string, Seen>()
  readonly texts = new Set<string>()
  readonly store: Store
  readonly #raw: Store
  readonly #readsLater: boolean
  readonly #world: World
  /** What the store was last seen to hold: all that anybody can know of it has come by here. */
  readonly #known = new Map<string, SessionRecord>()

  constructor({ raw, readsLater = false }: StoreUnderTest, world: World) {
    this.#raw = raw
    this.#readsLater = readsLater
    this.#world = world
    this.store = {
      name: raw.name,
      caches: raw.caches,
      get: (id, options) => this.#get(id, options),
      put: (record, expected) => this.#put(record, expected),
      touch: (batch) => this.#touch(batch),
      delete: (id) => this.#delete(id),
      list: (userId) => this.#list(userId),
      sweep: (now, limit) =>
        then(raw.sweep(now, limit), (swept) => {
          this.#swept(swept.removed)
          return swept
        }),
      // The store outlives the program.
      close: () => {},
    }
  }

  get(id: string): Seen | undefined {
    return this.seen.get(id)
  }

  /** What the store holds right now, past every queue, if it answers at once; otherwise what it was last seen to hold. */
  stored(id: string): SessionRecord | null {
    if (this.#readsLater) return this.#known.get(id) ?? null
    const stored = this.#raw.get(id, { fresh: true }) as SessionRecord | null
    return stored === null ? null : this.#world.opened(stored)
  }

  /** Reads sessions from the store, past every queue. */
  async look(ids: Iterable<string> = this.seen.keys()): Promise<void> {
    for (const id of ids) await this.#get(id, { fresh: true })
  }

  /** Whether a session was ended or moved, or is just about to be. */
  mayBeDead(id: string): boolean {
    const seen = this.seen.get(id)
    return seen === undefined || seen.tombstone !== null || seen.ending > 0 || seen.abandoned
  }

  /** The store itself says that this session opens for nobody. */
  isDead(id: string): boolean {
    const stored = this.stored(id)
    return (
      stored === null ||
      stored.expiresAt <= this.#world.clock.now() ||
      (isTombstone(stored.head) && stored.userId === null && stored.data === '')
    )
  }

  /** Dead for good: no write that is on its way can land. One that set out before the session expired may land after. */
  isOver(id: string): boolean {
    const stored = this.stored(id)
    return stored === null || isTombstone(stored.head)
  }

  contents({ last }: Seen): Content<Data> {
    return format.decode(last.data)
  }

  #get(id: string, options?: GetOptions): Maybe<SessionRecord | null> {
    const before = this.#known.get(id)
    return then(this.#raw.get(id, options), (record) => {
      if (record !== null) this.#note(record)
      // IDs never come again: one that was there and is not has gone for good.
      else if (before !== undefined) this.#known.delete(id)
      return record
    })
  }

  async *#list(userId?: string): AsyncGenerator<SessionRecord> {
    for await (const record of this.#raw.list(userId)) {
      if (this.#known.has(record.id)) this.#note(record)
      yield record
    }
  }

  #touch(batch: readonly Touch[]): Maybe<void> {
    return then(this.#raw.touch(batch), () => {
      for (const { id, version, lastSeenAt, expiresAt } of batch) {
        const known = this.#known.get(id)
        const lands = known?.version === version && known.expiresAt > lastSeenAt && known.expiresAt < expiresAt
        if (lands) this.#known.set(id, { ...known, lastSeenAt, expiresAt })
      }
    })
  }

  /** Answers may come in another order than they were given in. */
  #note(stored: SessionRecord): void {
    const record = this.#world.opened(stored)
    const known = this.#known.get(record.id)
    const isNewer = known === undefined || record.version > known.version
    if (isNewer || (record.version === known.version && record.expiresAt >= known.expiresAt)) this.#known.set(record.id, record)
  }

  #put(stored: SessionRecord, expected: number): Maybe<boolean> {
    const { fault } = this.#world
    const record = this.#world.opened(stored)
    const { id, head } = record
    const tombstone = decodeTombstone(head)
    this.texts.add(JSON.stringify(stored))
    let seen = this.seen.get(id)
    if (seen === undefined) {
      if (expected !== 0) fault(6, `a write went to ${id}, which nobody had inserted`)
      seen = { id, last: record, tombstone: null, ending: 0, sweptLive: 0, abandoned: false }
      this.seen.set(id, seen)
    } else if (expected === 0) {
      fault(6, `session ${this.#world.called(id)} was inserted a second time`)
    }
    const known = seen
    if (tombstone !== null) known.ending++
    return then(this.#raw.put(stored, expected), (landed) => {
      if (tombstone !== null) known.ending--
      if (!landed) return false
      this.#note(record)
      if (tombstone !== null) known.tombstone = { ...tombstone, record, moment: this.#world.moment() }
      else if (record.version > known.last.version) known.last = record
      if (known.tombstone !== null && known.last.version > known.tombstone.record.version) {
        fault(2, `a write landed over the tombstone of ${this.#world.called(id)}`)
      }
      return true
    })
  }

  #delete(id: string): Maybe<boolean> {
    const seen = this.seen.get(id)
    if (seen !== undefined) seen.abandoned = true
    return then(this.#raw.delete(id), (wasThere) => {
      this.#known.delete(id)
      return wasThere
    })
  }

  #swept(removed: readonly Removed[]): void {
    for (const { id, head } of removed) {
      this.#known.delete(id)
      const seen = this.seen.get(id)
      if (seen === undefined) this.#world.fault(6, `a sweep removed ${id}, which nobody had inserted`)
      else if (!isTombstone(partsOf(head)?.head ?? head)) {
        seen.sweptLive++
        this.#world.reached('a sweep takes a live record')
      }
    }
  }
}

function then<T, U>(value: Maybe<T>, next: (value: T) => U): Maybe<U> {
  return isPromise(value) ? value.then(next) : next(value)
}
