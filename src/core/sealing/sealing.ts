import type { SojournError } from '../errors.ts'
import type { Keyring } from '../keyring.ts'
import type { SessionRecord, Store } from '../store.ts'
import { hashSecret, type Secret, type SessionId } from '../token.ts'
import { ClientKey } from './client-key.ts'
import { Owner } from './owner.ts'
import { SealedRecord, type SealingContext } from './sealed-record.ts'
import { SealedStore } from './sealed-store.ts'
import { serverKeys } from './server-keys.ts'
import { addWrap } from './wraps.ts'

/** What opens a session's data: the server's keys alone, or these together with a secret of the client's. */
export type Bind = 'server' | 'client'

/** A new session before it has an ID. */
export interface Beginning {
  readonly userId: string | null
  readonly device: string | null
  readonly secret: Secret
  readonly data: string
}

/** Encryption at rest: seals what the core has made before a store sees it. */
export class Sealing {
  readonly #context: SealingContext
  readonly #bind: Bind

  constructor(keyring: Keyring, bind: Bind, report: (error: SojournError, id: SessionId) => void) {
    this.#context = { keys: serverKeys(keyring), report }
    this.#bind = bind
  }

  over(store: Store): Store {
    return new SealedStore(store, this.#context)
  }

  /** The first record of a new session, made anew for each ID that is tried. */
  begin({
    userId,
    device,
    secret,
    data,
  }: Beginning): (times: Pick<SessionRecord, 'id' | 'version' | 'createdAt' | 'lastSeenAt' | 'expiresAt' | 'head'>) => SessionRecord {
    const key = this.#context.keys.current
    const client = this.#bind === 'client' ? ClientKey.create() : null
    const sealed = client?.wrapped(key.wrapKey(secret)) ?? null
    const wraps = sealed === null ? '' : addWrap('', hashSecret(secret), { keyId: key.id, sealed })
    return ({ id, version, createdAt, lastSeenAt, expiresAt, head }) => {
      const owner = Owner.of(key, id, userId, device)
      const fields = { id, version, createdAt, lastSeenAt, expiresAt, head, key, owner, client, wraps, handed: '' }
      return new SealedRecord(this.#context, fields, null, data)
    }
  }

  /** What a tombstone calls a user, and records in the store do. */
  nameOf(userId: string): string {
    return this.#context.keys.current.nameOf(userId)
  }

  /** Whether a user is called so under any of the keys. */
  isNamed(name: string | null, userId: string): boolean {
    return name !== null && this.#context.keys.all.some((key) => key.nameOf(userId) === name)
  }
}
