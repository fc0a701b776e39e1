import { randomBytes } from 'node:crypto'
import type { Removed, SessionRecord } from '../../core/store.ts'
import { Blocks, type Want } from './blocks.ts'
import { Encoder } from './encoder.ts'
import { Expiry } from './expiry.ts'
import { Format } from './format.ts'
import type { Bounds } from './grain.ts'
import { Hot } from './hot.ts'
import { Ids } from './ids.ts'
import {
  CONTINUED,
  CREATED,
  EXPIRES,
  FIRST,
  fixedWords,
  ID,
  META,
  MORE,
  MORE_NEXT,
  MORE_PREV,
  ODD,
  moreWords,
  RECORD,
  SEEN,
  textAt,
  USER,
  userWords,
} from './layout.ts'
import { Recency } from './recency.ts'
import { Shapes } from './shapes.ts'
import { Users } from './users.ts'

/** How many records of a second that has not passed are looked at, at most, for one that has expired. */
const effortOfSweep = 4096
const effortOfPut = 16

/**
 * The records, with what finds them: by ID, by user, by expiry, by use. Each change here is one step in which all of these stay in
 * agreement; what may change when is the store's affair. A record is called by its address, which holds until the next `prepare`.
 */
export class Records {
  count = 0

  readonly #bounds: Bounds
  readonly #blocks: Blocks
  readonly #format: Format
  readonly #encoder: Encoder
  readonly #ids: Ids
  readonly #users: Users
  readonly #expiry: Expiry
  readonly #anonymous: Recency
  readonly #loggedIn: Recency
  readonly #hot: Hot
  /** How long what was encoded is in one block, in words. */
  #units = 0

  constructor(bounds: Bounds) {
    this.#bounds = bounds
    const blocks = new Blocks(bounds.grain)
    const shapes = new Shapes()
    const format = new Format(blocks, shapes)
    const seed = randomBytes(4).readInt32LE()
    this.#blocks = blocks
    this.#format = format
    this.#encoder = new Encoder(shapes)
    this.#ids = new Ids(blocks, bounds.chains, format, seed)
    this.#users = new Users(blocks, bounds.chains, format, seed)
    this.#expiry = new Expiry(blocks, bounds.nodes, (address) => format.expiresAt(address))
    this.#anonymous = new Recency(blocks)
    this.#loggedIn = new Recency(blocks)
    this.#hot = new Hot(bounds.hotPlaces, bounds.hotBytes)
    blocks.onMove = (from, to) => this.#moved(from, to)
  }

  /** What all of this may take at most now, the objects in use at their bound. */
  get taken(): number {
    return this.#blocks.taken + this.#tables + this.#bounds.hotBytes
  }

  /** The address of a record; 0 when there is none. */
  find(id: string): number {
    return this.#hot.find(id) || this.#ids.find(id)
  }

  /** The record, which counts as used. */
  use(address: number, id: string): SessionRecord {
    this.#recencyOf(address).use(address)
    const known = this.#hot.at(address, id)
    if (known !== undefined) return known
    const record = this.#format.read(address, id)
    this.#keep(address, record)
    return record
  }

  /** The record, without a trace. */
  look(address: number, id: string): SessionRecord {
    return this.#hot.at(address, id) ?? this.#format.read(address, id)
  }

  version(address: number, id: string): number {
    return this.#hot.at(address, id)?.version ?? this.#format.version(address)
  }

  lastSeenAt(address: number): number {
    return this.#format.lastSeenAt(address)
  }

  expiresAt(address: number): number {
    return this.#format.expiresAt(address)
  }

  /** The IDs of all records, in rounds: each that stays is in exactly one of them, whatever comes, changes and goes meanwhile. */
  *all(): Generator<string[]> {
    const { rounds } = this.#ids
    for (let round = 0; round < rounds; round++) {
      const ids: string[] = []
      for (const first of this.#ids.firstIn(round, rounds)) for (const address of this.#ids.along(first)) ids.push(this.#format.id(address))
      if (ids.length > 0) yield ids
    }
  }

  /** The IDs of the records that one user has now. */
  ofUser(userId: string): string[] {
    const ids: string[] = []
    for (let address = this.#users.firstOf(userId); address !== 0; address = this.#users.after(address)) ids.push(this.#format.id(address))
    return ids
  }

  /**
   * Writes the version, times and data of a record in use over those that it had: what nearly every commit changes. It counts as
   * used.
   *
   * @returns false, changing nothing, where more is another, or it does not fit its block: then it is to be encoded
   */
  overwrite(address: number, record: SessionRecord): boolean {
    const known = this.#hot.at(address, record.id)
    // To compare a text with itself takes no time.
    if (known === undefined || known.head !== record.head || known.userId !== record.userId) return false
    if (known.createdAt !== record.createdAt || !this.#format.overwrite(address, record)) return false
    this.#expiry.change(address, known.expiresAt, record.expiresAt)
    this.#recencyOf(address).use(address)
    this.#keep(address, record)
    return true
  }

  /** What `insert` and `rewrite` are to write. @returns how many bytes it takes */
  encode(record: SessionRecord): number {
    this.#ids.parse(record.id)
    this.#encoder.encode(record, this.#ids.isOdd)
    this.#units = fixedWords + (record.userId === null ? 0 : userWords) + Math.ceil(this.#encoder.length / 4)
    return 4 * this.#units
  }

  /** Whether what was encoded would find room if all else were gone. */
  couldHold(): boolean {
    // A single block does, where there is any slab.
    if (this.#units <= this.#blocks.longest && this.#blocks.taken > 0) return true
    return this.#blocks.couldHold(this.#wants(), this.#room + this.#blocks.taken)
  }

  /** Sees to it that what was encoded can be inserted. @returns false when something must be given up first */
  prepare(): boolean {
    if (this.#units <= this.#blocks.longest && this.#blocks.hasOne(this.#units)) return true
    return this.#blocks.prepare(this.#wants(), this.#room)
  }

  /** Whether the tables have grown into the room of the blocks. */
  get isOver(): boolean {
    return this.#room < 0
  }

  /** Gives memory back. @returns false when something must be given up first */
  shrink(): boolean {
    return this.#blocks.shrink()
  }

  /** Inserts what was encoded, as the record that was last used. To be prepared. */
  insert(record: SessionRecord): void {
    const { length } = this.#encoder
    const units = Math.min(this.#units, this.#blocks.longest)
    const isLong = this.#units > units
    const meta = this.#encoder.meta | (isLong ? MORE : 0)
    const address = this.#blocks.take(units)
    const { words, shift, mask } = this.#blocks
    const own = words[address >>> shift]!
    const at = address & mask
    own[at + META] = meta
    this.#ids.parse(record.id)
    own[at + ID] = this.#ids.one
    own[at + ID + 1] = this.#ids.two
    own[at + ID + 2] = this.#ids.three
    this.#writeTimes(address)
    const text = textAt(meta)
    copy(this.#encoder.textWords, 0, own, at + text, isLong ? units - text : Math.ceil(length / 4))
    if (isLong) this.#writeOn(address, units - text)

    this.count++
    this.#format.count(meta, 1)
    this.#ids.insert(address, this.#mayGrow)
    if (record.userId !== null) this.#users.insert(address, record.userId, this.#mayGrow)
    this.#recencyOf(address).add(address)
    this.#expiry.add(address, record.expiresAt)
    this.#keep(address, record)
  }

  /** Writes what was encoded over a record of the same user, if it fits its block. It counts as used. */
  rewrite(address: number, record: SessionRecord): boolean {
    const { words, shift, mask } = this.#blocks
    const own = words[address >>> shift]!
    const at = address & mask
    const meta = own[at + META]!
    const { length } = this.#encoder
    if (meta & MORE || !this.#blocks.suits(address, this.#units)) return false
    const { userId } = record
    if ((meta & USER) === 0 ? userId !== null : userId === null || !this.#format.isNamed(address, USER, userId)) return false
    const before = this.#format.expiresAt(address)
    this.#format.count(meta, -1)
    this.#format.count(this.#encoder.meta, 1)
    own[at + META] = this.#encoder.meta | (meta & FIRST)
    this.#writeTimes(address)
    copy(this.#encoder.textWords, 0, own, at + textAt(meta), Math.ceil(length / 4))
    this.#expiry.change(address, before, record.expiresAt)
    this.#recencyOf(address).use(address)
    this.#keep(address, record)
    return true
  }

  /** @returns false, changing nothing, when the record must be written anew for such times */
  touch(address: number, id: string, lastSeenAt: number, expiresAt: number): boolean {
    const before = this.#format.expiresAt(address)
    if (!this.#format.setTimes(address, lastSeenAt, expiresAt)) return false
    this.#expiry.change(address, before, expiresAt)
    this.#recencyOf(address).use(address)
    const known = this.#hot.at(address, id)
    if (known !== undefined) this.#keep(address, { ...known, lastSeenAt, expiresAt })
    return true
  }

  remove(address: number): void {
    const { words, shift, mask } = this.#blocks
    const own = words[address >>> shift]!
    const at = address & mask
    const meta = own[at + META]!
    this.#hot.drop(address, own[at + ID + 2]! & 0xffffff)
    this.#expiry.remove(address, this.#format.expiresAt(address))
    this.#recencyOf(address).remove(address)
    if (meta & USER) this.#users.delete(address)
    this.#ids.delete(address)
    this.#format.count(meta, -1)
    this.count--
    let more = meta & MORE ? own[at + textAt(meta) - 1]! : 0
    this.#blocks.release(address)
    while (more !== 0) {
      const next = words[more >>> shift]![(more & mask) + MORE_NEXT]!
      this.#blocks.release(more)
      more = next
    }
  }

  /** What is to be told of it. */
  removed(address: number): Removed {
    return this.#format.removed(address)
  }

  /** A record whose time had come at `now`, of the second that goes first; 0 for none, -1 for perhaps one. */
  firstDue(now: number, forSweep: boolean): number {
    return this.#expiry.firstDue(now, forSweep ? effortOfSweep : effortOfPut)
  }

  /** What should go first when room is wanted: anonymous visitors before users, then the least recently used. */
  leastUsed(): number {
    return this.#anonymous.oldest || this.#loggedIn.oldest
  }

  get #tables(): number {
    return this.#ids.taken + this.#users.taken + this.#expiry.taken
  }

  /** How many bytes more blocks may take. */
  get #room(): number {
    const { maxBytes, hotBytes, reportBytes, nodeBytes } = this.#bounds
    const tables = this.#ids.taken + this.#users.taken + Math.max(this.#expiry.taken, nodeBytes)
    return maxBytes - hotBytes - reportBytes - tables - this.#blocks.taken
  }

  get #mayGrow(): boolean {
    return this.#room > 4 * this.#bounds.chains
  }

  #recencyOf(address: number): Recency {
    const { words, shift, mask } = this.#blocks
    return words[address >>> shift]![(address & mask) + META]! & USER ? this.#loggedIn : this.#anonymous
  }

  /** The blocks for what was encoded, the record's own first. */
  #wants(): Want[] {
    const { longest } = this.#blocks
    const words = this.#units
    if (words <= longest) return [{ units: words, count: 1 }]
    const perBlock = longest - moreWords
    const rest = words + 1 - longest
    const last = rest % perBlock
    const wants: Want[] = [{ units: longest, count: 1 + Math.floor(rest / perBlock) }]
    if (last > 0) wants.push({ units: moreWords + last, count: 1 })
    return wants
  }

  /** Keeps it as an object as well. Its place there is found by the bits of a regular ID. */
  #keep(address: number, record: SessionRecord): void {
    const { words, shift, mask } = this.#blocks
    if ((words[address >>> shift]![(address & mask) + META]! & ODD) === 0) this.#hot.put(address, record)
  }

  #writeTimes(address: number): void {
    const { words, shift, mask } = this.#blocks
    const own = words[address >>> shift]!
    const at = address & mask
    own[at + CREATED] = this.#encoder.created
    own[at + SEEN] = this.#encoder.seen
    own[at + EXPIRES] = this.#encoder.expires
  }

  /** Writes what is left after so many words of the texts into further blocks. */
  #writeOn(address: number, written: number): void {
    const { words, shift, mask, longest } = this.#blocks
    const total = Math.ceil(this.#encoder.length / 4)
    let prev = address
    let link = (address & mask) + textAt(this.#encoder.meta | MORE) - 1
    for (let from = written; from < total;) {
      const length = Math.min(longest - moreWords, total - from)
      const block = this.#blocks.take(moreWords + length)
      const own = words[block >>> shift]!
      const at = block & mask
      own[at + META] = CONTINUED
      own[at + MORE_NEXT] = 0
      own[at + MORE_PREV] = prev
      copy(this.#encoder.textWords, from, own, at + moreWords, length)
      words[prev >>> shift]![link] = block
      prev = block
      link = at + MORE_NEXT
      from += length
    }
  }

  #moved(from: number, to: number): void {
    const { words, shift, mask } = this.#blocks
    const own = words[to >>> shift]!
    const at = to & mask
    const meta = own[at + META]!
    if ((meta & RECORD) === 0) {
      const prev = own[at + MORE_PREV]!
      const next = own[at + MORE_NEXT]!
      const prevWords = words[prev >>> shift]!
      const prevAt = prev & mask
      const prevMeta = prevWords[prevAt + META]!
      prevWords[prevAt + (prevMeta & RECORD ? textAt(prevMeta) - 1 : MORE_NEXT)] = to
      if (next !== 0) words[next >>> shift]![(next & mask) + MORE_PREV] = to
      return
    }
    if (meta & MORE) {
      const more = own[at + textAt(meta) - 1]!
      words[more >>> shift]![(more & mask) + MORE_PREV] = to
    }
    this.#hot.move(from, to, own[at + ID + 2]! & 0xffffff)
    this.#expiry.move(from, to, this.#format.expiresAt(to))
    this.#recencyOf(to).move(to)
    if (meta & USER) this.#users.move(from, to)
    this.#ids.move(from, to)
  }
}

// For a few dozen words a loop is quicker than set() with the view that it needs.
function copy(from: Int32Array, start: number, to: Int32Array, at: number, length: number): void {
  for (let i = 0; i < length; i++) to[at + i] = from[start + i]!
}
