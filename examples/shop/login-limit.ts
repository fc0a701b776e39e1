const minute = 60_000

const limits = { window: 15 * minute, failuresPerUser: 10, failuresPerAddress: 100, atOnce: 16, entries: 10_000 }

interface Tries {
  failed: number
  running: number
  /** When the failures are forgotten, in ms since the epoch. */
  until: number
}

/** How a try went: with its result, or not run at all because there were too many, with the seconds to wait. */
export type Attempt<T> = { refused: false; result: T | null } | { refused: true; retryAfter: number }

/**
 * Slows down the guessing of passwords: for a user name at one address (so that a stranger elsewhere can't lock the user
 * out), and for an address over all names. Each process counts for itself, in bounded memory.
 */
export class LoginLimit {
  // In the order of last use, so that the first one is the one to forget.
  readonly #tries = new Map<string, Tries>()

  /** Runs one try, whose result is null when it failed, unless there were too many. */
  async attempt<T>(username: string, address: string, run: () => Promise<T | null>): Promise<Attempt<T>> {
    const now = Date.now()
    const fromAddress = this.#open(`${address} `, now)
    const forUser = this.#open(`${address} ${username.slice(0, 64)}`, now)
    if (forUser.failed >= limits.failuresPerUser) return { refused: true, retryAfter: seconds(forUser.until - now) }
    if (fromAddress.failed >= limits.failuresPerAddress) return { refused: true, retryAfter: seconds(fromAddress.until - now) }
    // A burst would pass whole before its first try has failed.
    if (forUser.running >= limits.atOnce) return { refused: true, retryAfter: 1 }

    forUser.running += 1
    try {
      const result = await run()
      if (result === null) {
        forUser.failed += 1
        fromAddress.failed += 1
      } else {
        forUser.failed = 0
      }
      return { refused: false, result }
    } finally {
      forUser.running -= 1
    }
  }

  #open(key: string, now: number): Tries {
    const tries = this.#tries.get(key) ?? { failed: 0, running: 0, until: now + limits.window }
    if (tries.until <= now) Object.assign(tries, { failed: 0, until: now + limits.window })
    this.#tries.delete(key)
    this.#tries.set(key, tries)
    if (this.#tries.size > limits.entries) this.#tries.delete(this.#tries.keys().next().value!)
    return tries
  }
}

function seconds(ms: number): number {
  return Math.max(1, Math.ceil(ms / 1000))
}
