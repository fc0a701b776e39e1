import { BucketHeap } from './bucket-heap.ts'
import type { Entry } from './entry.ts'

/** What expires within one second. */
export interface Bucket {
  readonly second: number
  readonly entries: Entry[]
  /** True while the entries stand in order, the one that expires first at the end. Only a sweep that reached them needs it. */
  sorted: boolean
  /** Its index in the heap. */
  place: number
}

/** Which entry expires first, at a cost that grows with what has expired: one heap of seconds, one bucket of entries for each. */
export class Expiry {
  #buckets = new Map<number, Bucket>()
  #soonest = new BucketHeap()

  add(entry: Entry): void {
    const second = secondOf(entry)
    let bucket = this.#buckets.get(second)
    if (bucket === undefined) {
      bucket = { second, entries: [entry], sorted: true, place: 0 }
      entry.slot = 0
      this.#buckets.set(second, bucket)
      this.#soonest.add(bucket)
    } else {
      bucket.sorted &&= entry.record.expiresAt <= bucket.entries.at(-1)!.record.expiresAt
      entry.slot = bucket.entries.push(entry) - 1
    }
    entry.bucket = bucket
  }

  remove(entry: Entry): void {
    const bucket = entry.bucket!
    entry.bucket = null
    const last = bucket.entries.pop()!
    if (last !== entry) {
      bucket.entries[entry.slot] = last
      last.slot = entry.slot
      bucket.sorted = false
    } else if (bucket.entries.length === 0) {
      this.#buckets.delete(bucket.second)
      this.#soonest.remove(bucket)
    }
  }

  /** To be called when an entry's record has another `expiresAt`. Within the same second nothing moves. */
  changed(entry: Entry): void {
    if (entry.bucket!.second === secondOf(entry)) {
      entry.bucket!.sorted = false
    } else {
      this.remove(entry)
      this.add(entry)
    }
  }

  /** The entry that expires first, if its time had come at `now`. */
  firstDue(now: number): Entry | null {
    const bucket = this.#soonest.first
    if (bucket === undefined || bucket.second * 1000 > now) return null
    if (!bucket.sorted) sort(bucket)
    const entry = bucket.entries.at(-1)!
    return entry.record.expiresAt <= now ? entry : null
  }
}

function secondOf(entry: Entry): number {
  return Math.floor(entry.record.expiresAt / 1000)
}

function sort(bucket: Bucket): void {
  bucket.entries.sort((a, b) => b.record.expiresAt - a.record.expiresAt)
  for (const [slot, entry] of bucket.entries.entries()) entry.slot = slot
  bucket.sorted = true
}
