import { type Core, hasOutlived, land, listRecords, readFresh } from './core.ts'
import { SojournError } from './errors.ts'
import { boundOf, decodeHead, decodeTombstone, encodeTombstone, goodHashes, isTombstone, type Tombstone } from './head.ts'
import { buried } from './record.ts'
import type { Routine } from './routine.ts'
import type { SessionRecord } from './store.ts'
import { type SessionId, versionStep } from './token.ts'

/** What a record is at a moment: open to its client, a tombstone, or gone (absent or expired). */
export type Standing = 'live' | 'tombstone' | 'gone'

export function standingOf(record: SessionRecord | null, now: number): Standing {
  if (record === null || record.expiresAt <= now) return 'gone'
  return isTombstone(record.head) ? 'tombstone' : 'live'
}

/** Whether a record opens for whom it belongs to: live, and within the limits of a policy that is newer than it. */
export function isLive(core: Core, record: SessionRecord | null): boolean {
  const now = core.clock.now()
  return record !== null && standingOf(record, now) === 'live' && !hasOutlived(core, record, now)
}

/**
 * The tombstone to put over a live record. It remembers for a grace which secrets were good, and answers to those alone.
 *
 * @param target the session that a login moved it to
 */
export function tombstoneOver(
  core: Core,
  record: SessionRecord,
  { userId, ...tombstone }: Omit<Tombstone, 'hashes' | 'target' | 'via' | 'browser'>,
  target: SessionRecord | null = null,
): SessionRecord {
  const now = core.clock.now()
  const decoded = decodeHead(record.head)
  const hashes = decoded === null ? [] : goodHashes(decoded, now)
  const name = userId === null || core.sealing === null ? userId : core.sealing.nameOf(userId)
  const reached = { via: decoded?.via ?? 'cookie', browser: boundOf(record.head) } as const
  const head = encodeTombstone({ ...tombstone, ...reached, userId: name, target: target?.id ?? null, hashes })
  const times = { version: record.version + versionStep(), lastSeenAt: now, expiresAt: now + core.policy.grace }
  return buried(record, { ...times, head }, hashes, target)
}

/**
 * Ends a session. Its compare-and-swap is repeated until it lands or there is nothing left to end.
 *
 * @param known the record as it was last seen, which saves a read if it still stands
 * @returns the record that was ended; or what stood in its place, unchanged
 */
export function* end(
  core: Core,
  id: SessionId,
  cause: 'logout' | 'ended' | 'reuse' | 'theft',
  known: SessionRecord | null = null,
): Routine<{ ended: boolean; record: SessionRecord | null }> {
  let record = known
  // What is known may be old: that a session has expired is decided on what the store has now. A tombstone stays one.
  if (known === null || (standingOf(known, core.clock.now()) === 'gone' && !isTombstone(known.head))) record = yield* readFresh(core, id)
  for (let tries = 1; ; tries++) {
    if (record === null || standingOf(record, core.clock.now()) !== 'live') return { ended: false, record }
    const { userId } = record
    const landed: boolean = yield* land(core, tombstoneOver(core, record, { cause, userId, sameUser: true }), record.version)
    if (landed) {
      core.events.emit('ended', { id, userId, reason: cause })
      return { ended: true, record }
    }
    if (tries === 50) throw contention(id)
    record = yield* readFresh(core, id)
  }
}

/** Ends a session at its user's wish; where a login of the same user had moved it, the one that it was moved to, to the last. @returns whether one was ended */
export function* logout(core: Core, record: SessionRecord): Routine<boolean> {
  let known: SessionRecord | null = record
  let id = record.id
  for (;;) {
    const found: { ended: boolean; record: SessionRecord | null } = yield* end(core, id, 'logout', known)
    if (found.ended) return true
    const tombstone = found.record === null ? null : decodeTombstone(found.record.head)
    if (tombstone?.cause !== 'login' || !tombstone.sameUser || tombstone.target === null) return false
    id = tombstone.target
    known = null
  }
}

/** Ends all of a user's sessions but one, until a listing finds nothing live. @returns how many */
export async function endUser(
  core: Core,
  userId: string,
  except: SessionId | null,
  endOne: (id: SessionId) => Promise<boolean>,
): Promise<number> {
  let count = 0
  for (;;) {
    let found = 0
    for await (const record of listRecords(core, userId)) {
      if (record.id === except || standingOf(record, core.clock.now()) !== 'live') continue
      if (await endOne(record.id)) found++
    }
    if (found === 0) return count
    count += found
  }
}

/**
 * Ends all sessions that there were when it began, of users and visitors, but one. Those that begin meanwhile stay, so that it comes
 * to its end on a busy site. @returns how many
 */
export async function endAll(core: Core, except: SessionId | null, endOne: (id: SessionId) => Promise<boolean>): Promise<number> {
  // Another process's clock may be ahead by a tenth of the grace.
  const latest = core.clock.now() + core.policy.grace / 10
  let count = 0
  for (;;) {
    let found = 0
    for await (const record of listRecords(core)) {
      if (record.id === except || record.createdAt > latest || standingOf(record, core.clock.now()) !== 'live') continue
      if (await endOne(record.id)) found++
    }
    if (found === 0) return count
    count += found
  }
}

export function contention(id: SessionId): SojournError {
  return new SojournError(
    'ERR_SOJOURN_CONTENTION',
    `Session ${id} changed fifty times while one write tried to land; try again, and look for a loop that writes to it.`,
  )
}

/** The error for a write by a request that showed the token of a session that had logged in or out elsewhere. */
export function movedError(id: SessionId): SojournError {
  return new SojournError(
    'ERR_SOJOURN_MOVED',
    `Session ${id} logged in or out elsewhere before this request came, so its changes were not stored; send the request again with the new token.`,
  )
}

/** The error for a write by a request that showed a secret which was replaced longer than a grace ago. */
export function lateError(id: SessionId): SojournError {
  return new SojournError(
    'ERR_SOJOURN_MOVED',
    `Session ${id} has another secret by now than this request came with, so its changes were not stored; send the request again with the new token.`,
  )
}

/** The error for a request whose session ended or moved while it had it open. */
export function goneError(id: SessionId, record: SessionRecord | null): SojournError {
  const cause = record === null ? null : decodeTombstone(record.head)?.cause
  if (cause === 'login') {
    return new SojournError(
      'ERR_SOJOURN_MOVED',
      `Session ${id} got a new ID by a login while this request had it open, so its changes were not stored; send the request again.`,
    )
  }
  return new SojournError(
    'ERR_SOJOURN_ENDED',
    `Session ${id} ended while this request had it open, so its changes were not stored; start a new visit.`,
  )
}

/** A request went on without its session, and wrote. */
export function offlineError(): SojournError {
  return new SojournError(
    'ERR_SOJOURN_STORE',
    'The session could not be read when the request came, and the request went on without it; what it wrote was not stored.',
  )
}
