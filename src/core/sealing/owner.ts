import type { SessionId } from '../token.ts'
import { seal, unseal } from './seal.ts'
import type { ServerKey, ServerKeys } from './server-keys.ts'

type Identity = readonly [userId: string | null, device: string | null]

const keySize = 8

/**
 * Whose a session is, and on which device. The store sees a keyed hash of the user, by which it finds the user's sessions, and
 * the rest sealed; opened when it is first asked for.
 */
export class Owner {
  /** The server's key that both are under. */
  readonly key: ServerKey
  /** What the store calls the user; null for an anonymous visitor. */
  readonly name: string | null
  /** As it stands in a record: the ID of the key, what was sealed; empty where there is nothing to tell. */
  readonly stored: string
  readonly #id: SessionId
  #opened: Identity | null

  private constructor(key: ServerKey, id: SessionId, name: string | null, stored: string, opened: Identity | null) {
    this.key = key
    this.#id = id
    this.name = name
    this.stored = stored
    this.#opened = opened
  }

  static of(key: ServerKey, id: SessionId, userId: string | null, device: string | null): Owner {
    const name = userId === null ? null : key.nameOf(userId)
    const stored = userId === null && device === null ? '' : key.id + seal(key.ownerKey(id), JSON.stringify([userId, device]))
    return new Owner(key, id, name, stored, [userId, device])
  }

  /** Null where the key is none of these. */
  static read(keys: ServerKeys, id: SessionId, name: string | null, stored: string): Owner | null {
    if (stored === '') return new Owner(keys.current, id, name, stored, nobody)
    const key = keys.byId(stored.slice(0, keySize))
    return key === null ? null : new Owner(key, id, name, stored, null)
  }

  get userId(): string | null {
    return this.name === null ? null : this.#identity()[0]
  }

  get device(): string | null {
    return this.#identity()[1]
  }

  /** The same owner under this key. */
  under(key: ServerKey): Owner {
    return key === this.key ? this : Owner.of(key, this.#id, this.userId, this.device)
  }

  // Opened is what a MAC was found right for, or what a sweep tells of: there, what can't be opened is somebody else's.
  #identity(): Identity {
    return (this.#opened ??= this.#open())
  }

  #open(): Identity {
    const plain = unseal(this.key.ownerKey(this.#id), this.stored.slice(keySize))
    return plain === null ? nobody : (JSON.parse(plain.toString()) as Identity)
  }
}

const nobody: Identity = [null, null]
