import { setTimeout as delay } from 'node:timers/promises'
import type { SessionRecord, Store, Touch } from '../../src/core/store.ts'
import { memory } from '../../src/stores/memory.ts'

/** A memory store that answers as late as a database does, and counts what it was asked. */
export class DelayedStore implements Store {
  readonly name = 'delayed memory'
  gets = 0
  puts = 0
  /** Puts that another one had come before. */
  missed = 0
  touches = 0
  readonly #store: Store
  readonly #ms: number

  /** @param store several of these over one are several processes on one database */
  constructor(store: Store = memory(), ms = 2) {
    this.#store = store
    this.#ms = ms
  }

  async get(id: string): Promise<SessionRecord | null> {
    this.gets++
    await delay(this.#ms)
    return await this.#store.get(id)
  }

  async put(record: SessionRecord, expected: number): Promise<boolean> {
    this.puts++
    await delay(this.#ms)
    const landed = await this.#store.put(record, expected)
    if (!landed) this.missed++
    await delay(this.#ms)
    return landed
  }

  async touch(batch: readonly Touch[]): Promise<void> {
    this.touches += batch.length
    await delay(this.#ms)
    await this.#store.touch(batch)
  }

  async delete(id: string): Promise<boolean> {
    await delay(this.#ms)
    return await this.#store.delete(id)
  }

  async *list(userId?: string): AsyncGenerator<SessionRecord> {
    await delay(this.#ms)
    yield* this.#store.list(userId)
  }

  async sweep(
    now: number,
    limit: number,
  ): Promise<{ removed: readonly { id: string; userId: string | null; head: string }[]; more: boolean }> {
    await delay(this.#ms)
    return await this.#store.sweep(now, limit)
  }

  async close(): Promise<void> {
    await delay(this.#ms)
    await this.#store.close()
  }
}
