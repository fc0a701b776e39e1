import type { SessionRecord } from '../../core/store.ts'

/*
 * How a record lies in its bytes, all numbers little-endian:
 *
 *    0  u32   1, the layout's number
 *    4  u32   bytes of the user's ID, or 2^32 - 1 where there is no user
 *    8  u32   bytes of the head
 *   12  u32   bytes of the data
 *   16  f64   stamp
 *   24  f64   version
 *   32  f64   created
 *   40  f64   last seen
 *   48  f64   expires
 *   56  the user's ID (UTF-8), the head (ASCII), the data (UTF-8)
 *
 * The stamp is the version that lmdb's conditional writes compare. It is in the bytes too, for lmdb tells it either by
 * `getEntry`, which copies the value, or by `getLastVersion`, which answers for another module's reads once an application
 * loads lmdb both by `import` and by `require`.
 */
const layout = 1
const noUser = 2 ** 32 - 1
const at = {
  layout: 0,
  userBytes: 4,
  headBytes: 8,
  dataBytes: 12,
  stamp: 16,
  version: 24,
  createdAt: 32,
  lastSeenAt: 40,
  expiresAt: 48,
  texts: 56,
}

/** What a write must know of the record that it changes. */
export interface Stored {
  readonly stamp: number
  readonly version: number
  readonly expiresAt: number
  readonly userId: string | null
  readonly dataBytes: number
}

export function encode(record: SessionRecord, stamp: number): Buffer {
  const { userId, head, data } = record
  const userBytes = userId === null ? 0 : Buffer.byteLength(userId)
  const dataBytes = Buffer.byteLength(data)
  const bytes = Buffer.allocUnsafe(at.texts + userBytes + head.length + dataBytes)
  bytes.writeUInt32LE(layout, at.layout)
  bytes.writeUInt32LE(userId === null ? noUser : userBytes, at.userBytes)
  bytes.writeUInt32LE(head.length, at.headBytes)
  bytes.writeUInt32LE(dataBytes, at.dataBytes)
  bytes.writeDoubleLE(stamp, at.stamp)
  bytes.writeDoubleLE(record.version, at.version)
  bytes.writeDoubleLE(record.createdAt, at.createdAt)
  bytes.writeDoubleLE(record.lastSeenAt, at.lastSeenAt)
  bytes.writeDoubleLE(record.expiresAt, at.expiresAt)
  if (userBytes > 0) bytes.write(userId!, at.texts, 'utf8')
  bytes.write(head, at.texts + userBytes, 'latin1')
  bytes.write(data, at.texts + userBytes + head.length, 'utf8')
  return bytes
}

/** False for bytes that no record was ever written as. */
export function isRecord(bytes: Buffer): boolean {
  if (bytes.length < at.texts || bytes.readUInt32LE(at.layout) !== layout) return false
  return at.texts + userBytesOf(bytes) + bytes.readUInt32LE(at.headBytes) + dataBytesOf(bytes) === bytes.length
}

export function decode(id: string, bytes: Buffer): SessionRecord {
  return {
    id,
    version: bytes.readDoubleLE(at.version),
    userId: userIdOf(bytes),
    createdAt: bytes.readDoubleLE(at.createdAt),
    lastSeenAt: bytes.readDoubleLE(at.lastSeenAt),
    expiresAt: bytes.readDoubleLE(at.expiresAt),
    head: headOf(bytes),
    data: bytes.toString('utf8', bytes.length - dataBytesOf(bytes)),
  }
}

export function storedOf(bytes: Buffer): Stored
export function storedOf(bytes: Buffer | undefined): Stored | null
export function storedOf(bytes: Buffer | undefined): Stored | null {
  if (bytes === undefined) return null
  return {
    stamp: stampOf(bytes),
    version: bytes.readDoubleLE(at.version),
    expiresAt: bytes.readDoubleLE(at.expiresAt),
    userId: userIdOf(bytes),
    dataBytes: dataBytesOf(bytes),
  }
}

export function stampOf(bytes: Buffer): number {
  return bytes.readDoubleLE(at.stamp)
}

export function dataBytesOf(bytes: Buffer): number {
  return bytes.readUInt32LE(at.dataBytes)
}

export function headOf(bytes: Buffer): string {
  const start = at.texts + userBytesOf(bytes)
  return bytes.toString('latin1', start, start + bytes.readUInt32LE(at.headBytes))
}

/** The same record with other times. */
export function retimed(bytes: Buffer, lastSeenAt: number, expiresAt: number, stamp: number): Buffer {
  const copy = Buffer.from(bytes)
  copy.writeDoubleLE(stamp, at.stamp)
  copy.writeDoubleLE(lastSeenAt, at.lastSeenAt)
  copy.writeDoubleLE(expiresAt, at.expiresAt)
  return copy
}

function userBytesOf(bytes: Buffer): number {
  const length = bytes.readUInt32LE(at.userBytes)
  return length === noUser ? 0 : length
}

function userIdOf(bytes: Buffer): string | null {
  const length = bytes.readUInt32LE(at.userBytes)
  return length === noUser ? null : bytes.toString('utf8', at.texts, at.texts + length)
}
