/**
 * One server of the database: a single thread that serves one command after the other. Where the simulation has a sample of its
 * sessions, each command of a session does the work of `stretch` commands, so that it is as busy as the true one.
 */
export class Shard {
  readonly #stretch: number
  #freeAt = 0
  /** Ms of work done since the beginning. */
  busy = 0
  /** It refuses connections until then. */
  downUntil = -Infinity

  constructor(stretch: number) {
    this.#stretch = stretch
  }

  /** @returns when a command that arrives then is done */
  serve(arrival: number, micros: number, stretch = this.#stretch): number {
    const begin = Math.max(arrival, this.#freeAt)
    this.#freeAt = begin + (micros * stretch) / 1000
    this.busy += (micros * stretch) / 1000
    return begin + micros / 1000
  }

  /** How long the next command would wait, in ms. */
  backlog(now: number): number {
    return Math.max(0, this.#freeAt - now)
  }

  fail(until: number): void {
    this.downUntil = until
    this.#freeAt = until
  }
}
