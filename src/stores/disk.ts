import { resolve } from 'node:path'
import { SojournError } from '../core/errors.ts'
import { parseSize, type Size } from '../core/size.ts'
import type { Maybe, Removed, SessionRecord, Store, Swept, Touch } from '../core/store.ts'
import { type Environment, openEnvironment } from './disk/environment.ts'
import { failure } from './disk/failure.ts'
import { afterExpiry, afterUser, expiryKey, idOfExpiryKey, idOfUserKey, userKey } from './disk/keys.ts'
import { dataBytesOf, decode, encode, headOf, isRecord, retimed, stampOf, type Stored, storedOf } from './disk/record.ts'
import { Room } from './disk/room.ts'
import { Writer } from './disk/writer.ts'

export interface DiskOptions {
  /**
   * When a write is acknowledged. 'committed': once all processes see it; a crash of the process loses nothing, one of the
   * machine at most the last moments, which are flushed meanwhile. 'flushed': once it is on the disk.
   *
   * @default 'committed'
   */
  readonly durability?: 'committed' | 'flushed'
  /**
   * What the sessions may take together, with all that finds them: a number of bytes, or text such as '2 GB'. The file may
   * be somewhat larger, for pages that wait to be used again. Each process watches it by its own measure.
   *
   * @default '16 GB'
   */
  readonly maxBytes?: Size
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
  return new DiskStore(resolve(path), durability === 'flushed', parseSize(maxBytes, 'maxBytes'))
}

const nothing = Buffer.alloc(0)
const pageOfList = 100

// Roughly what the index entries of one record take.
const indexBytes = 200

class DiskStore implements Store {
  readonly name: string
  onEvicted?: ((removed: Removed) => void) | undefined

  /** How many rows of the expiry index the sweeps have looked at: for tests of what a sweep costs. */
  rowsVisited = 0

  #environment: Environment
  #writer: Writer
  #room: Room
  #closing: Promise<void> | null = null

  constructor(folder: string, flush: boolean, maxBytes: number) {
    this.name = `disk:${folder}`
    // lmdb enlarges the map when it must; to do that while it works is what this spares it.
    this.#environment = openEnvironment(this.name, folder, Math.ceil(Math.min(maxBytes * 1.25, 2 ** 40) + 64 * 2 ** 20))
    this.#writer = new Writer(this.name, this.#environment, (id) => this.#read('put', id), flush)
    this.#room = new Room(this.name, folder, this.#environment, maxBytes)
  }

  get(id: string, { fresh = false }: { readonly fresh?: boolean } = {}): SessionRecord | null {
    this.#checkOpen('get')
    if (fresh) this.#refresh()
    const bytes = this.#readRecord('get', id)
    return bytes === undefined ? null : decode(id, bytes)
  }

  put(record: SessionRecord, expected: number): Maybe<boolean> {
    this.#checkOpen('put')
    let stored = this.#readStored('put', record.id)
    if (versionOf(stored) !== expected) {
      this.#refresh()
      stored = this.#readStored('put', record.id)
    }
    if (versionOf(stored) !== expected || record.version <= expected) return false
    const stamp = Math.random()
    const bytes = encode(record, stamp)
    // A put that adds no data, such as one that ends a session, must not fail for want of room.
    this.#room.take(stored === null ? bytes.length + indexBytes : dataBytesOf(bytes) - stored.dataBytes)
    return this.#put(record, expected, bytes, stored)
  }

  async touch(batch: readonly Touch[]): Promise<void> {
    this.#checkOpen('touch')
    this.#refresh()
    await Promise.all(batch.map(async (touch) => await this.#touch(touch)))
  }

  delete(id: string): Maybe<boolean> {
    this.#checkOpen('delete')
    this.#refresh()
    const bytes = this.#read('delete', id)
    return bytes === undefined ? false : this.#delete(id, bytes)
  }

  async *list(userId?: string): AsyncGenerator<SessionRecord, void> {
    for (let ids = this.#idsAfter(userId, null); ids.length > 0; ids = this.#idsAfter(userId, ids.at(-1)!)) {
      for (const id of ids) {
        const record = this.get(id, { fresh: true })
        if (record !== null && (userId === undefined || record.userId === userId)) yield record
      }
    }
  }

  async sweep(now: number, limit: number): Promise<Swept> {
    this.#checkOpen('sweep')
    this.#refresh()
    const rows = this.#attempt('sweep', () => [...this.#environment.expiry.getKeys({ end: afterExpiry(now), limit: limit + 1 })])
    this.rowsVisited += rows.length
    const answers = await Promise.allSettled(rows.slice(0, limit).map(async (row) => await this.#sweepRow(row)))
    const failed = answers.find((answer) => answer.status === 'rejected')
    const removed = answers.flatMap((answer) => (answer.status === 'fulfilled' && answer.value !== null ? [answer.value] : []))
    // What was removed must be told of, even if the rest could not be.
    if (failed !== undefined && removed.length === 0) throw failed.reason
    return { removed, more: rows.length > limit || failed !== undefined }
  }

  async close(): Promise<void> {
    this.#closing ??= this.#close()
    await this.#closing
  }

  async #close(): Promise<void> {
    try {
      await this.#writer.drain()
    } finally {
      await this.#environment.root.close()
    }
  }

  async #put(record: SessionRecord, expected: number, bytes: Buffer, found: Stored | null): Promise<boolean> {
    const { id, expiresAt, userId } = record
    const { sessions, expiry, users } = this.#environment
    const stamp = stampOf(bytes)
    for (let stored = found; ;) {
      const before = stored
      const apply = () => {
        void sessions.put(id, bytes, stamp)
        if (before?.expiresAt !== expiresAt) {
          if (before !== null) void expiry.remove(expiryKey(before.expiresAt, id))
          void expiry.put(expiryKey(expiresAt, id), nothing)
        }
        if (before?.userId !== userId) {
          if (typeof before?.userId === 'string') void users.remove(userKey(before.userId, id))
          if (userId !== null) void users.put(userKey(userId, id), nothing)
        }
      }
      if (await this.#writer.write('put', { id, over: before?.stamp ?? null, stamp, apply })) return true
      this.#checkOpen('put')
      this.#refresh()
      stored = this.#readStored('put', id)
      // A touch changes the stamp and not the version: then this goes over what the touch left.
      if (versionOf(stored) !== expected) return false
    }
  }

  async #touch({ id, version, lastSeenAt, expiresAt }: Touch): Promise<void> {
    const { sessions, expiry } = this.#environment
    for (;;) {
      const bytes = this.#readRecord('touch', id)
      if (bytes === undefined) return
      const stored = storedOf(bytes)
      if (stored.version !== version || stored.expiresAt <= lastSeenAt || stored.expiresAt >= expiresAt) return
      const stamp = Math.random()
      const next = retimed(bytes, lastSeenAt, expiresAt, stamp)
      const apply = () => {
        void sessions.put(id, next, stamp)
        void expiry.remove(expiryKey(stored.expiresAt, id))
        void expiry.put(expiryKey(expiresAt, id), nothing)
      }
      if (await this.#writer.write('touch', { id, over: stored.stamp, stamp, apply })) return
      this.#checkOpen('touch')
      this.#refresh()
    }
  }

  async #delete(id: string, found: Buffer): Promise<boolean> {
    for (let bytes: Buffer | undefined = found; bytes !== undefined; bytes = this.#read('delete', id)) {
      if (await this.#remove('delete', id, bytes, null)) return true
      this.#checkOpen('delete')
      this.#refresh()
    }
    return false
  }

  async #sweepRow(row: Buffer): Promise<Removed | null> {
    const id = idOfExpiryKey(row)
    const bytes = this.#read('sweep', id)
    const whole = bytes !== undefined && isRecord(bytes)
    if (whole && expiryKey(storedOf(bytes).expiresAt, id).equals(row)) {
      const removed = { id, userId: storedOf(bytes).userId, head: headOf(bytes) }
      return (await this.#remove('sweep', id, bytes, row)) ? removed : null
    }
    // No write of this store leaves such a row. Should a damaged file hold one, it must not stop the sweeper for ever.
    if (bytes !== undefined && !whole) await this.#remove('sweep', id, bytes, row)
    else {
      const apply = () => void this.#environment.expiry.remove(row)
      await this.#writer.write('sweep', { id, over: whole ? stampOf(bytes) : null, stamp: null, apply })
    }
    return null
  }

  /** Removes what was read, if it still is what is there. Of a record that can't be read only `row` of the indexes is known. */
  async #remove(verb: string, id: string, bytes: Buffer, row: Buffer | null): Promise<boolean> {
    const { sessions, expiry, users } = this.#environment
    const stored = isRecord(bytes) ? storedOf(bytes) : null
    const apply = () => {
      void sessions.remove(id)
      if (stored !== null) void expiry.remove(expiryKey(stored.expiresAt, id))
      else if (row !== null) void expiry.remove(row)
      if (typeof stored?.userId === 'string') void users.remove(userKey(stored.userId, id))
    }
    const over = stored?.stamp ?? sessions.getEntry(id)?.version ?? null
    return await this.#writer.write(verb, { id, over, stamp: null, apply })
  }

  /** The next IDs in the order of the keys. Some at a time, so that no slow reader holds a snapshot: lmdb could reuse no page. */
  #idsAfter(userId: string | undefined, last: string | null): string[] {
    this.#checkOpen('list')
    this.#refresh()
    const { sessions, users } = this.#environment
    const options = { limit: pageOfList, exclusiveStart: last !== null }
    return this.#attempt('list', () => {
      if (userId === undefined) return [...sessions.getKeys(last === null ? options : { ...options, start: last })]
      const start = userKey(userId, last ?? '')
      return [...users.getKeys({ ...options, start, end: afterUser(userId) })].map(idOfUserKey)
    })
  }

  #readStored(verb: string, id: string): Stored | null {
    const bytes = this.#readRecord(verb, id)
    return bytes === undefined ? null : storedOf(bytes)
  }

  #readRecord(verb: string, id: string): Buffer | undefined {
    const bytes = this.#read(verb, id)
    if (bytes === undefined || isRecord(bytes)) return bytes
    throw new SojournError(
      'ERR_SOJOURN_STORE_FORMAT',
      `The store ${this.name} holds a record ${id} that it can't read: it is damaged, or something else wrote it. Remove it with delete('${id}').`,
    )
  }

  /** The bytes are good until the next read: lmdb reads into one buffer. */
  #read(verb: string, id: string): Buffer | undefined {
    return this.#attempt(verb, () => {
      const bytes: Uint8Array | undefined = this.#environment.sessions.getBinaryFast(id)
      // The length of lmdb's buffer is a property of its own, less than what the buffer holds. Large values come in another.
      return bytes === undefined ? undefined : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length)
    })
  }

  /** What is read from here on is no older than this moment. */
  #refresh(): void {
    this.#environment.root.resetReadTxn()
  }

  #attempt<T>(verb: string, work: () => T): T {
    try {
      return work()
    } catch (cause) {
      throw failure(this.name, verb, cause)
    }
  }

  #checkOpen(verb: string): void {
    if (this.#closing === null) return
    throw new SojournError(
      'ERR_SOJOURN_CLOSED',
      `The store ${this.name} was asked to ${verb} after it was closed. Close it when the last request has been answered.`,
    )
  }
}

function versionOf(stored: Stored | null): number {
  return stored?.version ?? 0
}
