import { placeOf, places } from './places.ts'
import { hashLength, isHashOf, secretLength } from './secret-hash.ts'
import type { Secret } from './token.ts'

/*
 * The secrets that were proven last, each with the hash that it was proven by: one that comes again is compared, and not hashed
 * again, which took 3 of the 56 µs of a small request. They stay in this process's memory until others take their places.
 * As bytes in one piece, since a string cut out of a Cookie header would keep the whole header.
 */
const entryLength = hashLength + secretLength
const entries = new Uint8Array(places * entryLength)

/**
 * Whether the hash that stands at `at` is that of this secret, in a time that does not tell where they differ.
 *
 * @param stored where `hashSecret` of `token.ts` wrote it
 */
export function isProven(secret: Secret, stored: string, at: number): boolean {
  if (secret.length !== secretLength || stored.length < at + hashLength) return false
  // By two characters of the hash, which are random, and no secret.
  const entry = placeOf(stored, at) * entryLength
  if (isAt(entry, secret, stored, at)) return true
  if (!isHashOf(secret, stored, at)) return false
  for (let i = 0; i < hashLength; i++) entries[entry + i] = stored.charCodeAt(at + i)
  for (let i = 0; i < secretLength; i++) entries[entry + hashLength + i] = secret.charCodeAt(i)
  return true
}

function isAt(entry: number, secret: Secret, stored: string, at: number): boolean {
  let difference = 0
  for (let i = 0; i < hashLength; i++) difference |= entries[entry + i]! ^ stored.charCodeAt(at + i)
  for (let i = 0; i < secretLength; i++) difference |= entries[entry + hashLength + i]! ^ secret.charCodeAt(i)
  return difference === 0
}
