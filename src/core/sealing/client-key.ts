import { createHmac } from 'node:crypto'
import { randomBytes, type SessionId } from '../token.ts'
import { seal, unseal } from './seal.ts'

const size = 32

/**
 * The key of one session that is bound to its client. The record has it wrapped for each secret that may open the session, so
 * that the server has it only while a request with such a secret is served. It stays the same as long as the session does.
 */
export class ClientKey {
  #bytes: Buffer | null
  #unwrap: (() => Buffer | null) | null = null

  private constructor(bytes: Buffer | null) {
    this.#bytes = bytes
  }

  /** For a new session. */
  static create(): ClientKey {
    return new ClientKey(Buffer.from(randomBytes(size)))
  }

  /** Of a record that was read: nobody has shown a secret yet. */
  static locked(): ClientKey {
    return new ClientKey(null)
  }

  get isLocked(): boolean {
    return this.#bytes === null && this.#unwrap === null
  }

  /** Says how the key can be had. Nothing is unwrapped before it is needed. */
  unlock(unwrap: () => Buffer | null): void {
    if (this.#bytes === null) this.#unwrap = unwrap
  }

  /** Of the same session, by a request that has the other. */
  unlockBy(other: ClientKey): void {
    if (!other.isLocked) this.unlock(() => other.#open())
  }

  /** The key that data are sealed with; null when it can't be unwrapped. */
  dataKey(): Buffer | null {
    return this.#derive('data')
  }

  /** This key sealed under another; null when it can't be unwrapped. */
  wrapped(wrapKey: Buffer): string | null {
    const bytes = this.#open()
    return bytes === null ? null : seal(wrapKey, bytes)
  }

  /** Hands the key of the session that a login moved this one to to those who have this one's: for its tombstone. */
  handOn(next: ClientKey, target: SessionId): string | null {
    const wrapKey = this.#derive(`moved to ${target}`)
    return wrapKey === null ? null : next.wrapped(wrapKey)
  }

  /** Unlocks the key of the session that a login moved this one to. */
  follow(next: ClientKey, target: SessionId, handed: string): void {
    if (this.isLocked) return
    next.unlock(() => {
      const wrapKey = this.#derive(`moved to ${target}`)
      return wrapKey === null ? null : unseal(wrapKey, handed)
    })
  }

  #derive(label: string): Buffer | null {
    const bytes = this.#open()
    return bytes === null ? null : createHmac('sha256', bytes).update(`sojourn ${label}`).digest()
  }

  #open(): Buffer | null {
    this.#bytes ??= this.#unwrap?.() ?? null
    return this.#bytes
  }
}
