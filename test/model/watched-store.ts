import { json } from '../../src/core/codec.ts'
import { type Content, ContentFormat } from '../../src/core/content.ts'
import { decodeTombstone, isTombstone, type Tombstone } from '../../src/core/head.ts'
import { isPromise } from '../../src/core/routine.ts'
import type { Maybe, Removed, SessionRecord, Store } from '../../src/core/store.ts'
import { type Data, initial, type World } from './world.ts'

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
  readonly #world: World

  constructor(raw: Store, world: World) {
    this.#raw = raw
    this.#world = world
    this.store = {
      name: raw.name,
      get: (id, options) => raw.get(id, options),
      put: (record, expected) => this.#put(record, expected),
      touch: (batch) => raw.touch(batch),
      delete: (id) => this.#delete(id),
      list: (userId) => raw.list(userId),
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

  /** What the store holds right now, past every queue. Both stores answer this at once. */
  stored(id: string): SessionRecord | null {
    return this.#raw.get(id, { fresh: true }) as SessionRecord | null
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

  #put(record: SessionRecord, expected: number): Maybe<boolean> {
    const { fault } = this.#world
    const { id, head } = record
    const tombstone = decodeTombstone(head)
    this.texts.add(JSON.stringify(record))
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
    return then(this.#raw.put(record, expected), (landed) => {
      if (tombstone !== null) known.ending--
      if (!landed) return false
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
    return this.#raw.delete(id)
  }

  #swept(removed: readonly Removed[]): void {
    for (const { id, head } of removed) {
      const seen = this.seen.get(id)
      if (seen === undefined) this.#world.fault(6, `a sweep removed ${id}, which nobody had inserted`)
      else if (!isTombstone(head)) {
        seen.sweptLive++
        this.#world.reached('a sweep takes a live record')
      }
    }
  }
}

function then<T, U>(value: Maybe<T>, next: (value: T) => U): Maybe<U> {
  return isPromise(value) ? value.then(next) : next(value)
}
