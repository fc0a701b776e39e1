export interface DueRow {
  readonly id: string
  readonly expiresAt: number
}

/** The rows of one bucket by expiry: a heap, whose outdated rows are dropped when they come up. */
export class DueIndex {
  readonly #heap: DueRow[] = []
  readonly #isCurrent: (row: DueRow) => boolean

  constructor(isCurrent: (row: DueRow) => boolean) {
    this.#isCurrent = isCurrent
  }

  add(row: DueRow): void {
    const heap = this.#heap
    let at = heap.length
    heap.push(row)
    while (at > 0) {
      const above = (at - 1) >> 1
      if (heap[above]!.expiresAt <= row.expiresAt) break
      heap[at] = heap[above]!
      at = above
    }
    heap[at] = row
  }

  /** The oldest rows that are due, which stay. */
  due(now: number, count: number): DueRow[] {
    const rows: DueRow[] = []
    while (rows.length < count && this.#heap.length > 0 && this.#heap[0]!.expiresAt <= now) {
      const row = this.#pop()
      if (this.#isCurrent(row)) rows.push(row)
    }
    for (const row of rows) this.add(row)
    return rows
  }

  #pop(): DueRow {
    const heap = this.#heap
    const first = heap[0]!
    const last = heap.pop()!
    if (heap.length === 0) return first
    let at = 0
    for (;;) {
      let below = 2 * at + 1
      if (below >= heap.length) break
      if (below + 1 < heap.length && heap[below + 1]!.expiresAt < heap[below]!.expiresAt) below++
      if (heap[below]!.expiresAt >= last.expiresAt) break
      heap[at] = heap[below]!
      at = below
    }
    heap[at] = last
    return first
  }
}
