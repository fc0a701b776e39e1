import { decodeHead, goodHashes } from './head.ts'
import { type Changes, SealedRecord } from './sealing/sealed-record.ts'
import type { SessionRecord } from './store.ts'
import { hashSecret, type Secret } from './token.ts'

/*
 * What the core does with a record beyond reading its fields. A record is a plain object, or, with encryption, a sealed one:
 * here alone it is told which.
 */

export type { Changes } from './sealing/sealed-record.ts'

/** The next record over one. Never a spread of the old one: a sealed record is more than its fields. */
export function revised(record: SessionRecord, changes: Changes, now: number): SessionRecord {
  if (record instanceof SealedRecord) return record.revised(changes, () => openers(changes.head ?? record.head, now))
  const { version, lastSeenAt = record.lastSeenAt, expiresAt = record.expiresAt, head = record.head, data = record.data } = changes
  return { id: record.id, version, userId: record.userId, createdAt: record.createdAt, lastSeenAt, expiresAt, head, data }
}

function openers(text: string, now: number): readonly string[] {
  const head = decodeHead(text)
  return head === null ? [] : goodHashes(head, now)
}

/**
 * The tombstone to put in its place: nobody's, without data.
 *
 * @param target the session that a login moved it to
 */
export function buried(
  record: SessionRecord,
  { version, lastSeenAt, expiresAt, head }: Pick<SessionRecord, 'version' | 'lastSeenAt' | 'expiresAt' | 'head'>,
  hashes: readonly string[],
  target: SessionRecord | null,
): SessionRecord {
  if (record instanceof SealedRecord)
    return record.buried({ version, lastSeenAt, expiresAt, head }, hashes, target instanceof SealedRecord ? target : null)
  return { id: record.id, version, userId: null, createdAt: record.createdAt, lastSeenAt, expiresAt, head, data: '' }
}

/** A good secret of this record's was shown. @returns false when it opens nothing all the same: no session */
export function unlock(record: SessionRecord, secret: Secret): boolean {
  return !(record instanceof SealedRecord) || record.unlock(secret, hashSecret(secret))
}

/** Whether its data can be read only while its client is there. */
export function isLocked(record: SessionRecord): boolean {
  return record instanceof SealedRecord && record.client?.isLocked === true
}

/** The same session as the store has it now: who could read the one can read the other. */
export function likewise(record: SessionRecord | null, known: SessionRecord): SessionRecord | null {
  return record instanceof SealedRecord && known instanceof SealedRecord ? record.likewise(known) : record
}

/** The session that a login moved another to, as the tombstone of that one knows it: who could read the one can read the other. */
export function moved(record: SessionRecord | null, tombstone: SessionRecord): SessionRecord | null {
  if (record instanceof SealedRecord && tombstone instanceof SealedRecord) return record.follow(tombstone)
  return record
}

/** Whether it is to be written once more for the sake of the current key. */
export function isStale(record: SessionRecord): boolean {
  return record instanceof SealedRecord && record.isStale
}

/** What the store calls its user. */
export function nameInStore(record: SessionRecord): string | null {
  return record instanceof SealedRecord ? record.owner.name : record.userId
}

/** What its client called itself. */
export function deviceOf(record: SessionRecord): string | null {
  return record instanceof SealedRecord ? record.owner.device : (decodeHead(record.head)?.device ?? null)
}
