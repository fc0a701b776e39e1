import type { SessionRecord } from '../../core/store.ts'
import { createdShift, dataShift, fits, latestCreated, ODD, RECORD, shapeShift, USER, WIDE } from './layout.ts'
import type { Shapes } from './shapes.ts'
import { bytesOf, encodingOf, isLatin1, latin1, utf16, writeNumber, writeText } from './text.ts'

/** The bytes of times that are kept among the texts. */
export const timesBytes = 24
// Grows for a larger one; what has grown past the other bound does not stay.
const usualBytes = 1 << 14
const keptBytes = 1 << 20

/**
 * A record as words and bytes. The texts stand in one run of bytes: wide times, the version, the length of the data, an odd ID, the
 * user's, the head, the data; names and heads are preceded by twice their length, and 1 more when they are in UTF-16.
 */
export class Encoder {
  readonly #shapes: Shapes
  /** What was encoded last: its META without MORE, the words of its times, and its texts, `length` bytes of them. */
  meta = 0
  created = 0
  seen = 0
  expires = 0
  length = 0
  texts = Buffer.allocUnsafeSlow(usualBytes)
  textWords = new Int32Array(this.texts.buffer)
  #at = 0

  constructor(shapes: Shapes) {
    this.#shapes = shapes
  }

  encode(record: SessionRecord, isOdd: boolean): void {
    const { id, version, userId, createdAt, lastSeenAt, expiresAt, head, data } = record
    this.#reserve(80 + 2 * (head.length + data.length + (userId?.length ?? 0) + (isOdd ? id.length : 0)))
    const { texts } = this
    let meta = RECORD
    this.#at = 0
    if (fits(createdAt, latestCreated) && fits(lastSeenAt - createdAt, 2 ** 32) && fits(expiresAt - createdAt, 2 ** 32)) {
      meta |= Math.floor(createdAt / 2 ** 32) << createdShift
      this.created = createdAt | 0
      this.seen = (lastSeenAt - createdAt) | 0
      this.expires = (expiresAt - createdAt) | 0
    } else {
      meta |= WIDE
      this.created = this.seen = this.expires = 0
      texts.writeDoubleLE(createdAt, 0)
      texts.writeDoubleLE(lastSeenAt, 8)
      texts.writeDoubleLE(expiresAt, 16)
      this.#at = timesBytes
    }
    this.#writeNumber(version)
    const encoding = encodingOf(data)
    const dataLength = bytesOf(data, encoding)
    meta |= encoding << dataShift
    this.#writeNumber(dataLength)
    if (isOdd) {
      meta |= ODD
      this.#writeName(id)
    }
    if (userId !== null) {
      meta |= USER
      this.#writeName(userId)
    }
    const shape = this.#shapes.pack(head, texts, this.#at)
    if (shape === 0) this.#writeName(head)
    else this.#at += this.#shapes.packedLength(shape)
    writeText(texts, this.#at, data, encoding)
    this.meta = meta | (shape << shapeShift)
    this.length = this.#at + dataLength
  }

  #writeName(name: string): void {
    const encoding = isLatin1(name) ? latin1 : utf16
    this.#writeNumber(2 * name.length + (encoding === utf16 ? 1 : 0))
    writeText(this.texts, this.#at, name, encoding)
    this.#at += encoding === utf16 ? 2 * name.length : name.length
  }

  #writeNumber(number: number): void {
    this.#at = writeNumber(this.texts, this.#at, number)
  }

  #reserve(size: number): void {
    if (size <= this.texts.length && this.texts.length <= keptBytes) return
    this.texts = Buffer.allocUnsafeSlow(4 * Math.ceil(Math.max(size, usualBytes) / 4))
    this.textWords = new Int32Array(this.texts.buffer)
  }
}
