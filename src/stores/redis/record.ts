import { SojournError } from '../../core/errors.ts'
import type { Removed, SessionRecord } from '../../core/store.ts'

/*
 * A record as one string. What scripts look at has its place: numbers are 16 digits, so that a touch writes over its two.
 *
 *   0      1        17         33          49         65           73
 *   format version  expiresAt  lastSeenAt  createdAt  length (8)   userId as JSON, line end, head   data
 *
 * The length is that of all between it and the data, which is ASCII: characters here are bytes there.
 */
const format = '1'
const numberWidth = 16
const metaAt = 73

export function encode({ version, userId, createdAt, lastSeenAt, expiresAt, head, data }: SessionRecord): string {
  const meta = `${encodeUser(userId)}\n${head}`
  const length = String(meta.length).padStart(8, '0')
  return format + digits(version) + encodeTimes(expiresAt, lastSeenAt) + digits(createdAt) + length + meta + data
}

export function encodeTimes(expiresAt: number, lastSeenAt: number): string {
  return digits(expiresAt) + digits(lastSeenAt)
}

export function encodeVersion(version: number): string {
  return digits(Math.max(version, 0))
}

/** Exact for any string, halves of surrogate pairs included, and ASCII. */
export function encodeUser(userId: string | null): string {
  if (userId === null) return 'null'
  return JSON.stringify(userId).replace(/[\x7f-\uffff]/g, (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`)
}

export function decodeUser(text: string): string | null {
  return JSON.parse(text) as string | null
}

export function decode(store: string, id: string, value: string): SessionRecord {
  if (!value.startsWith(format) || value.length < metaAt) {
    throw new SojournError(
      'ERR_SOJOURN_STORE_FORMAT',
      `The store ${store} holds something for ${id} that this version can't read: another program's, or a newer version's. Give each its own prefix.`,
    )
  }
  const dataAt = metaAt + Number(value.slice(65, metaAt))
  const { userId, head } = decodeMeta(id, value.slice(metaAt, dataAt))
  return {
    id,
    version: Number(value.slice(1, 17)),
    userId,
    createdAt: Number(value.slice(49, 65)),
    lastSeenAt: Number(value.slice(33, 49)),
    expiresAt: Number(value.slice(17, 33)),
    head,
    data: value.slice(dataAt),
  }
}

/** What stands between the numbers and the data: all that a sweep tells of. */
export function decodeMeta(id: string, meta: string): Removed {
  const end = meta.indexOf('\n')
  return { id, userId: decodeUser(meta.slice(0, end)), head: meta.slice(end + 1) }
}

function digits(number: number): string {
  const text = String(number)
  if (Number.isSafeInteger(number) && number >= 0) return text.padStart(numberWidth, '0')
  throw new SojournError(
    'ERR_SOJOURN_OPTION',
    `A version or a time is ${text}; the Redis store keeps whole numbers from 0 to 2^53 - 1. Hand in a clock of whole milliseconds.`,
  )
}
