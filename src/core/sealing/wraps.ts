import { sealedLength } from './seal.ts'

/*
 * The wraps of a session's data key as a record has them, one behind the other, all of one length: the beginning of the secret's
 * hash (8), the ID of the server's key (8), the data key sealed. So a request finds its own without parsing anything.
 */
const hashSize = 8
const keySize = 8
const sealedAt = hashSize + keySize
const size = sealedAt + sealedLength(32)

/** The data key as it was wrapped for one secret. */
export interface Wrap {
  /** The server's key that it was wrapped under. */
  readonly keyId: string
  readonly sealed: string
}

export function findWrap(wraps: string, hash: string): Wrap | null {
  const at = indexOf(wraps, hash)
  if (at === -1) return null
  return { keyId: wraps.slice(at + hashSize, at + sealedAt), sealed: wraps.slice(at + sealedAt, at + size) }
}

/** The wraps with one more, in place of the one that this secret had. */
export function addWrap(wraps: string, hash: string, { keyId, sealed }: Wrap): string {
  const at = indexOf(wraps, hash)
  const others = at === -1 ? wraps : wraps.slice(0, at) + wraps.slice(at + size)
  return others + hash.slice(0, hashSize) + keyId + sealed
}

/** The wraps of these secrets alone. */
export function keepWraps(wraps: string, hashes: readonly string[]): string {
  const beginnings = new Set(hashes.map((hash) => hash.slice(0, hashSize)))
  let kept = ''
  for (let at = 0; at < wraps.length; at += size) if (beginnings.has(wraps.slice(at, at + hashSize))) kept += wraps.slice(at, at + size)
  return kept
}

function indexOf(wraps: string, hash: string): number {
  const beginning = hash.slice(0, hashSize)
  for (let at = 0; at < wraps.length; at += size) if (wraps.startsWith(beginning, at)) return at
  return -1
}
