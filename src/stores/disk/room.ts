import { statfsSync } from 'node:fs'
import type { Database } from 'lmdb'
import { SojournError } from '../../core/errors.ts'
import type { Environment } from './environment.ts'

interface Pages {
  readonly pageSize: number
  readonly treeBranchPageCount: number
  readonly treeLeafPageCount: number
  readonly overflowPages: number
}

interface Stats extends Pages {
  readonly root: Pages
  readonly free: Pages
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
    this.#granted = 0
    const { used, file } = this.#measure()
    if (used + bytes > this.#maxBytes) {
      throw this.#full(`its sessions take ${megabytes(used)} of the ${megabytes(this.#maxBytes)} that maxBytes allows`, 'raise maxBytes')
    }
    const { bavail, bsize } = statfsSync(this.#folder)
    const disk = bavail * bsize + file - used - reserve
    if (bytes > disk) throw this.#full(`its disk has ${megabytes(bavail * bsize)} left`, 'free some space')
    this.#granted = bytes + Math.min((Math.min(this.#maxBytes - used, disk) - bytes) / 8, mostGranted)
  }

  #measure(): { readonly used: number; readonly file: number } {
    const { root, sessions, expiry, users } = this.#environment
    const { root: names, free, pageSize, lastPageNumber, ...own } = statsOf(sessions)
    const trees: readonly Omit<Pages, 'pageSize'>[] = [own, names, free, statsOf(expiry), statsOf(users)]
    const pages = trees.reduce((sum, tree) => sum + tree.treeBranchPageCount + tree.treeLeafPageCount + tree.overflowPages, 0)
    root.resetReadTxn()
    return { used: pages * pageSize, file: (lastPageNumber + 1) * pageSize }
  }

  #full(why: string, mend: string): SojournError {
    return new SojournError(
      'ERR_SOJOURN_STORE_FULL',
      `The store ${this.#name} is full: ${why}. Let the sweeper remove what has expired, end sessions, or ${mend}.`,
    )
  }
}

function statsOf(database: Pick<Database, 'getStats'>): Stats {
  return database.getStats() as Stats
}

function megabytes(bytes: number): string {
  return `${(Math.max(0, bytes) / 1e6).toFixed(1)} MB`
}
