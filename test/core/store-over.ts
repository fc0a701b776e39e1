import type { Maybe, Removed, SessionRecord, Store, Swept, Touch } from '../../src/core/store.ts'

/** A store that passes every verb on: what a test's own store differs in, it overrides. */
export class StoreOver implements Store {
  readonly next: Store

  constructor(next: Store) {
    this.next = next
  }

  get name(): string {
    return `a test's, over ${this.next.name}`
  }

  get(id: string, options?: { readonly fresh?: boolean }): Maybe<SessionRecord | null> {
    return this.next.get(id, options)
  }

  put(record: SessionRecord, expected: number): Maybe<boolean> {
    return this.next.put(record, expected)
  }

  touch(batch: readonly Touch[]): Maybe<void> {
    return this.next.touch(batch)
  }

  delete(id: string): Maybe<boolean> {
    return this.next.delete(id)
  }

  list(userId?: string): AsyncIterable<SessionRecord> {
    return this.next.list(userId)
  }

  sweep(now: number, limit: number): Maybe<Swept> {
    return this.next.sweep(now, limit)
  }

  close(): Maybe<void> {
    return this.next.close()
  }

  set onEvicted(listener: ((removed: Removed) => void) | undefined) {
    this.next.onEvicted = listener
  }
}

/** Writes down what it is asked for. */
export class Counted extends StoreOver {
  readonly calls = { get: 0, put: 0, touch: 0, delete: 0, sweep: 0 }
  /** The batches of touches. */
  readonly touches: (readonly Touch[])[] = []

  override get(id: string, options?: { readonly fresh?: boolean }): Maybe<SessionRecord | null> {
    this.calls.get++
    return super.get(id, options)
  }

  override put(record: SessionRecord, expected: number): Maybe<boolean> {
    this.calls.put++
    return super.put(record, expected)
  }

  override touch(batch: readonly Touch[]): Maybe<void> {
    this.calls.touch++
    this.touches.push(batch)
    return super.touch(batch)
  }

  override delete(id: string): Maybe<boolean> {
    this.calls.delete++
    return super.delete(id)
  }

  override sweep(now: number, limit: number): Maybe<Swept> {
    this.calls.sweep++
    return super.sweep(now, limit)
  }
}

/** Answers later, as a database does: what is asked meanwhile is asked at once. */
export class Later extends StoreOver {
  override async get(id: string, options?: { readonly fresh?: boolean }): Promise<SessionRecord | null> {
    await turn()
    const record = await super.get(id, options)
    await turn()
    return record
  }

  override async put(record: SessionRecord, expected: number): Promise<boolean> {
    await turn()
    const landed = await super.put(record, expected)
    await turn()
    return landed
  }

  override async touch(batch: readonly Touch[]): Promise<void> {
    await turn()
    await super.touch(batch)
  }

  override async delete(id: string): Promise<boolean> {
    await turn()
    return await super.delete(id)
  }

  override async sweep(now: number, limit: number): Promise<Swept> {
    await turn()
    return await super.sweep(now, limit)
  }
}

/** One turn of the event loop. */
export function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve))
}
