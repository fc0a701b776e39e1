import { bits24 } from './bits.ts'
import { Chains } from './chains.ts'
import { hashText } from './hash.ts'
import { CHAIN, ID, META, ODD } from './layout.ts'

/** Which record has an ID. Session IDs are kept as the 96 bits that they are; one of another shape as a hash, beside its text. */
export class Ids extends Chains {
  // The ID that was parsed last.
  one = 0
  two = 0
  three = 0
  isOdd = false

  /** @returns 0 when no record has it */
  find(id: string): number {
    this.parse(id)
    const { one, two, three } = this
    const { words, shift, mask } = this.blocks
    let address = this.first(this.#hash(one, two, three))
    while (address !== 0) {
      const own = words[address >>> shift]!
      const at = address & mask
      if (own[at + ID] === one && own[at + ID + 1] === two && own[at + ID + 2] === three) {
        const isOdd = (own[at + META]! & ODD) !== 0
        if (isOdd === this.isOdd && (!isOdd || this.format.isNamed(address, ODD, id))) return address
      }
      address = own[at + CHAIN]!
    }
    return 0
  }

  insert(address: number, mayGrow: boolean): void {
    this.add(address, this.hashOf(address), mayGrow)
  }

  delete(address: number): void {
    this.remove(address, this.hashOf(address))
  }

  move(from: number, to: number): void {
    this.replace(from, this.hashOf(to), to)
  }

  /** The record itself, and those after it in its chain. */
  *along(first: number): Generator<number> {
    for (let address = first; address !== 0; address = this.next(address)) yield address
  }

  protected override hashOf(address: number): number {
    const own = this.blocks.words[address >>> this.blocks.shift]!
    const at = (address & this.blocks.mask) + ID
    return this.#hash(own[at]!, own[at + 1]!, own[at + 2]!)
  }

  protected override next(address: number): number {
    return this.blocks.words[address >>> this.blocks.shift]![(address & this.blocks.mask) + CHAIN]!
  }

  protected override setNext(address: number, next: number): void {
    this.blocks.words[address >>> this.blocks.shift]![(address & this.blocks.mask) + CHAIN] = next
  }

  #hash(one: number, two: number, three: number): number {
    const mixed = Math.imul(one ^ this.seed, 0x85ebca6b) ^ Math.imul(two, 0xc2b2ae35) ^ three
    const hash = Math.imul(mixed ^ (mixed >>> 15), 0x27d4eb2d)
    return hash ^ (hash >>> 13)
  }

  /** Sets `one`, `two`, `three` and `isOdd`. */
  parse(id: string): void {
    this.isOdd = false
    if (id.length === 16) {
      const [a, b, c, d] = [bits24(id, 0), bits24(id, 4), bits24(id, 8), bits24(id, 12)]
      if ((a | b | c | d) >= 0) {
        this.one = (a << 8) | (b >>> 16)
        this.two = (b << 16) | (c >>> 8)
        this.three = (c << 24) | d
        return
      }
    }
    this.isOdd = true
    this.one = hashText(id, this.seed)
    this.two = hashText(id, this.one)
    this.three = hashText(id, this.two)
  }
}
