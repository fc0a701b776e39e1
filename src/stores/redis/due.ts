/** One row of an expiry index. */
export interface Row {
  readonly id: string
  readonly expiresAt: number
}

/** Reads rows of a bucket's expiry index, oldest first. */
export type ReadRows = (bucket: number, offset: number, count: number) => Promise<readonly Row[]>

interface Bucket {
  readonly number: number
  readonly rows: Row[]
  isFull: boolean
}

/**
 * The `limit` rows that expire first over all buckets, or a few more. A bucket is asked for the share that it will have of
 * them, and again where that was too little.
 *
 * @returns `more` if some are left beyond these
 */
export async function oldestOf(buckets: number, limit: number, read: ReadRows): Promise<{ rows: readonly Row[]; more: boolean }> {
  const page = Math.min(limit + 1, 4 + Math.ceil((2 * limit) / buckets))
  const all = Array.from({ length: buckets }, (_, number): Bucket => ({ number, rows: [], isFull: true }))
  for (let asked = all; ;) {
    await Promise.all(
      asked.map(async (bucket) => {
        const rows = await read(bucket.number, bucket.rows.length, page)
        bucket.rows.push(...rows)
        bucket.isFull = rows.length === page
      }),
    )
    const rows = all.flatMap((bucket) => bucket.rows).sort((one, other) => one.expiresAt - other.expiresAt)
    const last = rows[limit - 1]?.expiresAt ?? Infinity
    // What a bucket has not told of yet may be older than what others have.
    asked = all.filter((bucket) => bucket.isFull && bucket.rows.at(-1)!.expiresAt < last)
    if (asked.length === 0) return { rows: rows.slice(0, limit), more: rows.length > limit || all.some(({ isFull }) => isFull) }
  }
}
