import { resolve } from 'node:path'
import { SojournError } from '../core/errors.ts'
import { parseSize, type Size } from '../core/size.ts'
import type { Maybe, Removed, SessionRecord, Store, Swept, Touch } from '../core/store.ts'
import { type Environment, openEnvironment } from './disk/environment.ts'
import { expiryKey, idOfExpiryKey, userKey } from './disk/keys.ts'
import { OpeningStore } from './disk/opening.ts'
import { Reader } from './disk/reader.ts'
import { dataBytesOf, decode, encode, headOf, isRecord, retimed, type Stored, storedOf } from './disk/record.ts'
import { Room } from './disk/room.ts'
import { type Sent, Writer } from './disk/writer.ts'

export interface DiskOptions {
  /**
   * When a write is acknowledged. 'committed': once all processes see it; a crash of the process loses nothing, one of the
   * machine at most the last moments, which are flushed meanwhile. 'flushed': once it is on the disk.
   *
   * @default 'committed'
   */
  readonly durability?: 'committed' | 'flushed' | undefined
  /**
   * What the sessions may take together, with all that finds them: a number of bytes, or text such as '2 GB'. The file can
   * become half as large again, for pages that wait to be used again. Each process sees to it by its own measure.
   *
   * @default '16 GB'
   */
  readonly maxBytes?: Size | undefined
}

/**
 * Keeps sessions in a folder, in an lmdb environment: they outlive restarts and crashes, and any number of processes of one
 * machine share them. The folder must be on a local disk. Needs the package `lmdb`.
 *
 * @param path - The folder; it is made, for its owner alone, if it is not there.
 * @throws SojournError `ERR_SOJOURN_OPTION` for an option that is none, or if lmdb is not installed; `ERR_SOJOURN_STORE` for a
 *   folder that can't be used; `ERR_SOJOURN_STORE_FORMAT` for one that holds something else, or a newer format. `put` throws
 *   `ERR_SOJOURN_STORE_FULL` for what no longer fits; what ends a session is let through.
 */
export function disk(path: string, { durability = 'committed', maxBytes = '16 GB' }: DiskOptions = {}): Store {
  if (typeof path !== 'string' || path === '' || path.includes('\0')) {
    throw new SojournError('ERR_SOJOURN_OPTION', `The disk store needs the path of a folder, such as disk('./.data/sessions').`)
  }
  if (durability !== 'committed' && durability !== 'flushed') {
    throw new SojournError('ERR_SOJOURN_OPTION', `The option durability is ${JSON.stringify(durability)}. Give 'committed' or 'flushed'.`)
  }
  const folder = resolve(path)
  const name = `disk:${folder}`
  const most = parseSize(maxBytes, 'maxBytes')
  // lmdb enlarges the map when it must; to do that while it works is what this spares it.
  const environment = openEnvironment(name, folder, Math.ceil(Math.min(most * 1.25, 2 ** 40) + 64 * 2 ** 20))
  const open = (opened: Environment): Store => new DiskStore(name, folder, opened, durability === 'flushed', most)
  return environment instanceof Promise ? new OpeningStore(name, environment.then(open)) : open(environment)
}

const nothing = Buffer.alloc(0)
const rowsOfTurn = 100

// Roughly what the index entries of one record take.
const indexBytes = 200

class DiskStore implements Store {
  readonly name: string
  onEvicted?: ((removed: Removed) => void) | undefined

  /** How many rows of the expiry index the sweeps have looked at: for tests of what a sweep costs. */
  rowsVisited = 0

  #environment: Environment
  #reader: Reader
  #room: Room
  #writer: Writer
  #closing: Promise<void> | null = null

  // What `get` read last: a request that writes has mostly just read its session. It may be older than what is there, since a write
  // lands on this stamp alone.
  #lastRead: { readonly id: string; readonly stored: Stored } | null = null

  constructor(name: string, folder: string, environment: Environment, flush: boolean, maxBytes: number) {
    this.name = name
    this.#environment = environment
    this.#reader = new Reader(name, environment)
    this.#room = new Room(name, folder, environment, maxBytes)
    this.#writer = new Writer(name, environment, this.#reader, this.#room, flush)
  }

  get(id: string): SessionRecord | null {
    const reader = this.#open('get')
    // 0.6 µs. lmdb by itself keeps a snapshot for a millisecond or more: what another process acknowledged meanwhile, say a
    // login, or the end of a session, would not be seen.
    reader.refresh()
    const bytes = reader.record('get', id)
    if (bytes === undefined) return null
    this.#lastRead = { id, stored: storedOf(bytes) }
    return decode(id, bytes)
  }

  put(record: SessionRecord, expected: number): Maybe<boolean> {
    const reader = this.#open('put')
    const last = this.#lastRead
    let stored = last?.id === record.id ? last.stored : storedOf(reader.record('put', record.id))
    if (versionOf(stored) !== expected) {
      reader.refresh()
      stored = storedOf(reader.record('put', record.id))
    }
    if (versionOf(stored) !== expected || record.version <= expected) return false
    return this.#put(record, expected, stored)
  }

  async touch(batch: readonly Touch[]): Promise<void> {
    this.#open('touch').refresh()
    await Promise.all(batch.map(async (touch) => await this.#touch(touch)))
  }

  delete(id: string): Maybe<boolean> {
    const reader = this.#open('delete')
    reader.refresh()
    return reader.stampOf('delete', id) === null ? false : this.#delete(id)
  }

  async *list(userId?: string): AsyncGenerator<SessionRecord, void> {
    let last: string | null = null
    for (;;) {
      const reader = this.#open('list')
      reader.refresh()
      const ids = reader.idsAfter(userId, last)
      for (const id of ids) {
        const record = this.get(id)
        if (record !== null && (userId === undefined || record.userId === userId)) yield record
      }
      if (ids.length === 0) return
      last = ids.at(-1)!
    }
  }

  async sweep(now: number, limit: number): Promise<Swept> {
    const reader = this.#open('sweep')
    reader.refresh()
    const rows = reader.expired(now, limit + 1)
    this.rowsVisited += rows.length
    const removed: Removed[] = []
    let failure: unknown = null
    // Hundreds in one turn would hold up requests, and other processes' writes, for milliseconds.
    for (let done = 0; done < limit && done < rows.length; done += rowsOfTurn) {
      const turn = rows.slice(done, Math.min(done + rowsOfTurn, limit))
      for (const answer of await Promise.allSettled(turn.map(async (row) => await this.#sweepRow(row)))) {
        if (answer.status === 'rejected') failure = answer.reason
        else if (answer.value !== null) removed.push(answer.value)
      }
    }
    // What was removed must be told of, even if the rest could not be.
    if (failure !== null && removed.length === 0) throw failure
    return { removed, more: rows.length > limit || failure !== null }
  }

  async close(): Promise<void> {
    this.#closing ??= this.#close()
    await this.#closing
  }

  async #close(): Promise<void> {
    try {
      await this.#writer.drain()
    } finally {
      this.#room.close()
      await this.#environment.door.leave(async () => await this.#environment.root.close())
    }
  }

  async #put(record: SessionRecord, expected: number, found: Stored | null): Promise<boolean> {
    const { id, expiresAt, userId } = record
    const { sessions, expiry, users } = this.#environment
    const stamp = Math.random()
    const bytes = encode(record, stamp)
    let stored = found
    do {
      const before = stored
      const put = (over?: number) => sessions.put(id, bytes, stamp, over)
      const apply = () => {
        void put()
        if (before?.expiresAt !== expiresAt) {
          if (before !== null) void expiry.remove(expiryKey(before.expiresAt, id))
          void expiry.put(expiryKey(expiresAt, id), nothing)
        }
        if (before?.userId !== userId) {
          if (typeof before?.userId === 'string') void users.remove(userKey(before.userId, id))
          if (userId !== null) void users.put(userKey(userId, id), nothing)
        }
      }
      // Most move no index entry: then one instruction compares and puts, where a conditional batch takes three.
      const isAlone = before?.expiresAt === expiresAt && before.userId === userId
      const send = () => (isAlone ? put(before.stamp) : this.#onlyOver(id, before?.stamp ?? null, apply))
      // A put that adds no data, such as one that ends a session, must not fail for want of room.
      const growth = before === null ? bytes.length + indexBytes : dataBytesOf(bytes) - before.dataBytes
      try {
        if (await this.#writer.write('put', { id, stamp, bytes: bytes.length, growth, send })) return true
      } catch (error) {
        // Room is asked for before lmdb compares: what would not have landed with room either was not refused for want of it.
        if (isFull(error) && this.#isOver(id, expected)) return false
        throw error
      }
      stored = storedOf(this.#open('put').recordAgain('put', id, before?.stamp ?? null))
      // A touch changes the stamp and not the version: then this goes over what the touch left.
    } while (versionOf(stored) === expected)
    return false
  }

  /** Whether another version than this is there. */
  #isOver(id: string, version: number): boolean {
    const reader = this.#open('put')
    reader.refresh()
    return versionOf(storedOf(reader.record('put', id))) !== version
  }

  async #touch({ id, version, lastSeenAt, expiresAt }: Touch): Promise<void> {
    const { sessions, expiry } = this.#environment
    let bytes = this.#reader.record('touch', id)
    while (bytes !== undefined) {
      const stored = storedOf(bytes)
      if (stored.version !== version || stored.expiresAt <= lastSeenAt || stored.expiresAt >= expiresAt) return
      const stamp = Math.random()
      const next = retimed(bytes, lastSeenAt, expiresAt, stamp)
      const apply = () => {
        void sessions.put(id, next, stamp)
        void expiry.remove(expiryKey(stored.expiresAt, id))
        void expiry.put(expiryKey(expiresAt, id), nothing)
      }
      const send = () => this.#onlyOver(id, stored.stamp, apply)
      if (await this.#writer.write('touch', { id, stamp, bytes: next.length, growth: 0, send })) return
      bytes = this.#open('touch').recordAgain('touch', id, stored.stamp)
    }
  }

  async #delete(id: string): Promise<boolean> {
    let bytes = this.#reader.bytes('delete', id)
    while (bytes !== undefined) {
      const over = this.#reader.stampOf('delete', id)
      if (await this.#remove('delete', id, bytes, over, null)) return true
      bytes = this.#open('delete').recordAgain('delete', id, over)
    }
    return false
  }

  async #sweepRow(row: Buffer): Promise<Removed | null> {
    const reader = this.#open('sweep')
    const id = idOfExpiryKey(row)
    const over = reader.stampOf('sweep', id)
    const bytes = reader.bytes('sweep', id)
    const stored = bytes !== undefined && isRecord(bytes) ? storedOf(bytes) : null
    if (bytes !== undefined && stored !== null && expiryKey(stored.expiresAt, id).equals(row)) {
      const removed = { id, userId: stored.userId, head: headOf(bytes) }
      return (await this.#remove('sweep', id, bytes, over, row)) ? removed : null
    }
    // No write of this store leaves such a row. Should a damaged file hold one, it must not stop the sweeper for ever.
    if (bytes !== undefined && stored === null) {
      await this.#remove('sweep', id, bytes, over, row)
    } else {
      const apply = () => void this.#environment.expiry.remove(row)
      await this.#end('sweep', id, over, apply)
    }
    return null
  }

  /** Removes the record that was read, with its index entries. Of one that is damaged only `row` of the indexes is known. */
  async #remove(verb: string, id: string, bytes: Buffer, over: number | null, row: Buffer | null): Promise<boolean> {
    const { sessions, expiry, users } = this.#environment
    const stored = isRecord(bytes) ? storedOf(bytes) : null
    const apply = () => {
      void sessions.remove(id)
      if (stored !== null) void expiry.remove(expiryKey(stored.expiresAt, id))
      else if (row !== null) void expiry.remove(row)
      if (typeof stored?.userId === 'string') void users.remove(userKey(stored.userId, id))
    }
    return await this.#end(verb, id, over, apply)
  }

  async #end(verb: string, id: string, over: number | null, apply: () => void): Promise<boolean> {
    return await this.#writer.write(verb, { id, stamp: null, bytes: 0, growth: 0, send: () => this.#onlyOver(id, over, apply) })
  }

  /** Puts and removals that land together, on the record with this stamp alone; null: only where no record is. */
  #onlyOver(id: string, over: number | null, apply: () => void): Sent {
    const { sessions } = this.#environment
    return over === null ? sessions.ifNoExists(id, apply) : sessions.ifVersion(id, over, apply)
  }

  #open(verb: string): Reader {
    if (this.#closing === null) return this.#reader
    throw new SojournError(
      'ERR_SOJOURN_CLOSED',
      `The store ${this.name} was asked to ${verb} after it was closed. Close it when the last request has been answered.`,
    )
  }
}

function isFull(error: unknown): boolean {
  return error instanceof SojournError && error.code === 'ERR_SOJOURN_STORE_FULL'
}

function versionOf(stored: Stored | null): number {
  return stored?.version ?? 0
}
