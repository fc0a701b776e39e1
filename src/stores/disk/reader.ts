import { SojournError } from '../../core/errors.ts'
import type { Environment } from './environment.ts'
import { failure } from './failure.ts'
import { afterExpiry, afterUser, idOfUserKey, userKey } from './keys.ts'
import { isRecord, stampOf } from './record.ts'

const pageOfIds = 100

/** Reads the environment, in a snapshot that lmdb gives up again after some milliseconds, and `refresh` at once. */
export class Reader {
  #name: string
  #environment: Environment

  constructor(name: string, environment: Environment) {
    this.#name = name
    this.#environment = environment
  }

  /** What is read from here on is no older than this moment. */
  refresh(): void {
    this.#environment.root.resetReadTxn()
  }

  /** The bytes of a record, good until the next read: lmdb reads into one buffer. */
  bytes(verb: string, id: string): Buffer | undefined {
    return this.#attempt(verb, () => {
      const bytes: Uint8Array | undefined = this.#environment.sessions.getBinaryFast(id)
      // The length of lmdb's buffer is a property of its own, less than what the buffer holds. Large values come in another.
      return bytes === undefined ? undefined : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length)
    })
  }

  /** The same. @throws SojournError `ERR_SOJOURN_STORE_FORMAT` for bytes that are no record. */
  record(verb: string, id: string): Buffer | undefined {
    const bytes = this.bytes(verb, id)
    if (bytes === undefined || isRecord(bytes)) return bytes
    throw this.#damaged(id)
  }

  /** The record anew, after a write over the stamp `lost` did not land. */
  recordAgain(verb: string, id: string, lost: number | null): Buffer | undefined {
    this.refresh()
    const bytes = this.record(verb, id)
    if (bytes !== undefined && stampOf(bytes) === lost) throw this.#damaged(id)
    return bytes
  }

  /** The stamp that lmdb compares, whatever the bytes are; null where nothing is. */
  stampOf(verb: string, id: string): number | null {
    const bytes = this.bytes(verb, id)
    if (bytes === undefined) return null
    return isRecord(bytes) ? stampOf(bytes) : this.#attempt(verb, () => this.#environment.sessions.getEntry(id)?.version ?? null)
  }

  /** The next IDs of a user or of all, in the order of the keys: some, so that no slow caller holds a snapshot and its pages. */
  idsAfter(userId: string | undefined, last: string | null): string[] {
    const { sessions, users } = this.#environment
    const options = { limit: pageOfIds, exclusiveStart: last !== null }
    return this.#attempt('list', () => {
      if (userId === undefined) return [...sessions.getKeys(last === null ? options : { ...options, start: last })]
      const start = userKey(userId, last ?? '')
      return [...users.getKeys({ ...options, start, end: afterUser(userId) })].map(idOfUserKey)
    })
  }

  /** The first keys of the expiry index, up to a moment. */
  expired(now: number, limit: number): Buffer[] {
    return this.#attempt('sweep', () => [...this.#environment.expiry.getKeys({ end: afterExpiry(now), limit })])
  }

  #attempt<T>(verb: string, work: () => T): T {
    try {
      return work()
    } catch (cause) {
      throw failure(this.#name, verb, cause)
    }
  }

  #damaged(id: string): SojournError {
    return new SojournError(
      'ERR_SOJOURN_STORE_FORMAT',
      `The store ${this.#name} can't read its record ${id}: it is damaged, or something else wrote it. Remove it with delete('${id}').`,
    )
  }
}
