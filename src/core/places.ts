/*
 * What is kept of the sessions that were in use last has one place for each, which others may have too: so it never grows, and is found
 * without a search.
 */

/** 2^11: `placeOf` shifts by 32 - 11. */
export const places = 2048

/** One of the places, by two characters of a text, which must be random. */
export function placeOf(text: string, at: number): number {
  // Fibonacci hashing: the characters lie close together in their alphabet.
  return Math.imul(text.charCodeAt(at) * 128 + text.charCodeAt(at + 1), 0x9e3779b1) >>> 21
}
