import { SojournError } from '../../core/errors.ts'
import { isPromise } from '../../core/routine.ts'
import type { CallOptions, GetOptions, Maybe, Removed, SessionRecord, Store, Swept, Touch } from '../../core/store.ts'
import { overflowingMemory, type PromptStore } from '../memory.ts'
import { Claim, claimId } from './claim.ts'
import { unknown } from './residents.ts'
import { Saver } from './saver.ts'

export interface OverflowOptions {
  readonly maxBytes: number
  /** For how long, in ms, what was written may be in memory alone. */
  readonly backup: number
}

const freshly = { fresh: true }

/**
 * Sessions in memory, with `next` for those that it has no room for, and for the time after this process.
 *
 * What is in memory is the truth. `next` has older copies of some of it, and alone what nobody used for long. Every verb first gets its
 * session here, then does its work in memory, at once. There is one such store for each `next`, which a claim sees to.
 */
export class Overflow implements Store {
  readonly name: string
  readonly time?: (options?: CallOptions) => Maybe<number>
  readonly #next: Store
  readonly #memory: PromptStore
  readonly #saver: Saver
  readonly #claim: Claim
  /** What expired here and is told of for that, for as long as a sweep of `next` that has begun may have met its copy. */
  readonly #told = new Map<string, Promise<unknown>>()
  /** The reads of `next` that bring a session here. */
  readonly #loads = new Map<string, Promise<SessionRecord | null>>()
  /** Null once `next` is ours. */
  #claiming: Promise<void> | null
  #closing: Promise<void> | null = null

  constructor(next: Store, { maxBytes, backup }: OverflowOptions) {
    this.name = `tiered:${next.name}`
    this.#next = next
    this.#claim = new Claim(next, this.name)
    // The rest is for what is known of each, and for what is on its way out.
    this.#saver = new Saver(next, () => this.#memory, this.#claim, { backup, mostLeaving: maxBytes / 12 })
    this.#memory = overflowingMemory((maxBytes * 3) / 5, this.#saver.spill)
    if (next.time !== undefined) this.time = (options) => next.time!(options)
    const claiming = this.#claim.begin(() => this.#closing === null)
    this.#claiming = claiming
    // Who calls a verb is told.
    claiming.then(
      () => (this.#claiming = null),
      () => {},
    )
  }

  set onEvicted(listener: ((removed: Removed) => void) | undefined) {
    this.#next.onEvicted = listener
  }

  get(id: string, options?: GetOptions): Maybe<SessionRecord | null> {
    const claiming = this.#open('get')
    if (claiming !== null) return claiming.then(() => this.get(id, options))
    return this.#here(id) ?? this.#load(id)
  }

  put(record: SessionRecord, expected: number): Maybe<boolean> {
    const claiming = this.#open('put')
    if (claiming !== null) return claiming.then(() => this.put(record, expected))
    if (this.#saver.isCrowded) return this.#saver.room().then(() => this.put(record, expected))
    const { id } = record
    if (this.#here(id) !== null) return this.#putHere(record, expected)
    const loaded = this.#load(id)
    return isPromise(loaded) ? loaded.then((found) => this.#putLoaded(found, record, expected)) : this.#putLoaded(loaded, record, expected)
  }

  #putLoaded(loaded: SessionRecord | null, record: SessionRecord, expected: number): Maybe<boolean> {
    // What is acknowledged after it was closed would not be saved any more.
    const claiming = this.#open('put')
    if (claiming !== null) return claiming.then(() => this.put(record, expected))
    const { id } = record
    if (id === claimId) return false
    if (this.#here(id) !== null) return this.#putHere(record, expected)
    // Too large for memory, or removed while it was read.
    if (loaded !== null) return this.#putThrough(record, expected)
    return this.#saver.residents.find(id) === undefined ? this.#putHere(record, expected) : this.put(record, expected)
  }

  /** Over what is in memory, or where nothing is anywhere. */
  #putHere(record: SessionRecord, expected: number): Maybe<boolean> {
    if (this.#saver.leavingOf(record.id) !== undefined) return this.#putThrough(record, expected)
    try {
      if (!this.#memory.put(record, expected)) return false
    } catch (error) {
      if (error instanceof SojournError && error.code === 'ERR_SOJOURN_STORE_FULL') return this.#putThrough(record, expected)
      throw error
    }
    const resident = this.#saver.changed(record.id)
    // Should this process die, the copy must not bring back what has ended.
    if (resident.stored !== 0 && isEnd(record)) return this.#saver.save(record.id).then(() => true)
    return true
  }

  /** What memory can't hold goes to `next` as it comes. */
  async #putThrough(record: SessionRecord, expected: number): Promise<boolean> {
    const { id } = record
    for (;;) {
      await this.#saver.save(id)
      const landed = await this.#saver.alone(id, async (resident) => {
        const here = this.#saver.peek(id)
        if (here !== null && here.version !== expected) return false
        // Changed since it was saved.
        if (resident.isDirty) return null
        this.#loads.delete(id)
        this.#memory.delete(id)
        resident.stored = unknown
        await this.#open('put')
        return await this.#next.put(record, expected)
      })
      if (landed !== null) return landed
    }
  }

  touch(batch: readonly Touch[]): Maybe<void> {
    const claiming = this.#open('touch')
    if (claiming !== null) return claiming.then(() => this.touch(batch))
    const waiting: Promise<unknown>[] = []
    for (const touch of batch) {
      const found = this.#here(touch.id) ?? this.#load(touch.id)
      const done = isPromise(found) ? found.then((loaded) => this.#touch(loaded, touch)) : this.#touch(found, touch)
      if (isPromise(done)) waiting.push(done)
    }
    if (waiting.length === 0) return
    return Promise.all(waiting).then(() => {})
  }

  #touch(found: SessionRecord | null, touch: Touch): Maybe<void> {
    const claiming = this.#open('touch')
    if (claiming !== null) return claiming.then(() => this.touch([touch]))
    if (found === null) return
    const { id, version, lastSeenAt, expiresAt } = touch
    const record = this.#here(id)
    // Too large for memory.
    if (record === null) return this.#next.touch([touch])
    if (record.version !== version || record.expiresAt <= lastSeenAt || record.expiresAt >= expiresAt) return
    this.#memory.touch([touch])
    this.#saver.changed(id)
  }

  delete(id: string): Maybe<boolean> {
    const claiming = this.#open('delete')
    if (claiming !== null) return claiming.then(() => this.delete(id))
    if (id === claimId) return false
    const resident = this.#saver.residents.find(id)
    if (resident !== undefined && resident.stored === 0 && resident.work === null) return this.#drop(id)
    return this.#saver.alone(id, async () => {
      await this.#open('delete')
      const removed = await this.#next.delete(id)
      return this.#drop(id) || removed
    })
  }

  async *list(userId?: string, options?: CallOptions): AsyncGenerator<SessionRecord, void> {
    await this.#open('list')
    const listed = new Set<string>()
    const isOne = (record: SessionRecord): boolean => !listed.has(record.id) && (userId === undefined || record.userId === userId)
    const { moved, end } = this.#saver.noteMoved()
    try {
      for await (const record of this.#memory.list(userId)) {
        listed.add(record.id)
        yield record
        await this.#open('list')
      }
      // Of these `next` has those that are not here any more.
      for (const id of moved) {
        const record = this.#saver.peek(id)
        if (record === null || !isOne(record)) continue
        listed.add(id)
        yield record
        await this.#open('list')
      }
    } finally {
      end()
    }
    for await (const stored of this.#next.list(userId, options)) {
      const record = this.#saver.peek(stored.id) ?? stored
      if (record.id === claimId || !isOne(record)) continue
      listed.add(record.id)
      yield record
      await this.#open('list')
    }
  }

  async sweep(now: number, limit: number, options?: CallOptions): Promise<Swept> {
    await this.#open('sweep')
    const here = this.#memory.sweep(now, limit)
    await Promise.all(here.removed.map(async ({ id }) => await this.#removeCopy(id)))
    if (here.removed.length >= limit) return { removed: here.removed, more: true }
    for (const id of this.#saver.leaving()) await this.#saver.save(id)
    return await this.#saver.duringSweep(now, async () => {
      const { removed, more } = await this.#next.sweep(now, limit - here.removed.length, options)
      return { removed: [...here.removed, ...removed.filter(({ id }) => id !== claimId && this.#isGone(id))], more }
    })
  }

  /** Whether a record that `next` removed, since it had expired there, is one that lives on here: then it has to be brought there anew. */
  #isGone(id: string): boolean {
    this.#loads.delete(id)
    if (this.#here(id) === null) return !this.#told.has(id)
    const resident = this.#saver.changed(id)
    resident.stored = 0
    return false
  }

  /** What expired here is told of once: its copy must not be swept as well. */
  async #removeCopy(id: string): Promise<void> {
    const resident = this.#saver.residents.find(id)
    if (resident === undefined) return
    if (resident.stored === 0 && resident.work === null) return this.#saver.residents.remove(resident)
    const removal = this.#saver.alone(id, async (one) => {
      this.#saver.residents.saved(one)
      await this.#next.delete(id)
      one.stored = 0
    })
    this.#told.set(id, removal)
    const forget = (): void => {
      if (this.#told.get(id) === removal) this.#told.delete(id)
    }
    try {
      await removal
    } catch (error) {
      forget() // Nobody is told by this sweep: whichever meets the copy tells of it.
      throw error
    }
    void this.#saver.sweepsOver().then(forget)
  }

  close(): Promise<void> {
    return (this.#closing ??= this.#close())
  }

  async #close(): Promise<void> {
    try {
      await this.#claiming?.catch(() => {})
      await this.#saver.finish()
      await this.#claim.release()
    } finally {
      this.#memory.close()
      await this.#next.close()
    }
  }

  /** What is in memory, or was on its way out of it. */
  #here(id: string): SessionRecord | null {
    const found = this.#memory.get(id)
    if (found !== null) return found
    const leaving = this.#saver.leavingOf(id)
    if (leaving === undefined) return null
    try {
      this.#memory.put(leaving, 0)
      this.#saver.stay(id)
    } catch (error) {
      // Memory has less room than when it was new: then it goes on its way, and is read while it does.
      if (!(error instanceof SojournError) || error.code !== 'ERR_SOJOURN_STORE_FULL') throw error
    }
    return leaving
  }

  /** Brings a session here. */
  #load(id: string): Maybe<SessionRecord | null> {
    if (id === claimId) return null
    const work = this.#saver.residents.find(id)?.work ?? null
    if (work !== null) {
      const again = (): Maybe<SessionRecord | null> => this.#here(id) ?? this.#load(id)
      return work.then(again, again)
    }
    const going = this.#loads.get(id)
    if (going !== undefined) return going
    const found = this.#next.get(id, freshly)
    if (!isPromise(found)) return this.#admit(id, found)
    const load: Promise<SessionRecord | null> = found.then(
      (record) => {
        // It was removed, or written to past memory, while it was read.
        const isGood = this.#loads.get(id) === load
        this.#loads.delete(id)
        return isGood ? this.#admit(id, record) : record
      },
      (error: unknown) => {
        this.#loads.delete(id)
        throw error
      },
    )
    this.#loads.set(id, load)
    return load
  }

  #admit(id: string, record: SessionRecord | null): SessionRecord | null {
    const here = this.#here(id)
    if (here !== null || record === null || this.#saver.residents.find(id) !== undefined) return here ?? record
    // It would push out another, for which there is no room either.
    if (this.#saver.isCrowded) return record
    try {
      this.#memory.put(record, 0)
    } catch (error) {
      if (error instanceof SojournError && error.code === 'ERR_SOJOURN_STORE_FULL') return record
      throw error
    }
    this.#saver.residents.add(id, record.version, record.expiresAt)
    return record
  }

  #drop(id: string): boolean {
    this.#loads.delete(id)
    const wasHere = this.#saver.peek(id) !== null
    this.#saver.stay(id)
    this.#memory.delete(id)
    const resident = this.#saver.residents.find(id)
    if (resident === undefined) return wasHere
    this.#saver.residents.saved(resident)
    resident.stored = 0
    if (resident.work === null) this.#saver.residents.remove(resident)
    return wasHere
  }

  /** @returns what is to be waited for, while the store is not ours yet, or not known to be */
  #open(verb: string): Promise<void> | null {
    if (this.#closing !== null) {
      throw new SojournError(
        'ERR_SOJOURN_CLOSED',
        `The store ${this.name} was asked to ${verb} after it was closed. Close it when the last request has been answered.`,
      )
    }
    return this.#claiming ?? this.#claim.check()
  }
}

/** A tombstone: nobody's, without data. */
function isEnd({ userId, data }: SessionRecord): boolean {
  return userId === null && data === ''
}
