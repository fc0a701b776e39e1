import { hkdfSync } from 'node:crypto'
import { SojournError } from './errors.ts'

/**
 * A key as an application gives it: 32 random bytes or more, as base64, base64url or hexadecimal text, or as bytes. Undefined,
 * as an unset environment variable is, is an error at start.
 */
export type KeyMaterial = string | Uint8Array | undefined

/** One of the application's keys. Nothing is ever encrypted or signed with it: each purpose has a key of its own, derived from it. */
export interface Key {
  /** Tells the key from others, in what it sealed: 8 base64url characters, derived from it. Public. */
  readonly id: string
  /**
   * The key for one purpose, by HKDF-SHA-256 (RFC 5869).
   *
   * @param label names the purpose; two purposes with one label would have one key (CVE-2023-48309)
   */
  derive(label: string): Buffer
}

/** The application's keys. The first one seals, all open: so a key is changed without anybody losing what the old one sealed. */
export interface Keyring {
  readonly current: Key
  /** All of them, the current one first. */
  readonly all: readonly Key[]
  /** The key with this ID; null when it is none of these, or none any more. */
  byId(id: string): Key | null
}

const bytesAtLeast = 32
const mend = 'make one with `openssl rand -base64 32`, and give it to all processes (say, as an environment variable)'

/**
 * @param option where the keys were given, for messages
 * @throws ERR_SOJOURN_OPTION for what can't be a key; no message holds any of it
 */
export function parseKeys(keys: readonly KeyMaterial[], option = 'keys'): Keyring {
  if (!Array.isArray(keys) || keys.length === 0)
    throw new SojournError('ERR_SOJOURN_OPTION', `${option} must be a list of at least one key; ${mend}.`)
  const all = keys.map((key: KeyMaterial, i) => new DerivedKeys(materialOf(key, `${option}[${i}]`)))
  const known = new Map(all.map((key) => [key.id, key] as const))
  if (known.size < all.length)
    throw new SojournError(
      'ERR_SOJOURN_OPTION',
      `${option} holds one key twice; leave it once, the newest first, then those that it replaced.`,
    )
  return { current: all[0]!, all, byId: (id) => known.get(id) ?? null }
}

class DerivedKeys implements Key {
  readonly id: string
  readonly #material: Uint8Array

  constructor(material: Uint8Array) {
    this.#material = material
    this.id = this.#expand('key id', 6).toString('base64url')
  }

  derive(label: string): Buffer {
    return this.#expand(`key for ${label}`, 32)
  }

  // RFC 5869, 3.1: without a salt the material must be random by itself, which is what is asked of it.
  #expand(label: string, size: number): Buffer {
    return Buffer.from(hkdfSync('sha256', this.#material, '', `sojourn ${label}`, size))
  }
}

function materialOf(key: unknown, where: string): Uint8Array {
  const refuse = (what: string): never => {
    throw new SojournError('ERR_SOJOURN_OPTION', `${where} ${what}; ${mend}.`)
  }
  if (key === undefined || key === null || key === '')
    return refuse('is missing: it is undefined or empty, as an unset environment variable is')
  if (typeof key !== 'string' && !(key instanceof Uint8Array)) return refuse(`is a ${typeof key}, and must be text or a Uint8Array`)
  const bytes = typeof key === 'string' ? decode(key.trim()) : Uint8Array.from(key)
  if (bytes === null) return refuse('is text that is neither base64, base64url nor hexadecimal: a password is no key')
  if (bytes.length < bytesAtLeast) return refuse(`has ${bytes.length} bytes, and must have at least ${bytesAtLeast}`)
  // Zeros, or one letter over and over: a placeholder that was never filled in. Random bytes never look like that.
  if (new Set(bytes).size < 8) return refuse('is not random: it repeats a few bytes')
  return bytes
}

function decode(text: string): Uint8Array | null {
  // Hexadecimal first: its letters are base64 as well.
  if (/^(?:[\da-f]{2})+$/i.test(text)) return Buffer.from(text, 'hex')
  return /^(?:[\w-]+|[A-Za-z\d+/]+)={0,2}$/.test(text) ? Buffer.from(text, 'base64') : null
}
