import type { Blocks } from './blocks.ts'
import { NEWER, OLDER } from './layout.ts'

/** Records in the order of their use. The links are in the records: using one costs no look-up. */
export class Recency {
  readonly #blocks: Blocks
  newest = 0
  oldest = 0

  constructor(blocks: Blocks) {
    this.#blocks = blocks
  }

  add(address: number): void {
    const { words, shift, mask } = this.#blocks
    const own = words[address >>> shift]!
    const { newest } = this
    own[(address & mask) + NEWER] = 0
    own[(address & mask) + OLDER] = newest
    if (newest === 0) this.oldest = address
    else words[newest >>> shift]![(newest & mask) + NEWER] = address
    this.newest = address
  }

  remove(address: number): void {
    const own = this.#blocks.words[address >>> this.#blocks.shift]!
    this.#join(own[(address & this.#blocks.mask) + NEWER]!, own[(address & this.#blocks.mask) + OLDER]!)
  }

  /** Makes it the most recently used. */
  use(address: number): void {
    if (address === this.newest) return
    this.remove(address)
    this.add(address)
  }

  /** A record that stands in the order has moved, with its links. */
  move(to: number): void {
    const { words, shift, mask } = this.#blocks
    const newer = words[to >>> shift]![(to & mask) + NEWER]!
    const older = words[to >>> shift]![(to & mask) + OLDER]!
    if (newer === 0) this.newest = to
    else words[newer >>> shift]![(newer & mask) + OLDER] = to
    if (older === 0) this.oldest = to
    else words[older >>> shift]![(older & mask) + NEWER] = to
  }

  #join(newer: number, older: number): void {
    const { words, shift, mask } = this.#blocks
    if (newer === 0) this.newest = older
    else words[newer >>> shift]![(newer & mask) + OLDER] = older
    if (older === 0) this.oldest = newer
    else words[older >>> shift]![(older & mask) + NEWER] = newer
  }
}
