import type { Removed } from '../../core/store.ts'

/**
 * Of expired records that were given up before a sweep came to them: what the next sweep is to tell, so that an expired
 * session is reported even by a full store. Past its bound the oldest are forgotten: better an expired session without a report
 * than a live one without its record.
 */
export class Reports {
  readonly #mostBytes: number
  #bytes = 0
  #waiting: (Removed | undefined)[] = []
  #from = 0

  constructor(mostBytes: number) {
    this.#mostBytes = mostBytes
  }

  get count(): number {
    return this.#waiting.length - this.#from
  }

  add(report: Removed): void {
    this.#waiting.push(report)
    this.#bytes += sizeOf(report)
    while (this.#bytes > this.#mostBytes) this.#first()
  }

  take(limit: number): Removed[] {
    const taken: Removed[] = []
    while (taken.length < limit && this.count > 0) taken.push(this.#first())
    return taken
  }

  #first(): Removed {
    const report = this.#waiting[this.#from]!
    this.#waiting[this.#from++] = undefined
    this.#bytes -= sizeOf(report)
    if (this.#from > 100 && this.#from * 2 > this.#waiting.length) {
      this.#waiting.splice(0, this.#from)
      this.#from = 0
    }
    return report
  }
}

function sizeOf({ id, userId, head }: Removed): number {
  // Two bytes a character, at the worst.
  return 150 + 2 * (id.length + (userId?.length ?? 0)) + head.length
}
