import { createHmac, createSecretKey, type KeyObject } from 'node:crypto'
import type { Key, Keyring } from '../keyring.ts'
import type { Secret, SessionId } from '../token.ts'

/** One of the application's keys, and what is derived from it: a key of its own for each purpose. */
export class ServerKey {
  readonly id: string
  readonly #records: KeyObject
  readonly #users: KeyObject
  readonly #owners: KeyObject
  readonly #data: KeyObject
  readonly #wraps: KeyObject

  constructor(key: Key) {
    const derive = (purpose: string): KeyObject => createSecretKey(key.derive(`session ${purpose}`))
    this.id = key.id
    this.#records = derive('records')
    this.#users = derive('users')
    this.#owners = derive('owners')
    this.#data = derive('data')
    this.#wraps = derive('wraps')
  }

  /** Authenticates a record: 43 base64url characters. */
  mac(text: string): string {
    return createHmac('sha256', this.#records).update(text).digest('base64url')
  }

  /** What a store calls a user: 43 base64url characters, the same for each of the user's sessions. */
  nameOf(userId: string): string {
    return createHmac('sha256', this.#users).update(userId).digest('base64url')
  }

  // A session's own key, lest one key seal so often that a random IV comes twice: at a thousand writes a second 2^32 take 50 days.

  /** Seals whose the session is. */
  ownerKey(id: SessionId): Buffer {
    return createHmac('sha256', this.#owners).update(id).digest()
  }

  /** Seals the data of a session that is not bound to its client. */
  dataKey(id: SessionId): Buffer {
    return createHmac('sha256', this.#data).update(id).digest()
  }

  /** Wraps the data key of a session for one of its secrets: HKDF-SHA-256 (RFC 5869) of the secret, this key being the salt. */
  wrapKey(secret: Secret): Buffer {
    // In two HMACs, as the RFC has it: node:crypto's hkdfSync takes three times as long.
    const extracted = createHmac('sha256', this.#wraps).update(secret).digest()
    return createHmac('sha256', extracted).update('sojourn session data key\x01').digest()
  }
}

/** All of them. */
export interface ServerKeys {
  /** Seals what is written. */
  readonly current: ServerKey
  /** The current one first. */
  readonly all: readonly ServerKey[]
  byId(id: string): ServerKey | null
}

export function serverKeys(keyring: Keyring): ServerKeys {
  const all = keyring.all.map((key) => new ServerKey(key))
  const byId = new Map(all.map((key) => [key.id, key]))
  return { current: all[0]!, all, byId: (id) => byId.get(id) ?? null }
}
