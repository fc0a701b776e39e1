import { isLocked } from '../../src/core/record.ts'
import { SealedRecord } from '../../src/core/sealing/sealed-record.ts'
import type { SessionRecord, Store } from '../../src/core/store.ts'

/** Hears what the core hands to the layer that seals it, so that the model can judge what is in a store that nobody can read. */
export class Overheard {
  readonly #versions = new Map<string, SessionRecord>()
  /** What was sealed, by what became of it. */
  readonly #texts = new Map<string, string>()

  listen(store: Store): void {
    const put = store.put.bind(store)
    store.put = (record, expected) => {
      this.#hear(record)
      return put(record, expected)
    }
  }

  /** What was heard of this version; its times may have been touched since. A record that nobody sealed is as it is. */
  opened(record: SessionRecord): SessionRecord {
    const heard = this.#versions.get(`${record.id} ${record.version}`)
    return heard === undefined ? record : { ...heard, lastSeenAt: record.lastSeenAt, expiresAt: record.expiresAt }
  }

  #hear(record: SessionRecord): void {
    if (!(record instanceof SealedRecord)) throw new Error('a record was not sealed')
    const { id, version, userId, createdAt, lastSeenAt, expiresAt, head } = record
    // Where the core itself can't read the data, it hands on what it once sealed.
    const sealed = record.stored.data
    const data = isLocked(record) ? this.#texts.get(sealed)! : record.data
    this.#texts.set(sealed, data)
    this.#versions.set(`${id} ${version}`, { id, version, userId, createdAt, lastSeenAt, expiresAt, head, data })
  }
}
