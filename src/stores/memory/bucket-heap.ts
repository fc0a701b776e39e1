import type { Bucket } from './expiry.ts'

/** A binary heap of buckets, the earliest second first. Each knows its place, so that one that fell empty leaves at once. */
export class BucketHeap {
  #buckets: Bucket[] = []

  get first(): Bucket | undefined {
    return this.#buckets[0]
  }

  add(bucket: Bucket): void {
    this.#rise(bucket, this.#buckets.length)
  }

  remove(bucket: Bucket): void {
    const last = this.#buckets.pop()!
    if (last === bucket) return
    // The last one takes the free place, and goes up or down from there.
    this.#sink(last, bucket.place)
    this.#rise(last, last.place)
  }

  #rise(bucket: Bucket, from: number): void {
    let place = from
    while (place > 0) {
      const parent = (place - 1) >> 1
      const above = this.#buckets[parent]!
      if (above.second <= bucket.second) break
      this.#set(above, place)
      place = parent
    }
    this.#set(bucket, place)
  }

  #sink(bucket: Bucket, from: number): void {
    let place = from
    for (;;) {
      const left = 2 * place + 1
      if (left >= this.#buckets.length) break
      const right = left + 1
      const child = right < this.#buckets.length && this.#buckets[right]!.second < this.#buckets[left]!.second ? right : left
      if (this.#buckets[child]!.second >= bucket.second) break
      this.#set(this.#buckets[child]!, place)
      place = child
    }
    this.#set(bucket, place)
  }

  #set(bucket: Bucket, place: number): void {
    this.#buckets[place] = bucket
    bucket.place = place
  }
}
