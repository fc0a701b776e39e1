import type { Blocks } from './blocks.ts'
import { DUE_NEXT, DUE_PREV } from './layout.ts'
import { lastSecond, Seconds } from './seconds.ts'

/**
 * Which record expires first, to the second. Those of one second stand in a ring, linked in themselves, so that one that comes,
 * goes or is touched costs a few words, and a sweep costs by what has expired.
 */
export class Expiry {
  readonly #blocks: Blocks
  readonly #seconds: Seconds
  readonly #expiresAt: (address: number) => number
  // How far a search got in a second that has passed in part: those from `#seen` on are known not to have expired by `#now`.
  #now = Number.NaN
  #second = 0
  #seen = 0

  /** @param expiresAt of the record at an address */
  constructor(blocks: Blocks, part: number, expiresAt: (address: number) => number) {
    this.#blocks = blocks
    this.#seconds = new Seconds(part)
    this.#expiresAt = expiresAt
  }

  get taken(): number {
    return this.#seconds.taken
  }

  add(address: number, expiresAt: number): void {
    const { words, shift, mask } = this.#blocks
    const second = secondOf(expiresAt)
    const own = words[address >>> shift]!
    const at = address & mask
    const first = this.#seconds.get(second)
    if (first === 0) {
      own[at + DUE_NEXT] = own[at + DUE_PREV] = address
      this.#seconds.set(second, address)
      return
    }
    // As the last, but before those that a search has seen, so that it will be looked at.
    const next = this.#seen !== 0 && second === this.#second ? this.#seen : first
    const nextWords = words[next >>> shift]!
    const nextAt = next & mask
    const prev = nextWords[nextAt + DUE_PREV]!
    own[at + DUE_NEXT] = next
    own[at + DUE_PREV] = prev
    nextWords[nextAt + DUE_PREV] = address
    words[prev >>> shift]![(prev & mask) + DUE_NEXT] = address
    if (first === this.#seen) this.#seconds.set(second, address)
  }

  remove(address: number, expiresAt: number): void {
    const { words, shift, mask } = this.#blocks
    const own = words[address >>> shift]!
    const next = own[(address & mask) + DUE_NEXT]!
    const prev = own[(address & mask) + DUE_PREV]!
    const second = secondOf(expiresAt)
    if (next === address) {
      if (this.#seen === address) this.#seen = 0
      this.#seconds.clear(second)
      return
    }
    const first = this.#seconds.get(second)
    // The one after it was seen as well, unless the ring begins there.
    if (this.#seen === address) this.#seen = next === first ? 0 : next
    words[next >>> shift]![(next & mask) + DUE_PREV] = prev
    words[prev >>> shift]![(prev & mask) + DUE_NEXT] = next
    if (first === address) this.#seconds.set(second, next)
  }

  /** Within the same second nothing changes its place. */
  change(address: number, from: number, to: number): void {
    if (secondOf(from) === secondOf(to)) {
      // It may have expired by a time at which it had not when it was seen.
      if (to < from) this.#seen = 0
      return
    }
    this.remove(address, from)
    this.add(address, to)
  }

  /** A record that stands in its ring has moved, with its links. */
  move(from: number, to: number, expiresAt: number): void {
    const { words, shift, mask } = this.#blocks
    const own = words[to >>> shift]!
    const at = to & mask
    const next = own[at + DUE_NEXT]!
    if (next === from) {
      own[at + DUE_NEXT] = own[at + DUE_PREV] = to
    } else {
      const prev = own[at + DUE_PREV]!
      words[next >>> shift]![(next & mask) + DUE_PREV] = to
      words[prev >>> shift]![(prev & mask) + DUE_NEXT] = to
    }
    if (this.#seen === from) this.#seen = to
    const second = secondOf(expiresAt)
    if (this.#seconds.get(second) === from) this.#seconds.set(second, to)
  }

  /**
   * A record whose time had come at `now`, of the first second that has one; 0 when there is none, -1 when `effort` were looked at
   * in vain, and one may be among the others.
   */
  firstDue(now: number, effort: number): number {
    const second = this.#seconds.first()
    if (second === -1 || second * 1000 > now) return 0
    let first = this.#seconds.get(second)
    if (second * 1000 + 999 <= now && second < lastSecond) return first
    // This second has not passed: each has to be looked at. What has not expired goes to the end of the ring.
    if (now !== this.#now) {
      this.#now = now
      this.#second = second
      this.#seen = 0
    }
    for (let looked = 0; looked < effort; looked++) {
      if (first === this.#seen) return 0
      if (this.#expiresAt(first) <= now) return first
      if (this.#seen === 0) this.#seen = first
      const { words, shift, mask } = this.#blocks
      first = words[first >>> shift]![(first & mask) + DUE_NEXT]!
      this.#seconds.set(second, first)
    }
    return first === this.#seen ? 0 : -1
  }
}

function secondOf(expiresAt: number): number {
  const second = Math.floor(expiresAt / 1000)
  // Also for what is no number: it goes with the last.
  return second < 0 ? 0 : second <= lastSecond ? second : lastSecond
}
