import type { Removed, SessionRecord } from '../../core/store.ts'
import { reportSize } from './size.ts'

/**
 * Of expired records that were given up before a sweep came to them: what the next sweep is to tell, so that an expired
 * session is reported even by a full store.
 */
export class Reports {
  bytes = 0
  #waiting: Removed[] = []

  get count(): number {
    return this.#waiting.length
  }

  add({ id, userId, head }: SessionRecord): void {
    const report = { id, userId, head }
    this.#waiting.push(report)
    this.bytes += reportSize(report)
  }

  take(limit: number): Removed[] {
    const taken = this.#waiting.splice(0, limit)
    for (const report of taken) this.bytes -= reportSize(report)
    return taken
  }
}
