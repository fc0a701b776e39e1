import { statfsSync } from 'node:fs'
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

// A removal writes pages before it frees any: this much of the disk is left to removals, ends and touches.
const reserve = 4 * 2 ** 20
const mostGranted = 16 * 2 ** 20

/**
 * Bounds what the sessions take together. lmdb 3.5 does not: it enlarges its map whenever that is full, and a disk that is
 * full fails each write of a commit, removals too. So a write that brings more asks here first, and what frees room never does.
 */
export class Room {
  #name: string
  #folder: string
  #environment: Environment
  #maxBytes: number

  // Bytes that may come before the disk is looked at again: an eighth of what was left, so that eight processes fit.
  #granted = 0

  // The most sessions that there were when it was full. Removals leave gaps in pages that stay in use: with fewer sessions
  // than then there is room, though as many pages are counted.
  #entriesWhenFull = 0

  constructor(name: string, folder: string, environment: Environment, maxBytes: number) {
    this.#name = name
    this.#folder = folder
    this.#environment = environment
    this.#maxBytes = maxBytes
  }

  /** @throws SojournError `ERR_SOJOURN_STORE_FULL` where so many bytes more don't fit. */
  take(bytes: number): void {
    if (bytes <= 0) return
    if (bytes > this.#granted) this.#look(bytes)
    this.#granted -= bytes
  }

  #look(bytes: number): void {
    this.#granted = bytes
    const { used, file, entries } = this.#measure()
    const { bavail, bsize } = statfsSync(this.#folder)
    const free = bavail * bsize
    const allowed = this.#maxBytes - used - bytes
    const left = free + file - used - reserve - bytes
    if (allowed >= 0 && left >= 0) {
      this.#granted += Math.min(allowed / 8, left / 8, mostGranted)
      return
    }
    const gaps = entries < this.#entriesWhenFull
    if (!gaps) this.#entriesWhenFull = entries
    if (gaps && allowed > -this.#maxBytes / 10 && left > -reserve / 2) return
    this.#granted = 0
    throw new SojournError(
      'ERR_SOJOURN_STORE_FULL',
      allowed < left
        ? `The store ${this.#name} is full: its sessions take ${megabytes(used)} of the ${megabytes(this.#maxBytes)} that maxBytes allows. Let the sweeper remove what has expired, end sessions, or raise maxBytes.`
        : `The store ${this.#name} is full: its disk has ${megabytes(free)} left. Let the sweeper remove what has expired, end sessions, or free some space.`,
    )
  }

  #measure(): { readonly used: number; readonly file: number; readonly entries: number } {
    const { sessions, expiry, users } = this.#environment
    const stats = statsOf(sessions)
    const trees = [stats, stats.root, stats.free, statsOf(expiry), statsOf(users)]
    const pages = trees.reduce((sum, tree) => sum + tree.treeBranchPageCount + tree.treeLeafPageCount + tree.overflowPages, 0)
    return { used: pages * stats.pageSize, file: (stats.lastPageNumber + 1) * stats.pageSize, entries: stats.entryCount }
  }
}

function statsOf(database: Pick<Database, 'getStats'>): Stats {
  return database.getStats() as Stats
}

function megabytes(bytes: number): string {
  return `${(Math.max(0, bytes) / 1e6).toFixed(1)} MB`
}
