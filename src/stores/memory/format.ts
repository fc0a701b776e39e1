import type { Removed, SessionRecord } from '../../core/store.ts'
import { write24 } from './bits.ts'
import type { Blocks } from './blocks.ts'
import { timesBytes } from './encoder.ts'
import { hashOn } from './hash.ts'
import {
  CREATED,
  createdShift,
  dataShift,
  EXPIRES,
  fits,
  ID,
  META,
  MORE,
  MORE_NEXT,
  moreWords,
  ODD,
  SEEN,
  shapeShift,
  textAt,
  USER,
  WIDE,
} from './layout.ts'
import type { Shapes } from './shapes.ts'
import { afterName, afterNumber, bytesOf, encodingOf, latin1, numberLength, readText, utf16, writeNumber, writeText } from './text.ts'

/** Reads records from their blocks, as `Encoder` made them, and changes those that keep to their block. */
export class Format {
  readonly #blocks: Blocks
  readonly #shapes: Shapes
  // Where a reader is.
  #bytes: Buffer = Buffer.alloc(0)
  #at = 0
  #joined: Buffer = Buffer.alloc(0)
  readonly #idBytes = Buffer.alloc(16)

  constructor(blocks: Blocks, shapes: Shapes) {
    this.#blocks = blocks
    this.#shapes = shapes
  }

  /**
   * Writes the version, times and data of a record over those of one that is the same in all else.
   *
   * @returns false, changing nothing, when they don't fit
   */
  overwrite(address: number, { version, lastSeenAt, expiresAt, data }: SessionRecord): boolean {
    const meta = this.#word(address, META)
    if (meta & (MORE | WIDE | ODD)) return false
    const bytes = this.#blocks.bytes[address >>> this.#blocks.shift]!
    const block = 4 * (address & this.#blocks.mask)
    const start = block + 4 * textAt(meta)
    const afterVersion = afterNumber(bytes, start)
    const afterLength = afterNumber(bytes, afterVersion)
    let at = meta & USER ? afterName(bytes, afterLength) : afterLength
    const shape = (meta >>> shapeShift) & 0xff
    at = shape === 0 ? afterName(bytes, at) : at + this.#shapes.packedLength(shape)
    const encoding = encodingOf(data)
    const length = bytesOf(data, encoding)
    if (numberLength(version) !== afterVersion - start || numberLength(length) !== afterLength - afterVersion) return false
    const units = (at + length - block + 3) >>> 2
    if (!this.#blocks.suits(address, units) || !this.setTimes(address, lastSeenAt, expiresAt)) return false
    writeText(bytes, at, data, encoding)
    writeNumber(bytes, start, version)
    writeNumber(bytes, afterVersion, length)
    this.#setWord(address, META, (meta & ~(3 << dataShift)) | (encoding << dataShift))
    return true
  }

  /** A record of this META was stored, or removed. */
  count(meta: number, change: 1 | -1): void {
    this.#shapes.use((meta >>> shapeShift) & 0xff, change)
  }

  /** @param id where the caller has it */
  read(address: number, id: string | null): SessionRecord {
    const meta = this.#open(address)
    const createdAt = this.createdAt(address)
    const lastSeenAt = this.lastSeenAt(address)
    const expiresAt = this.expiresAt(address)
    const version = this.#readNumber()
    const dataLength = this.#readNumber()
    const odd = meta & ODD ? this.#readName() : null
    const userId = meta & USER ? this.#readName() : null
    const head = this.#readHead(meta)
    const data = readText(this.#bytes, this.#at, this.#at + dataLength, (meta >>> dataShift) & 3)
    return { id: id ?? odd ?? this.#regularId(address), version, userId, createdAt, lastSeenAt, expiresAt, head, data }
  }

  removed(address: number): Removed {
    const meta = this.#open(address)
    this.#readNumber()
    this.#readNumber()
    const odd = meta & ODD ? this.#readName() : null
    const userId = meta & USER ? this.#readName() : null
    const head = this.#readHead(meta)
    return { id: odd ?? this.#regularId(address), userId, head }
  }

  id(address: number): string {
    if (!(this.#word(address, META) & ODD)) return this.#regularId(address)
    this.#open(address)
    this.#readNumber()
    this.#readNumber()
    return this.#readName()
  }

  version(address: number): number {
    this.#open(address, true)
    return this.#readNumber()
  }

  createdAt(address: number): number {
    const meta = this.#word(address, META)
    return meta & WIDE ? this.#wideTime(address, meta, 0) : (meta >>> createdShift) * 2 ** 32 + (this.#word(address, CREATED) >>> 0)
  }

  lastSeenAt(address: number): number {
    const meta = this.#word(address, META)
    return meta & WIDE ? this.#wideTime(address, meta, 8) : this.createdAt(address) + (this.#word(address, SEEN) >>> 0)
  }

  expiresAt(address: number): number {
    const meta = this.#word(address, META)
    return meta & WIDE ? this.#wideTime(address, meta, 16) : this.createdAt(address) + (this.#word(address, EXPIRES) >>> 0)
  }

  /** @returns false, changing nothing, when the record has no room for such times */
  setTimes(address: number, lastSeenAt: number, expiresAt: number): boolean {
    const words = this.#blocks.words[address >>> this.#blocks.shift]!
    const at = address & this.#blocks.mask
    const meta = words[at + META]!
    if (meta & WIDE) {
      const bytes = this.#blocks.bytes[address >>> this.#blocks.shift]!
      bytes.writeDoubleLE(lastSeenAt, 4 * (at + textAt(meta)) + 8)
      bytes.writeDoubleLE(expiresAt, 4 * (at + textAt(meta)) + 16)
      return true
    }
    const createdAt = this.createdAt(address)
    if (!fits(lastSeenAt - createdAt, 2 ** 32) || !fits(expiresAt - createdAt, 2 ** 32)) return false
    words[at + SEEN] = (lastSeenAt - createdAt) | 0
    words[at + EXPIRES] = (expiresAt - createdAt) | 0
    return true
  }

  /** Whether its odd ID, or its user's, is this one. */
  isNamed(address: number, which: typeof ODD | typeof USER, name: string): boolean {
    const [length, isWide] = this.#openName(address, which)
    if (length !== name.length) return false
    const bytes = this.#bytes
    const at = this.#at
    for (let i = 0; i < length; i++) {
      const code = isWide ? bytes[at + 2 * i]! | (bytes[at + 2 * i + 1]! << 8) : bytes[at + i]!
      if (code !== name.charCodeAt(i)) return false
    }
    return true
  }

  /** The same for a text and for the name of a record that has it. */
  hashOfUser(address: number, seed: number): number {
    const [length, isWide] = this.#openName(address, USER)
    const bytes = this.#bytes
    const at = this.#at
    let hash = seed
    for (let i = 0; i < length; i++) hash = hashOn(hash, isWide ? bytes[at + 2 * i]! | (bytes[at + 2 * i + 1]! << 8) : bytes[at + i]!)
    return hash
  }

  /** Sets the reader to a record's texts, after its wide times; brings them together where they stand in many blocks. */
  #open(address: number, startAlone = false): number {
    const { words, bytes, shift, mask } = this.#blocks
    const own = words[address >>> shift]!
    const at = address & mask
    const meta = own[at + META]!
    const start = 4 * (at + textAt(meta))
    if (meta & MORE && !startAlone) {
      this.#join(address, meta)
      this.#at = meta & WIDE ? timesBytes : 0
    } else {
      this.#bytes = bytes[address >>> shift]!
      this.#at = start + (meta & WIDE ? timesBytes : 0)
    }
    return meta
  }

  #join(address: number, meta: number): void {
    const { words, bytes, shift, mask } = this.#blocks
    const blocks: number[] = []
    let more = this.#word(address, textAt(meta) - 1)
    let size = 4 * this.#blocks.unitsOf(address)
    for (; more !== 0; more = words[more >>> shift]![(more & mask) + MORE_NEXT]!) {
      blocks.push(more)
      size += 4 * this.#blocks.unitsOf(more)
    }
    // Kept for the next one, unless it is as large as only few are.
    const joined = size <= this.#joined.length ? this.#joined : Buffer.allocUnsafeSlow(size)
    if (size <= 1 << 16) this.#joined = joined
    let at = 0
    const add = (block: number, from: number) => {
      const start = 4 * (block & mask)
      at += bytes[block >>> shift]!.copy(joined, at, start + 4 * from, start + 4 * this.#blocks.unitsOf(block))
    }
    add(address, textAt(meta))
    for (const block of blocks) add(block, moreWords)
    this.#bytes = joined
  }

  #openName(address: number, which: typeof ODD | typeof USER): [length: number, isWide: boolean] {
    const meta = this.#open(address)
    this.#readNumber()
    this.#readNumber()
    if (which === USER && meta & ODD) this.#readName()
    const length = this.#readNumber()
    return [length >>> 1, (length & 1) === 1]
  }

  #readHead(meta: number): string {
    const shape = (meta >>> shapeShift) & 0xff
    if (shape === 0) return this.#readName()
    const at = this.#at
    this.#at += this.#shapes.packedLength(shape)
    return this.#shapes.unpack(shape, this.#bytes, at)
  }

  #readName(): string {
    const length = this.#readNumber()
    const at = this.#at
    this.#at += length & 1 ? length & ~1 : length >>> 1
    return readText(this.#bytes, at, this.#at, length & 1 ? utf16 : latin1)
  }

  #readNumber(): number {
    const bytes = this.#bytes
    let number = 0
    for (let factor = 1; ; factor *= 128) {
      const byte = bytes[this.#at++]!
      if (byte < 128) return number + byte * factor
      number += (byte - 128) * factor
    }
  }

  #word(address: number, index: number): number {
    return this.#blocks.words[address >>> this.#blocks.shift]![(address & this.#blocks.mask) + index]!
  }

  #setWord(address: number, index: number, value: number): void {
    this.#blocks.words[address >>> this.#blocks.shift]![(address & this.#blocks.mask) + index] = value
  }

  #wideTime(address: number, meta: number, offset: number): number {
    const bytes = this.#blocks.bytes[address >>> this.#blocks.shift]!
    return bytes.readDoubleLE(4 * ((address & this.#blocks.mask) + textAt(meta)) + offset)
  }

  #regularId(address: number): string {
    const text = this.#idBytes
    const [one, two, three] = [this.#word(address, ID), this.#word(address, ID + 1), this.#word(address, ID + 2)]
    write24(text, 0, one >>> 8)
    write24(text, 4, ((one & 0xff) << 16) | (two >>> 16))
    write24(text, 8, ((two & 0xffff) << 8) | (three >>> 24))
    write24(text, 12, three & 0xffffff)
    return text.toString('latin1')
  }
}
