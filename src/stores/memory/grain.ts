import type { Grain } from './blocks.ts'

/** What a store may take, and how its share is dealt out. */
export interface Bounds {
  readonly maxBytes: number
  readonly grain: Grain
  /** How many chains of a table are added at a time. */
  readonly chains: number
  /** How many nodes of the tree of seconds are taken at a time, and what is kept free for them, in bytes. */
  readonly nodes: number
  readonly nodeBytes: number
  /** For the records in use as objects. */
  readonly hotPlaces: number
  readonly hotBytes: number
  /** For what is still to be told of expired sessions. */
  readonly reportBytes: number
}

/** Memory is taken in pieces of which a full store has hundreds, be it of 10 KB or of 10 GB. */
export function boundsFor(maxBytes: number): Bounds {
  const slab = powerOfTwo(maxBytes / 32, 2 ** 11, 2 ** 20)
  return {
    maxBytes,
    grain: { slab, page: Math.max(512, slab / 32) },
    chains: powerOfTwo(maxBytes / 2 ** 14, 2 ** 4, 2 ** 12),
    nodes: powerOfTwo(maxBytes / 2 ** 16, 2 ** 3, 2 ** 8),
    // Some sessions at any times need a few dozen, however small the store is.
    nodeBytes: Math.max(maxBytes / 32, 3000),
    hotPlaces: powerOfTwo(maxBytes / 2 ** 15, 2 ** 4, 2 ** 13),
    hotBytes: Math.min(maxBytes / 32, 2 ** 22),
    reportBytes: Math.min(maxBytes / 32, 2 ** 22),
  }
}

/** The greatest one that is not above the number, within bounds. */
function powerOfTwo(number: number, least: number, most: number): number {
  return Math.min(most, Math.max(least, 2 ** Math.floor(Math.log2(number))))
}
