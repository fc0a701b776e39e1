import type { ContentFormat } from './content.ts'
import { SojournError } from './errors.ts'
import type { Events } from './events.ts'
import { isRemembered } from './head.ts'
import type { MaxPerUser } from './max-per-user.ts'
import type { MergeRules } from './merge.ts'
import { expiry, type Limits, type Policy } from './policy.ts'
import type { RecentContent } from './recent-content.ts'
import { type Changes, deviceOf, revised } from './record.ts'
import { type Routine, wait } from './routine.ts'
import type { Sealing } from './sealing/sealing.ts'
import type { SessionInfo } from './session.ts'
import type { Maybe, SessionRecord, Store } from './store.ts'
import type { Theft } from './theft.ts'
import { versionStep } from './token.ts'

/** Where the time comes from; `Date` is one. */
export interface Clock {
  now(): number
}

/** What all parts of a manager share. */
export interface Core {
  readonly store: Store
  readonly events: Events
  readonly clock: Clock
  readonly policy: Policy
  readonly maxPerUser: MaxPerUser | null
  /** Encryption at rest; null without. */
  readonly sealing: Sealing | null
  readonly theft: Theft
}

/** The same for the parts that look into session data. */
export interface DataCore<Data extends object> extends Core {
  readonly format: ContentFormat<Data>
  /** Null with encryption: what was opened for one request is not kept beyond it. */
  readonly recent: RecentContent<Data> | null
  readonly rules: MergeRules
  readonly epoch: ((userId: string) => Maybe<number | string | null>) | undefined
}

export function limitsOf(policy: Policy, head: string): Limits {
  return isRemembered(head) ? policy.remembered : policy.visit
}

/** Whether a live record has outlived the limits of a policy, as one may that was stored under longer ones. */
export function hasOutlived({ policy }: Core, record: SessionRecord, now: number): boolean {
  return policy.strict && expiry(record.createdAt, record.lastSeenAt, limitsOf(policy, record.head)) <= now
}

/** What is told of a session. */
export function infoOf(record: SessionRecord): SessionInfo {
  const { id, userId, createdAt, lastSeenAt, expiresAt } = record
  return { id, userId, device: deviceOf(record), createdAt, lastSeenAt, expiresAt }
}

/** Reads a record as the store has it now. @throws ERR_SOJOURN_STORE */
export function* readFresh({ store }: Core, id: string): Routine<SessionRecord | null> {
  try {
    return yield* wait(store.get(id, { fresh: true }))
  } catch (cause) {
    throw storeError(store, cause)
  }
}

/**
 * Puts a record over the version that it was made from, and finds out what became of a put whose answer was lost: it landed
 * if its own version stands there, it is sent again if what it was made from still does.
 *
 * @param first what comes of the put, if it was sent already
 * @returns false when another version stands there, so that this one can never land
 * @throws ERR_SOJOURN_UNKNOWN_OUTCOME when it can't be known; ERR_SOJOURN_STORE
 */
export function* land(core: Core, record: SessionRecord, expected: number, first?: Promise<boolean>): Routine<boolean> {
  let cause: unknown
  for (let sent = 1; ; sent++) {
    try {
      const landed = yield* wait(sent === 1 && first !== undefined ? first : core.store.put(record, expected))
      // The second sending may be refused because the first one landed after all.
      if (landed || sent === 1) return landed
    } catch (failure) {
      cause = failure
    }
    const stored = yield* lookAfter(core, record.id, cause)
    if (stored?.version === record.version) return true
    if (stored !== null && stored.version > record.version) throw unknownOutcome(core.store, cause)
    if (stored === null || stored.version !== expected) return false
    if (sent === 2) throw cause instanceof SojournError ? cause : unknownOutcome(core.store, cause)
  }
}

/**
 * Stores a new record. It is sent once for each ID: repeated, it could land after the session was ended again.
 *
 * @param make a record with a new ID each time
 * @param isFixed its ID was given out already: another would do nobody any good
 */
export function* insert(core: Core, make: () => SessionRecord, isFixed = false): Routine<SessionRecord> {
  for (let tries = 1; ; tries++) {
    const record = make()
    try {
      if (yield* wait(core.store.put(record, 0))) return record
    } catch (cause) {
      const stored = yield* lookAfter(core, record.id, cause)
      // Whatever stands there came of this insert; where that is its end already, the end holds.
      if (stored !== null) return record
      if (isFixed || tries === 2) throw storeError(core.store, cause)
    }
    if (isFixed || tries === 4) throw storeError(core.store, new Error('the IDs of new sessions were taken'))
  }
}

/** What stands there after a put failed; if that can't be read either, nothing is known of the put. */
function* lookAfter(core: Core, id: string, cause: unknown): Routine<SessionRecord | null> {
  try {
    return yield* readFresh(core, id)
  } catch {
    throw isRefusal(cause) ? cause : unknownOutcome(core.store, cause)
  }
}

/** @throws ERR_SOJOURN_OPTION for what can't be a user's ID */
export function checkUserId(userId: unknown, verb: string): asserts userId is string {
  // A lone surrogate has no form of its own in UTF-8: two users could become one on the way to a store.
  if (typeof userId === 'string' && userId !== '' && !/\p{Surrogate}/u.test(userId)) return
  const given = userId === '' ? "''" : typeof userId === 'string' ? 'text with half a character in it' : typeof userId
  throw new SojournError('ERR_SOJOURN_OPTION', `${verb}() needs the user's ID, well-formed text that is not empty; it was given ${given}.`)
}

/** The records of one user, or of all. @throws ERR_SOJOURN_STORE */
export async function* listRecords({ store }: Core, userId?: string): AsyncGenerator<SessionRecord, void> {
  try {
    yield* store.list(userId)
  } catch (cause) {
    throw storeError(store, cause)
  }
}

/** The next record over one: only what is said changes, and the last use if it has moved by more than a slice. */
export function successor(
  { policy }: Core,
  record: SessionRecord,
  { head, data, secrets, anew }: Omit<Changes, 'version' | 'lastSeenAt' | 'expiresAt'> & { head: string },
  now: number,
): SessionRecord {
  const limits = limitsOf(policy, head)
  // Within a slice the times stay, so that no store moves an index entry for nothing.
  const moved = now - record.lastSeenAt > limits.slice
  const lastSeenAt = moved ? now : record.lastSeenAt
  const expiresAt = moved ? expiry(record.createdAt, now, limits) : record.expiresAt
  // Written out: to spread the change would take longer than the rest of this.
  return revised(record, { version: record.version + versionStep(), lastSeenAt, expiresAt, head, data, secrets, anew }, now)
}

/** A store's failure as the one class of error; what already is one stays as it is. */
export function storeError(store: Store, cause: unknown): SojournError {
  if (cause instanceof SojournError) return cause
  return new SojournError(
    'ERR_SOJOURN_STORE',
    `The session store (${store.name}) failed: ${messageOf(cause)}. Nothing was changed as far as is known; try again.`,
    { cause },
  )
}

function isRefusal(cause: unknown): cause is SojournError {
  return cause instanceof SojournError && (cause.code === 'ERR_SOJOURN_CLOSED' || cause.code === 'ERR_SOJOURN_STORE_FULL')
}

function unknownOutcome(store: Store, cause: unknown): SojournError {
  return new SojournError(
    'ERR_SOJOURN_UNKNOWN_OUTCOME',
    `The session store (${store.name}) did not answer a write, and what became of it can't be known: ${messageOf(cause)}. Read again before repeating the change.`,
    { cause },
  )
}

function messageOf(cause: unknown): string {
  return cause instanceof Error ? cause.message : String(cause)
}
