import { createCipheriv, createDecipheriv, createSecretKey, type KeyObject } from 'node:crypto'
import type { Keyring } from '../core/keyring.ts'
import { randomBytes } from '../core/token.ts'

const label = 'sealed sessions'
const algorithm = 'aes-256-gcm'
const version = '1'
const [keyIdLength, nonceLength, tagLength] = [8, 12, 16]
/** Where the nonce begins, which is random, behind what all seals of a key share. */
export const bodyAt = version.length + keyIdLength
// More than a Cookie header may have by far: no cipher meets a megabyte.
const lengthAtMost = 64 * 1024

/** What was sealed. */
export interface Unsealed {
  readonly text: string
  /** Whether the key that sealed it is the one that seals now. */
  readonly isCurrent: boolean
}

/**
 * Seals text so that nobody without a key can read it, change it, or show it under another name: AES-256-GCM under a key
 * derived for this purpose alone. A seal is printable:
 *
 *   version (1)  key ID (8)  base64url of: nonce (12 bytes)  ciphertext  tag (16 bytes)
 *
 * with the version, the key ID and the name as additional authenticated data.
 *
 * Nonces are random. Two seals with one nonce would give away both texts and the means to forge, and the chance of that stays
 * below 2^-32 for 2^32 seals under one key (NIST SP 800-38D, 8.3): docs/sealed.md tells how often to change keys.
 */
export class Sealer {
  readonly #current: string
  readonly #keys: ReadonlyMap<string, KeyObject>

  constructor(keyring: Keyring) {
    this.#current = keyring.current.id
    this.#keys = new Map(keyring.all.map((key) => [key.id, createSecretKey(key.derive(label))]))
  }

  seal(name: string, text: string): string {
    const prefix = version + this.#current
    const nonce = Buffer.from(randomBytes(nonceLength))
    const cipher = createCipheriv(algorithm, this.#keys.get(this.#current)!, nonce, { authTagLength: tagLength })
    cipher.setAAD(Buffer.from(prefix + name))
    const body = [nonce, cipher.update(text, 'utf8'), cipher.final(), cipher.getAuthTag()]
    return prefix + Buffer.concat(body).toString('base64url')
  }

  /** @returns null for anything that was not sealed under this name with one of the keys; it never throws */
  open(name: string, seal: string): Unsealed | null {
    if (seal.length < bodyAt || seal.length > lengthAtMost || !seal.startsWith(version)) return null
    const keyId = seal.slice(version.length, bodyAt)
    const key = this.#keys.get(keyId)
    if (key === undefined) return null
    const encoded = seal.slice(bodyAt)
    const body = Buffer.from(encoded, 'base64url')
    // Node reads over what is not base64url, and over the last character's spare bits: only the form that was issued is good.
    if (body.length < nonceLength + tagLength || body.toString('base64url') !== encoded) return null
    const decipher = createDecipheriv(algorithm, key, body.subarray(0, nonceLength), { authTagLength: tagLength })
    decipher.setAAD(Buffer.from(version + keyId + name))
    decipher.setAuthTag(body.subarray(-tagLength))
    try {
      const text = decipher.update(body.subarray(nonceLength, -tagLength), undefined, 'utf8') + decipher.final('utf8')
      return { text, isCurrent: keyId === this.#current }
    } catch {
      return null // The tag does not fit: it says nothing else, and nobody is told more.
    }
  }
}
