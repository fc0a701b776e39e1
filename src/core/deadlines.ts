/** What must be over by a time. */
export abstract class Limited {
  endsAt = 0
  before: Limited | null = null
  after: Limited | null = null

  /** It was not over in time. */
  abstract expire(): void
}

/**
 * The ends of what may take the same time each: they come in the order of the beginnings, so that a list and one timer do for all. A timer
 * for each would be a tenth of what a short read costs.
 */
export class Deadlines {
  readonly #limit: number
  #first: Limited | null = null
  #last: Limited | null = null
  #timer: NodeJS.Timeout | null = null

  /** @param limit in ms */
  constructor(limit: number) {
    // Node's timers take a longer one for none at all.
    this.#limit = Math.min(limit, 2 ** 31 - 1)
  }

  begin(limited: Limited): void {
    limited.endsAt = performance.now() + this.#limit
    limited.before = this.#last
    if (this.#last === null) this.#first = limited
    else this.#last.after = limited
    this.#last = limited
    if (this.#timer === null) this.#timer = setTimeout(this.#look, this.#limit)
    // The process must not end before what waits is told.
    else if (this.#first === limited) this.#timer.ref()
  }

  end(limited: Limited): void {
    const { before, after } = limited
    if (before === null) {
      if (this.#first !== limited) return // It has expired.
      this.#first = after
    } else before.after = after
    if (after === null) this.#last = before
    else after.before = before
    limited.before = limited.after = null
    // Left to run, since most often the next begins before long; but nobody waits for it.
    if (this.#first === null) this.#timer?.unref()
  }

  readonly #look = (): void => {
    this.#timer = null
    const now = performance.now()
    for (let first = this.#first; first !== null && first.endsAt <= now; first = this.#first) {
      this.end(first)
      first.expire()
    }
    // Rounded up: a timer may fire a little before its time.
    if (this.#first !== null) this.#timer = setTimeout(this.#look, Math.ceil(this.#first.endsAt - now))
  }
}
