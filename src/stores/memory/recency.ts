import type { Entry } from './entry.ts'

/** Entries in the order of their use. The links are in the entries: using one costs no allocation and no look-up. */
export class Recency {
  newest: Entry | null = null
  oldest: Entry | null = null

  add(entry: Entry): void {
    entry.older = this.newest
    if (this.newest === null) this.oldest = entry
    else this.newest.newer = entry
    this.newest = entry
  }

  remove(entry: Entry): void {
    const { newer, older } = entry
    if (newer === null) this.newest = older
    else newer.older = older
    if (older === null) this.oldest = newer
    else older.newer = newer
    entry.newer = entry.older = null
  }
}
