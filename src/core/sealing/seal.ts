import { createCipheriv, createDecipheriv } from 'node:crypto'
import { randomBytes } from '../token.ts'

/*
 * How sealed bytes lie, as base64url: 2 bytes 0 1, the layout's number; 12 bytes of IV; 16 bytes of tag; what was sealed. The
 * first thirty bytes are exactly forty characters, so that the tag can be had without decoding what it belongs to.
 */
const layout = 1
const ivAt = 2
const tagAt = 14
const bodyAt = 30

/** The characters that hold the IV and the tag: whoever authenticates these has authenticated what was sealed. */
export const sealHeader = 40

// One for all calls, which are over before the next begins: with the random bytes of the pool, and the text encoded part by part
// where it lies, a seal copies no byte of what it seals and allocates nothing but the text.
const header = Buffer.alloc(bodyAt)
header[1] = layout
const iv = header.subarray(ivAt, tagAt)

/**
 * Seals text or bytes by AES-256-GCM. The IV is random: a key must not seal more than 2^32 times, so keys belong to one session
 * each.
 */
export function seal(key: Buffer, plain: string | Buffer): string {
  iv.set(randomBytes(iv.length))
  const cipher = createCipheriv('aes-256-gcm', key, iv)
  const body = typeof plain === 'string' ? cipher.update(plain, 'utf8') : cipher.update(plain)
  cipher.final()
  header.set(cipher.getAuthTag(), tagAt)
  return header.toString('base64url') + body.toString('base64url')
}

/** How long that text is, of so many bytes. */
export function sealedLength(bytes: number): number {
  return sealHeader + Math.ceil((bytes * 4) / 3)
}

/** What was sealed; null for anything that was not sealed with this key, or was changed since. */
export function unseal(key: Buffer, sealed: string): Buffer | null {
  const bytes = Buffer.from(sealed, 'base64url')
  if (bytes.length < bodyAt || bytes.readUInt16BE(0) !== layout) return null
  const decipher = createDecipheriv('aes-256-gcm', key, bytes.subarray(ivAt, tagAt), { authTagLength: bodyAt - tagAt })
  decipher.setAuthTag(bytes.subarray(tagAt, bodyAt))
  const plain = decipher.update(bytes.subarray(bodyAt))
  try {
    decipher.final()
  } catch {
    return null
  }
  return plain
}
