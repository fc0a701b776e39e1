import { expectTypeOf } from 'vitest'
import type { CallOptions, Maybe, Removed, SessionRecord, Store, Swept, Touch } from '../../src/core/store.ts'
import { createSessions } from '../../src/index.ts'
import { disk } from '../../src/stores/disk.ts'
import { memory } from '../../src/stores/memory.ts'
import { openStore } from '../../src/stores/open.ts'
import { type StoreCase, storeCases } from '../../src/testing/index.ts'

// A store is written by anyone, from the contract alone: as a class that answers later, …
class Later implements Store {
  readonly name = 'later'
  readonly #records = new Map<string, SessionRecord>()

  async get(id: string): Promise<SessionRecord | null> {
    return await Promise.resolve(this.#records.get(id) ?? null)
  }

  async put(record: SessionRecord, expected: number): Promise<boolean> {
    if (((await this.get(record.id))?.version ?? 0) !== expected) return false
    this.#records.set(record.id, record)
    return true
  }

  async touch(batch: readonly Touch[]): Promise<void> {
    for (const { id, lastSeenAt, expiresAt } of batch) {
      const record = await this.get(id)
      if (record !== null) this.#records.set(id, { ...record, lastSeenAt, expiresAt })
    }
  }

  async delete(id: string): Promise<boolean> {
    return await Promise.resolve(this.#records.delete(id))
  }

  async *list(userId?: string): AsyncGenerator<SessionRecord> {
    for (const record of this.#records.values()) if (userId === undefined || record.userId === userId) yield await Promise.resolve(record)
  }

  async sweep(_now: number, _limit: number): Promise<Swept> {
    return await Promise.resolve({ removed: [], more: false })
  }

  async close(): Promise<void> {
    await Promise.resolve()
  }
}

// … or as an object that answers at once.
const atOnce: Store = {
  name: 'at once',
  get: () => null,
  put: () => true,
  touch: () => {},
  delete: () => false,
  async *list() {},
  sweep: () => ({ removed: [], more: false }),
  close: () => {},
}

createSessions({ store: new Later() })
createSessions({ store: atOnce })
expectTypeOf(storeCases(() => new Later())).toEqualTypeOf<StoreCase[]>()
expectTypeOf(
  storeCases(
    async () => await Promise.resolve(atOnce),
    () => atOnce,
  ),
).toEqualTypeOf<StoreCase[]>()

// @ts-expect-error sweep is missing
const incomplete: Store = {
  name: 'x',
  get: () => null,
  put: () => true,
  touch: () => {},
  delete: () => false,
  async *list() {},
  close: () => {},
}
// @ts-expect-error undefined is not null
const vague: Store = { ...atOnce, get: () => undefined }
// @ts-expect-error whether it landed must be told
const silent: Store = { ...atOnce, put: () => {} }
void [incomplete, vague, silent]

// Records are never changed in place.
declare const record: SessionRecord
// @ts-expect-error readonly
record.version = 2
expectTypeOf<Parameters<Store['put']>>().toEqualTypeOf<[record: SessionRecord, expected: number, options?: CallOptions | undefined]>()
expectTypeOf<ReturnType<Store['get']>>().toEqualTypeOf<Maybe<SessionRecord | null>>()
expectTypeOf<NonNullable<Store['onEvicted']>>().parameter(0).toEqualTypeOf<Removed>()

// The stores that come with the library.
expectTypeOf(memory()).toExtend<Store>()
expectTypeOf(memory({ maxBytes: 1_000_000, maxSessions: 10 })).toExtend<Store>()
expectTypeOf(disk('./sessions', { durability: 'flushed' })).toExtend<Store>()
expectTypeOf(openStore('memory:')).toEqualTypeOf<Promise<Store>>()
// @ts-expect-error no such durability
disk('./sessions', { durability: 'perhaps' })
// @ts-expect-error no such option
memory({ maxSize: 10 })
