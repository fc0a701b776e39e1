import type { SessionRecord } from '../../core/store.ts'

/** A record that `next` was heard to have. */
export interface Entry {
  record: SessionRecord
  bytes: number
  /** When the read or put was sent that this is the answer of: what is there was so at that moment or later. */
  sentAt: number
  newer: Entry | null
  older: Entry | null
}

// What an entry costs beside its text: the objects, four numbers beyond 31 bits, its place in the Map. Measured on Node 20 as some 400 bytes.
const overhead = 440
const userOverhead = 24

/**
 * Records by their IDs, in the order of their use: what was not used for longest goes when the bytes don't suffice. The links are in
 * the entries, so that a use costs no allocation and no look-up.
 */
export class Recent {
  bytes = 0
  readonly #maxBytes: number
  readonly #entries = new Map<string, Entry>()
  #newest: Entry | null = null
  #oldest: Entry | null = null

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes
  }

  get count(): number {
    return this.#entries.size
  }

  find(id: string): Entry | undefined {
    return this.#entries.get(id)
  }

  /** Makes the entry the most recently used. */
  use(entry: Entry): void {
    if (this.#newest === entry) return
    this.#unlink(entry)
    this.#link(entry)
  }

  keep(record: SessionRecord, sentAt: number): void {
    const { id } = record
    const bytes = sizeOf(record)
    const found = this.#entries.get(id)
    // One that alone would push out all others is not worth it.
    if (bytes > this.#maxBytes) return this.drop(id)
    if (found === undefined) {
      const entry: Entry = { record, bytes, sentAt, newer: null, older: null }
      this.#entries.set(id, entry)
      this.#link(entry)
      this.bytes += bytes
    } else {
      this.bytes += bytes - found.bytes
      found.record = record
      found.bytes = bytes
      found.sentAt = sentAt
      this.use(found)
    }
    while (this.bytes > this.#maxBytes) this.#remove(this.#oldest!)
  }

  drop(id: string): void {
    const entry = this.#entries.get(id)
    if (entry !== undefined) this.#remove(entry)
  }

  clear(): void {
    this.#entries.clear()
    this.#newest = this.#oldest = null
    this.bytes = 0
  }

  #remove(entry: Entry): void {
    this.#entries.delete(entry.record.id)
    this.#unlink(entry)
    this.bytes -= entry.bytes
  }

  #link(entry: Entry): void {
    entry.older = this.#newest
    if (this.#newest === null) this.#oldest = entry
    else this.#newest.newer = entry
    this.#newest = entry
  }

  #unlink(entry: Entry): void {
    const { newer, older } = entry
    if (newer === null) this.#newest = older
    else newer.older = older
    if (older === null) this.#oldest = newer
    else older.newer = newer
    entry.newer = entry.older = null
  }
}

function sizeOf({ id, userId, head, data }: SessionRecord): number {
  return overhead + (userId === null ? 0 : userOverhead + textSize(userId)) + textSize(id) + textSize(head) + textSize(data)
}

// V8 keeps text in one byte a character where all are Latin-1, else in two. Asking only for ASCII is quick and never too low.
function textSize(text: string): number {
  return Buffer.byteLength(text) === text.length ? text.length : 2 * text.length
}
