import { hash } from 'node:crypto'
import { type Core, readFresh, storeError } from '../core/core.ts'
import { contention } from '../core/ending.ts'
import { decodeTombstone, encodeTombstone, type Tombstone } from '../core/head.ts'
import { isPromise, type Routine, wait } from '../core/routine.ts'
import type { Maybe, SessionRecord } from '../core/store.ts'
import { type SessionId, versionStep } from '../core/token.ts'
import type { SealedRecord } from './record.ts'

/** A session that began so shortly after a cut-off, by its own process's clock, may have begun before it. */
const clockTolerance = 6_000

/**
 * What makes the end of a sealed session real: tombstones in a store, each until the last seal of its session has expired. There is one
 * for each session that was ended, under its ID, and one for each user whose sessions were cut off, under a hash of the user's.
 *
 * A list that can't be read or written is an error: nobody is let in on the chance that the list says nothing of them.
 */
export class Revocations {
  readonly #core: Core

  constructor(core: Core) {
    this.#core = core
  }

  /**
   * Whether a session was ended, or its user's sessions were: one read, two at once for a session with a user.
   *
   * @param fresh past any cache of the store's
   * @throws ERR_SOJOURN_STORE
   */
  has({ id, userId, createdAt }: SealedRecord, fresh: boolean): Maybe<boolean> {
    const isCutOff = (record: SessionRecord | null): boolean => {
      const mark = record === null ? null : decodeTombstone(record.head)
      // Under a user's hash stands a logout only where someone handed that to `end`, which must not end all of the user's.
      return mark?.cause === 'ended' && createdAt <= record!.createdAt && mark.target !== id
    }
    const own = this.#get(id, fresh)
    const users = userId === null ? null : this.#get(cutOffId(userId), fresh)
    if (!isPromise(own) && !isPromise(users)) return own !== null || isCutOff(users)
    return Promise.all([own, users]).then(([ofSession, ofUser]) => ofSession !== null || isCutOff(ofUser))
  }

  /** A failure is a rejection always, so that of two reads none is left alone. */
  #get(id: string, fresh: boolean): Maybe<SessionRecord | null> {
    const { store } = this.#core
    const failed = (cause: unknown): Promise<never> => Promise.reject(storeError(store, cause))
    try {
      const record = store.get(id, fresh ? { fresh } : undefined)
      return isPromise(record) ? record.catch(failed) : record
    } catch (cause) {
      return failed(cause)
    }
  }

  /**
   * Ends a session for good.
   *
   * @param until when its last seal has expired at the latest
   * @returns false when it was ended before
   */
  *add(id: SessionId, until: number): Routine<boolean> {
    const { store, clock } = this.#core
    const now = clock.now()
    try {
      return yield* wait(store.put(tombstone(id, versionStep(), now, until, { cause: 'logout', target: null }), 0))
    } catch (cause) {
      throw storeError(store, cause)
    }
  }

  /**
   * Ends all sessions of a user that began until now. One that begins after it is taken to begin later than the cut-off, see `cutOffOf`.
   *
   * @param except the one session that goes on
   */
  *cutOff(userId: string, except: SessionId | null): Routine<void> {
    const { store, clock, policy } = this.#core
    const id = cutOffId(userId)
    for (let tries = 1; ; tries++) {
      const stored: SessionRecord | null = yield* readFresh(this.#core, id)
      const version = stored?.version ?? 0
      // Beyond the one before: a login since then stands right behind that one, should its process's clock be behind.
      const at = Math.max(clock.now() + clockTolerance, (stored?.createdAt ?? 0) + 1)
      const until = at + Math.max(policy.visit.absolute, policy.remembered.absolute)
      let landed: boolean
      try {
        landed = yield* wait(store.put(tombstone(id, version + versionStep(), at, until, { cause: 'ended', target: except }), version))
      } catch (cause) {
        throw storeError(store, cause)
      }
      if (landed) return
      if (tries === 50) throw contention(id)
    }
  }

  /** Up to which beginning a user's sessions were cut off; a login must begin later. 0 where they never were. */
  *cutOffOf(userId: string): Routine<number> {
    return (yield* readFresh(this.#core, cutOffId(userId)))?.createdAt ?? 0
  }
}

/** A session's has the cause logout; a user's cut-off has ended, and the one that goes on where a login has its target. */
function tombstone(
  id: string,
  version: number,
  now: number,
  until: number,
  { cause, target }: Pick<Tombstone, 'cause' | 'target'>,
): SessionRecord {
  const head = encodeTombstone({ cause, userId: null, target, sameUser: true, hashes: [], via: 'cookie', browser: null })
  return { id, version, userId: null, createdAt: now, lastSeenAt: now, expiresAt: until, head, data: '' }
}

/** Where a user's cut-off stands: 96 bits, as a session ID has, from which nobody reads the user. */
function cutOffId(userId: string): string {
  return hash('sha256', `sojourn cut-off of ${userId}`, 'base64url').slice(0, 16)
}
