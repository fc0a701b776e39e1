import type { SessionRecord } from '../../core/store.ts'
import { bits24 } from './bits.ts'

// What a record takes on the heap as an object, with what its readers keep with it (the decoded data, several times the text).
const overhead = 400
const perCharacter = 4

/**
 * The records in use, as objects: whoever asks for one again gets the same object, without a look at its block. Each has one place,
 * by the end of its ID, which it loses to the next that is in use; all together are bounded in bytes.
 *
 * In use is what comes a second time. Each object that is kept is copied by the collections of young objects, so that to keep a
 * flood of sessions that come once made such a collection take 8 ms in the place of 2.
 */
export class Hot {
  readonly #records: (SessionRecord | undefined)[]
  readonly #addresses: Int32Array
  readonly #sizes: Int32Array
  /** The address of what came to each place last and was not kept. One that moved or went meanwhile is only kept later, or sooner. */
  readonly #once: Int32Array
  readonly #mostBytes: number
  #bytes = 0
  // A verb asks some times for the place of one ID.
  #id = ''
  #place = 0
  #hand = 0

  /** @param places a power of two, 2^24 at most */
  constructor(places: number, mostBytes: number) {
    this.#records = new Array<undefined>(places).fill(undefined)
    this.#addresses = new Int32Array(places)
    this.#sizes = new Int32Array(places)
    this.#once = new Int32Array(places)
    this.#mostBytes = mostBytes
  }

  /** The address of a record that is here; 0 for any other. */
  find(id: string): number {
    const place = this.#placeOf(id)
    return this.#records[place]?.id === id ? this.#addresses[place]! : 0
  }

  /** The record of an address that `find` answered, or that is known to be here. */
  at(address: number, id: string): SessionRecord | undefined {
    const place = this.#placeOf(id)
    return this.#addresses[place] === address ? this.#records[place] : undefined
  }

  /** Keeps it, if it is in use. @param record of an ID that is 96 bits */
  put(address: number, record: SessionRecord): void {
    const place = this.#placeOf(record.id)
    if (this.#addresses[place] !== address && this.#once[place] !== address) {
      this.#once[place] = address
      return
    }
    const size = overhead + record.head.length + perCharacter * record.data.length
    // A large one would cost many others their place.
    if (size * 8 > this.#mostBytes) {
      this.drop(address, place)
      return
    }
    this.#bytes += size - this.#sizes[place]!
    this.#records[place] = record
    this.#addresses[place] = address
    this.#sizes[place] = size
    while (this.#bytes > this.#mostBytes) {
      this.#hand = (this.#hand + 1) & (this.#records.length - 1)
      if (this.#hand !== place) this.#clear(this.#hand)
    }
  }

  /** @param end the last 24 bits of its ID */
  drop(address: number, end: number): void {
    const place = end & (this.#records.length - 1)
    if (this.#addresses[place] === address) this.#clear(place)
  }

  /** @param end the last 24 bits of its ID */
  move(from: number, to: number, end: number): void {
    const place = end & (this.#records.length - 1)
    if (this.#addresses[place] === from) this.#addresses[place] = to
  }

  #placeOf(id: string): number {
    if (id === this.#id) return this.#place
    this.#id = id
    return (this.#place = bits24(id, id.length - 4) & (this.#records.length - 1))
  }

  #clear(place: number): void {
    if (this.#addresses[place] === 0) return
    this.#bytes -= this.#sizes[place]!
    this.#records[place] = undefined
    this.#addresses[place] = this.#sizes[place] = 0
  }
}
