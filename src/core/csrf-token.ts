import { createHmac, timingSafeEqual } from 'node:crypto'
import { randomBytes } from './token.ts'

const size = 24
const shape = /^[\w-]{64}$/

/**
 * A token for a form of the session whose record has this key: 64 base64url characters, other ones each time. It is the key's HMAC
 * under a fresh mask, so that a compressed page in which an attacker reflects text gives nothing of it away (BREACH). The key is
 * the record's own: a login makes another, renewal leaves it.
 */
export function makeCsrfToken(key: string): string {
  const token = Buffer.allocUnsafe(2 * size)
  randomBytes(size).copy(token)
  const proof = proofOf(key)
  for (let i = 0; i < size; i++) token[size + i] = proof[i]! ^ token[i]!
  return token.toString('base64url')
}

/** Whether what a client sent is a token that was made under this key; in a time that does not tell where it differs. */
export function isCsrfToken(key: string, value: unknown): boolean {
  if (typeof value !== 'string' || value.length !== 64 || !shape.test(value)) return false
  const token = Buffer.from(value, 'base64url')
  for (let i = 0; i < size; i++) token[size + i]! ^= token[i]!
  return timingSafeEqual(token.subarray(size), proofOf(key))
}

// The check bits of secrets are of 16 bytes under the same key, and a client's hint has no NUL: no proof is ever one of those.
function proofOf(key: string): Buffer {
  return createHmac('sha256', key).update('csrf token\0').digest().subarray(0, size)
}
