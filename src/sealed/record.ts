import { expiry, type Limits, type Policy } from '../core/policy.ts'
import { isSessionId, type SessionId } from '../core/token.ts'

/** What is inside a seal. */
export interface SealedRecord {
  readonly id: SessionId
  readonly userId: string | null
  /** Whether the timeouts of a remembered login hold. */
  readonly remembered: boolean
  /** Milliseconds since the epoch, as all times here. */
  readonly createdAt: number
  readonly lastSeenAt: number
  /** From this moment on the seal opens for nobody. */
  readonly expiresAt: number
  /** Beyond this moment no later seal of the session goes. */
  readonly deadline: number
  /** The application's data, encoded. */
  readonly data: string
}

const visit = 'v'
const remembers = 'r'
const timesAt = 17
const timeLength = 9
const userAt = timesAt + 4 * timeLength

/** kind (1: a visit or a remembered login)  ID (16)  created, last seen, expires, deadline (9 each, base 36)  user (JSON, if any)  line feed  data */
export function encodeRecord({ id, userId, remembered, createdAt, lastSeenAt, expiresAt, deadline, data }: SealedRecord): string {
  const times = [createdAt, lastSeenAt, expiresAt, deadline].map((time) => time.toString(36).padStart(timeLength, '0')).join('')
  return `${remembered ? remembers : visit}${id}${times}${userId === null ? '' : JSON.stringify(userId)}\n${data}`
}

/** Reads what a key of ours sealed. What another release may have sealed in another form is null: no session. */
export function decodeRecord(text: string): SealedRecord | null {
  const line = text.indexOf('\n')
  const kind = text.charAt(0)
  const id = text.slice(1, timesAt)
  if (line < userAt || (kind !== visit && kind !== remembers) || !isSessionId(id)) return null
  const timeAt = (i: number): number => Number.parseInt(text.slice(timesAt + i * timeLength, timesAt + (i + 1) * timeLength), 36)
  const user = text.slice(userAt, line)
  return {
    id,
    userId: user === '' ? null : (JSON.parse(user) as string),
    remembered: kind === remembers,
    createdAt: timeAt(0),
    lastSeenAt: timeAt(1),
    expiresAt: timeAt(2),
    deadline: timeAt(3),
    data: text.slice(line + 1),
  }
}

export function limitsOf(policy: Policy, { remembered }: Pick<SealedRecord, 'remembered'>): Limits {
  return remembered ? policy.remembered : policy.visit
}

/** Whether a session's time has come: by the seal, and by the absolute timeout of now, should that have been shortened. */
export function hasExpired(policy: Policy, record: SealedRecord, now: number): boolean {
  return Math.min(record.expiresAt, record.createdAt + limitsOf(policy, record).absolute) <= now
}

/** The record of a session that begins. */
export function newRecord(
  policy: Policy,
  { id, userId, remembered, data }: Pick<SealedRecord, 'id' | 'userId' | 'remembered' | 'data'>,
  now: number,
): SealedRecord {
  const limits = limitsOf(policy, { remembered })
  const expiresAt = expiry(now, now, limits)
  return { id, userId, remembered, createdAt: now, lastSeenAt: now, expiresAt, deadline: now + limits.absolute, data }
}

/** The record of a session that goes on. */
export function nextRecord(policy: Policy, record: SealedRecord, data: string, now: number): SealedRecord {
  const expiresAt = Math.min(expiry(record.createdAt, now, limitsOf(policy, record)), record.deadline)
  return { ...record, lastSeenAt: now, expiresAt, data }
}
