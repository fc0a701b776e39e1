import type { SessionId } from '../token.ts'
import { seal, unseal } from './seal.ts'
import type { ServerKey } from './server-keys.ts'

/**
 * Whose a session is, and on which device. The store sees a keyed hash of the user, by which it finds the user's sessions, and
 * the rest sealed; opened when it is first asked for.
 */
export class Owner {
  /** What the store calls the user; null for an anonymous visitor. */
  readonly name: string | null
  /** What is told to the application, sealed; empty where there is nothing to tell. */
  readonly sealed: string
  readonly #key: ServerKey
  readonly #id: SessionId
  #opened: readonly [userId: string | null, device: string | null] | null

  constructor(key: ServerKey, id: SessionId, name: string | null, sealed: string, opened: Owner['identity'] | null = null) {
    this.#key = key
    this.#id = id
    this.name = name
    this.sealed = sealed
    this.#opened = opened
  }

  static of(key: ServerKey, id: SessionId, userId: string | null, device: string | null): Owner {
    const name = userId === null ? null : key.nameOf(userId)
    const sealed = userId === null && device === null ? '' : seal(key.ownerKey(id), JSON.stringify([userId, device]))
    return new Owner(key, id, name, sealed, [userId, device])
  }

  get userId(): string | null {
    return this.name === null ? null : this.identity[0]
  }

  get device(): string | null {
    return this.identity[1]
  }

  get identity(): readonly [userId: string | null, device: string | null] {
    return (this.#opened ??= this.#open())
  }

  /** The same owner as the store is to know it under this key. */
  under(key: ServerKey): Owner {
    return key === this.#key ? this : Owner.of(key, this.#id, this.userId, this.device)
  }

  // Only what a MAC was found right for is opened, or (by a sweep) told of: what can't be opened is somebody else's.
  #open(): readonly [string | null, string | null] {
    const plain = this.sealed === '' ? null : unseal(this.#key.ownerKey(this.#id), this.sealed)
    return plain === null ? [null, null] : (JSON.parse(plain.toString()) as [string | null, string | null])
  }
}
