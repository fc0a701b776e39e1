import type { Maybe, Removed, SessionRecord, Store, Swept, Touch } from '../../core/store.ts'

/** A store that is still being opened: its verbs wait for that. */
export class OpeningStore implements Store {
  readonly name: string
  onEvicted?: ((removed: Removed) => void) | undefined

  #opening: Promise<Store>
  #store: Store | null = null

  constructor(name: string, opening: Promise<Store>) {
    this.name = name
    this.#opening = opening
    // A failure is each verb's own.
    opening.then(
      (store) => (this.#store = store),
      () => {},
    )
  }

  get(id: string, options?: { readonly fresh?: boolean }): Maybe<SessionRecord | null> {
    return this.#store === null ? this.#opening.then((store) => store.get(id, options)) : this.#store.get(id, options)
  }

  put(record: SessionRecord, expected: number): Maybe<boolean> {
    return this.#store === null ? this.#opening.then((store) => store.put(record, expected)) : this.#store.put(record, expected)
  }

  async touch(batch: readonly Touch[]): Promise<void> {
    await (await this.#opening).touch(batch)
  }

  async delete(id: string): Promise<boolean> {
    return await (await this.#opening).delete(id)
  }

  async *list(userId?: string): AsyncGenerator<SessionRecord, void> {
    yield* (await this.#opening).list(userId)
  }

  async sweep(now: number, limit: number): Promise<Swept> {
    return await (await this.#opening).sweep(now, limit)
  }

  async close(): Promise<void> {
    const store = await this.#opening.catch(() => null)
    await store?.close()
  }
}
