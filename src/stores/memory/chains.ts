import type { Blocks } from './blocks.ts'
import type { Format } from './format.ts'

// How many entries a chain has on average: longer ones cost time, shorter ones memory.
const load = 2

/**
 * The chains of a hash table whose entries hold the links themselves. It grows by one chain at a time (linear hashing), so that no
 * entry ever waits for a table to be copied. It does not shrink: a chain costs 4 bytes.
 */
export abstract class Chains {
  protected readonly blocks: Blocks
  protected readonly format: Format
  protected readonly seed: number
  /** What the chains take beside their entries. */
  taken = 0

  readonly #parts: Int32Array[] = []
  readonly #partShift: number
  readonly #partMask: number
  /** The chains at the start of this round of growth, a power of two less one; and how many of them have been split in two. */
  #mask: number
  #split = 0
  #entries = 0

  /**
   * @param part how many chains are added at a time to memory; a power of two
   * @param seed of the hashes, so that nobody can choose what falls into one chain
   */
  constructor(blocks: Blocks, part: number, format: Format, seed: number) {
    this.blocks = blocks
    this.format = format
    this.seed = seed
    this.#partShift = Math.log2(part)
    this.#partMask = part - 1
    this.#mask = part - 1
    this.#extend()
  }

  protected abstract hashOf(address: number): number
  protected abstract next(address: number): number
  protected abstract setNext(address: number, next: number): void

  get entries(): number {
    return this.#entries
  }

  /** How many parts hashes can be told apart in, for a walk: a chain never crosses from one to another, however the table grows. */
  get rounds(): number {
    return this.#mask + 1
  }

  /** The first entries of all chains of one of so many `rounds`. */
  *firstIn(round: number, rounds: number): Generator<number> {
    for (let chain = round; chain <= this.#mask + this.#split; chain += rounds) yield this.#first(chain)
  }

  protected first(hash: number): number {
    return this.#first(this.#chainOf(hash))
  }

  /** @param mayGrow whether memory for more chains may be taken; without, chains grow longer */
  protected add(address: number, hash: number, mayGrow: boolean): void {
    const chain = this.#chainOf(hash)
    this.setNext(address, this.#first(chain))
    this.#setFirst(chain, address)
    if (++this.#entries > (this.#mask + 1 + this.#split) * load) this.#grow(mayGrow)
  }

  protected remove(address: number, hash: number): void {
    this.#redirect(address, hash, this.next(address))
    this.#entries--
  }

  /** What stood at `from` has moved to `to`, with its link. */
  protected replace(from: number, hash: number, to: number): void {
    this.#redirect(from, hash, to)
  }

  #redirect(from: number, hash: number, to: number): void {
    const chain = this.#chainOf(hash)
    let entry = this.#first(chain)
    if (entry === from) {
      this.#setFirst(chain, to)
      return
    }
    for (;;) {
      const next = this.next(entry)
      if (next === from) break
      entry = next
    }
    this.setNext(entry, to)
  }

  #chainOf(hash: number): number {
    const chain = hash & this.#mask
    return chain < this.#split ? hash & (2 * this.#mask + 1) : chain
  }

  #first(chain: number): number {
    return this.#parts[chain >>> this.#partShift]![chain & this.#partMask]!
  }

  #setFirst(chain: number, address: number): void {
    this.#parts[chain >>> this.#partShift]![chain & this.#partMask] = address
  }

  /** Splits the next chain: those of its entries whose hash has the next bit go to a new one. */
  #grow(mayGrow: boolean): void {
    const chain = this.#split
    const added = this.#mask + 1 + chain
    if (added >>> this.#partShift === this.#parts.length) {
      if (!mayGrow) return
      this.#extend()
    }
    let entry = this.#first(chain)
    let staying = 0
    let going = 0
    while (entry !== 0) {
      const next = this.next(entry)
      if (this.hashOf(entry) & (this.#mask + 1)) {
        this.setNext(entry, going)
        going = entry
      } else {
        this.setNext(entry, staying)
        staying = entry
      }
      entry = next
    }
    this.#setFirst(chain, staying)
    this.#setFirst(added, going)
    this.#split++
    if (this.#split > this.#mask) {
      this.#mask = 2 * this.#mask + 1
      this.#split = 0
    }
  }

  #extend(): void {
    this.#parts.push(new Int32Array(this.#partMask + 1))
    this.taken += 4 * (this.#partMask + 1) + 150
  }
}
