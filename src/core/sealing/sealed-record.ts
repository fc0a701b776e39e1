import { SojournError } from '../errors.ts'
import type { SessionRecord } from '../store.ts'
import { hashSecret, type Secret, type SessionId } from '../token.ts'
import type { ClientKey } from './client-key.ts'
import { authenticated, dataOf, formatClientData, formatHead, formatServerData, joinParts } from './layout.ts'
import { Owner } from './owner.ts'
import { seal, unseal } from './seal.ts'
import type { ServerKey, ServerKeys } from './server-keys.ts'
import { addWrap, findWrap, keepWraps } from './wraps.ts'

/** What sealed records share. */
export interface SealingContext {
  readonly keys: ServerKeys
  /** Tells of what no caller is there to be told of. */
  readonly report: (error: SojournError, id: SessionId) => void
}

/** What may be different in the next record of a session. */
export interface Changes {
  readonly version: number
  readonly lastSeenAt?: number | undefined
  readonly expiresAt?: number | undefined
  readonly head?: string | undefined
  readonly data?: string | undefined
  /** Secrets that its data are to be read by from now on, or by the current key from now on. */
  readonly secrets?: readonly Secret[] | undefined
  /** Whether all that can be is sealed anew, under the current key. */
  readonly anew?: boolean | undefined
}

export interface SealedFields {
  readonly id: SessionId
  readonly version: number
  readonly createdAt: number
  readonly lastSeenAt: number
  readonly expiresAt: number
  /** The core's own, as the core reads it. */
  readonly head: string
  /** The server's key that authenticates it. */
  readonly key: ServerKey
  readonly owner: Owner
  /** Null for a session that is not bound to its client. */
  readonly client: ClientKey | null
  readonly wraps: string
  readonly handed: string
}

/**
 * A record as the core has it, where the store has it sealed: its MAC was right. User, device and data are opened when they are
 * first looked at, so that a request pays for what it reads. No copy of its fields is a record: the next one is `revised`.
 */
export class SealedRecord implements SessionRecord {
  readonly id: SessionId
  readonly version: number
  readonly createdAt: number
  readonly lastSeenAt: number
  readonly expiresAt: number
  readonly head: string
  readonly owner: Owner
  readonly client: ClientKey | null
  readonly handed: string
  readonly #context: SealingContext
  readonly #key: ServerKey
  readonly #wraps: string
  /** The data as the store has them; null until they are sealed. */
  #sealed: string | null
  /** The data as the application's codec wrote them; null until they are opened. */
  #text: string | null
  #stale: boolean
  #told = false

  constructor(context: SealingContext, fields: SealedFields, sealed: string | null, text: string | null) {
    this.#context = context
    this.id = fields.id
    this.version = fields.version
    this.createdAt = fields.createdAt
    this.lastSeenAt = fields.lastSeenAt
    this.expiresAt = fields.expiresAt
    this.head = fields.head
    this.owner = fields.owner
    this.client = fields.client
    this.handed = fields.handed
    this.#key = fields.key
    this.#wraps = fields.wraps
    this.#sealed = sealed
    this.#text = text
    this.#stale = fields.key !== context.keys.current || fields.owner.key !== context.keys.current
  }

  get userId(): string | null {
    return this.owner.userId
  }

  /** Whether it was sealed, or wrapped for the secret that was shown, under a key that is not the current one. */
  get isStale(): boolean {
    return this.#stale
  }

  /** @throws ERR_SOJOURN_RECORD_TAMPERED for data that are not those that were sealed */
  get data(): string {
    return (this.#text ??= this.#open())
  }

  /** As the store is to have it. */
  get stored(): SessionRecord {
    const { id, version, createdAt, lastSeenAt, expiresAt, head, owner, handed } = this
    const data = this.#sealedData()
    const body = joinParts({ owner: owner.stored, wraps: this.#wraps, handed, head })
    const record = { id, version, userId: owner.name, createdAt, lastSeenAt, expiresAt, data }
    return { ...record, head: formatHead(this.#key.id, this.#key.mac(authenticated(record, body)), body) }
  }

  /**
   * A client showed this secret: the data can be opened by it from here on.
   *
   * @returns false when the data key was never wrapped for it, or under a key that is not there any more
   */
  unlock(secret: Secret, hash: string): boolean {
    if (this.client === null) return true
    const wrap = findWrap(this.#wraps, hash)
    const key = wrap === null ? null : this.#context.keys.byId(wrap.keyId)
    if (wrap === null || key === null) {
      this.#context.report(keyUnknown(this.id, 'its data key can not be opened for the secret that was shown'), this.id)
      return false
    }
    if (key !== this.#context.keys.current) this.#stale = true
    this.client.unlock(() => unseal(key.wrapKey(secret), wrap.sealed))
    return true
  }

  /** The same session as the store has it now: who could read the one can read the other. */
  likewise(known: SealedRecord): this {
    if (known.client !== null) this.client?.unlockBy(known.client)
    return this
  }

  /** The session that a login moved another to, as the tombstone of that one knows it. */
  follow({ client, handed }: SealedRecord): this {
    if (this.client !== null && handed !== '') client?.follow(this.client, this.id, handed)
    return this
  }

  /**
   * The next record of the session, authenticated and its data sealed under the current key. What the store calls its user changes
   * only where all is sealed anew: who lists a user's sessions meanwhile could miss one that went to and fro.
   *
   * @param hashes of the secrets that will open it: wraps for others go
   */
  revised(changes: Changes, hashes: () => readonly string[]): SealedRecord {
    const { data, secrets = [], anew = false } = changes
    const wraps = this.client === null ? '' : keepWraps(this.#wrapsWith(secrets), hashes())
    const owner = anew ? this.owner.under(this.#context.keys.current) : this.owner
    const fields = { ...this.#next(changes), owner, wraps }
    return data === undefined || data === this.#text
      ? new SealedRecord(this.#context, fields, this.#sealed, this.#text)
      : new SealedRecord(this.#context, fields, null, data)
  }

  /**
   * The tombstone to put in its place.
   *
   * @param target the session that a login moved it to: who shows a secret of the old one there can log in to the same data again
   */
  buried(changes: Changes, hashes: readonly string[], target: SealedRecord | null): SealedRecord {
    const { client } = this
    const owner = Owner.of(this.#context.keys.current, this.id, null, null)
    const handed = client === null || client.isLocked || !target?.client ? null : client.handOn(target.client, target.id)
    const key = handed === null ? { client: null, wraps: '', handed: '' } : { client, wraps: keepWraps(this.#wraps, hashes), handed }
    return new SealedRecord(this.#context, { ...this.#next(changes), owner, ...key }, '', '')
  }

  #next({ version, lastSeenAt, expiresAt, head }: Changes): Omit<SealedFields, 'owner' | 'wraps'> {
    return {
      id: this.id,
      version,
      createdAt: this.createdAt,
      lastSeenAt: lastSeenAt ?? this.lastSeenAt,
      expiresAt: expiresAt ?? this.expiresAt,
      head: head ?? this.head,
      key: this.#context.keys.current,
      client: this.client,
      handed: this.handed,
    }
  }

  #wrapsWith(secrets: readonly Secret[]): string {
    const { current } = this.#context.keys
    let wraps = this.#wraps
    for (const secret of secrets) {
      const sealed = this.client!.wrapped(current.wrapKey(secret))
      if (sealed === null) throw this.#tampered()
      wraps = addWrap(wraps, hashSecret(secret), { keyId: current.id, sealed })
    }
    return wraps
  }

  #open(): string {
    const sealed = this.#sealed
    if (sealed === null || sealed === '') return ''
    const found = dataOf(sealed)
    const key = found === null ? null : this.#dataKey(found.keyId)
    const plain = found === null || key === null ? null : unseal(key, found.sealed)
    if (plain === null) throw this.#tampered()
    return plain.toString()
  }

  #dataKey(keyId: string | null): Buffer | null {
    if (keyId === null) return this.client?.dataKey() ?? null
    return this.#context.keys.byId(keyId)?.dataKey(this.id) ?? null
  }

  /** What was sealed stays as it is; what the server's keys seal is sealed anew when the key is not the current one. */
  #sealedData(): string {
    const { current } = this.#context.keys
    if (this.#sealed !== null && [null, undefined, current.id].includes(dataOf(this.#sealed)?.keyId)) return this.#sealed
    if (this.client === null) return (this.#sealed = formatServerData(current.id, seal(current.dataKey(this.id), this.data)))
    const key = this.client.dataKey()
    if (key === null) throw this.#tampered()
    return (this.#sealed = formatClientData(seal(key, this.data)))
  }

  #tampered(): SojournError {
    const error = tampered(this.id, 'what was sealed')
    if (!this.#told) this.#context.report(error, this.id)
    this.#told = true
    return error
  }
}

export function tampered(id: SessionId, what: string): SojournError {
  return new SojournError(
    'ERR_SOJOURN_RECORD_TAMPERED',
    `Session ${id} is not as it was stored: ${what} does not fit what authenticates it. It was left as it is; look for who writes to the store but sojourn.`,
  )
}

export function keyUnknown(id: SessionId, what: string): SojournError {
  return new SojournError(
    'ERR_SOJOURN_KEY_UNKNOWN',
    `Session ${id} can not be opened: ${what}. It is no session to this process, and was left as it is; add the key that it was sealed under to encryption.keys.`,
  )
}
