import { closeSync, fstatSync, openSync, statfsSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import type { Database } from 'lmdb'
import { SojournError } from '../../core/errors.ts'
import type { Environment } from './environment.ts'

interface Tree {
  readonly entryCount: number
  readonly treeBranchPageCount: number
  readonly treeLeafPageCount: number
  readonly overflowPages: number
}

interface Stats extends Tree {
  readonly root: Tree
  readonly free: Tree
  readonly pageSize: number
  readonly lastPageNumber: number
}

const reserve = 4 * 2 ** 20
const least = 2 ** 20
const zeros = Buffer.alloc(2 ** 20)

/**
 * Bounds what the sessions take together, and sees that lmdb never meets a full disk.
 *
 * lmdb 3.5 enlarges its map whenever that is full, so it knows no bound of its own; a write that the disk refuses fails each
 * other of the same commit, and overruns a buffer in the making of the message (mdb.c, `malloc(100)`), which can end the
 * process. So the file is kept longer than lmdb needs, by zeros appended to its end: lmdb writes over space that it has, and
 * it is here that a full disk is met. What adds to the sessions is refused before the reserve is touched; what ends, touches
 * and removes them lives on it, for lmdb writes new pages before it frees old ones.
 */
export class Room {
  #name: string
  #folder: string
  #environment: Environment
  #maxBytes: number

  // Opened for appending, so that nothing that another process wrote meanwhile can be overwritten.
  #file: number

  // How much more may come, and be written, before it is measured anew: an eighth of what was left, so that eight processes fit.
  #growth = 0
  #ahead = 0

  // The most sessions that there were when it was full. Removals leave gaps in pages that stay in use: with fewer sessions
  // than then there is room, though as many pages are counted.
  #entriesWhenFull = 0

  constructor(name: string, folder: string, environment: Environment, maxBytes: number) {
    this.#name = name
    this.#folder = folder
    this.#environment = environment
    this.#maxBytes = maxBytes
    this.#file = openSync(join(folder, 'data.mdb'), 'a')
  }

  /**
   * Sees that a write fits.
   *
   * @param growth by how much the sessions become larger; 0 or less for what must not fail for want of room.
   * @param written how much lmdb may write for it.
   * @param underway the same of all writes that were sent and aren't done.
   * @throws SojournError `ERR_SOJOURN_STORE_FULL`
   */
  take(growth: number, written: number, underway: number): void {
    this.#growth -= Math.max(0, growth)
    this.#ahead -= written
    if (this.#growth < 0 || this.#ahead < 0) this.#measure(growth, written, underway)
  }

  close(): void {
    closeSync(this.#file)
  }

  #measure(growth: number, written: number, underway: number): void {
    this.#growth = this.#ahead = 0
    const { used, end, entries } = this.#usage()
    const ahead = this.#lengthen(end, reserve + written + underway)
    // Pages that were freed count half: lmdb can't use those that a reader or the last flush still holds.
    const left = ahead + (end - used) / 2 - written - underway
    const allowed = this.#maxBytes - used - growth
    if (growth > 0 && (allowed < 0 || left < reserve / 2)) {
      const gaps = entries < this.#entriesWhenFull && allowed > -this.#maxBytes / 10
      if (!gaps) {
        this.#entriesWhenFull = Math.max(entries, this.#entriesWhenFull)
        throw allowed < 0 ? this.#boundReached(used) : this.#diskFull()
      }
    }
    if (left < least || ahead - written < least / 4) throw this.#diskFull()
    this.#growth = Math.max(0, allowed / 8)
    this.#ahead = Math.max(0, (ahead - reserve / 2 - written - underway) / 8)
  }

  #usage(): { readonly used: number; readonly end: number; readonly entries: number } {
    const { sessions, expiry, users } = this.#environment
    const stats = statsOf(sessions)
    const trees = [stats, stats.root, stats.free, statsOf(expiry), statsOf(users)]
    const pages = trees.reduce((sum, tree) => sum + tree.treeBranchPageCount + tree.treeLeafPageCount + tree.overflowPages, 0)
    return { used: pages * stats.pageSize, end: (stats.lastPageNumber + 1) * stats.pageSize, entries: stats.entryCount }
  }

  /** Lengthens the file where the disk allows it. Answers how much of it lies ahead of lmdb's last page. */
  #lengthen(end: number, wanted: number): number {
    let ahead = fstatSync(this.#file).size - end
    if (ahead >= wanted) return ahead
    const most = Math.min(wanted + 2 * zeros.length, ahead + freeBytes(this.#folder) - reserve)
    try {
      while (ahead + zeros.length <= most) ahead += writeSync(this.#file, zeros)
    } catch {
      // A quota, a limit on files, or someone was faster: it stays as long as it is.
    }
    return ahead
  }

  #boundReached(used: number): SojournError {
    return this.#full(`its sessions take ${megabytes(used)} of the ${megabytes(this.#maxBytes)} that maxBytes allows`, 'raise maxBytes')
  }

  #diskFull(): SojournError {
    return this.#full('its disk gives it no more space', 'free some space')
  }

  #full(why: string, mend: string): SojournError {
    return new SojournError(
      'ERR_SOJOURN_STORE_FULL',
      `The store ${this.#name} is full: ${why}. Let the sweeper remove what has expired, end sessions, or ${mend}.`,
    )
  }
}

/** What the disk of a folder has left; infinite on a file system that doesn't say. */
export function freeBytes(folder: string): number {
  const { blocks, bavail, bsize } = statfsSync(folder)
  return blocks === 0 ? Infinity : bavail * bsize
}

function statsOf(database: Pick<Database, 'getStats'>): Stats {
  return database.getStats() as Stats
}

function megabytes(bytes: number): string {
  return `${(bytes / 1e6).toFixed(1)} MB`
}
