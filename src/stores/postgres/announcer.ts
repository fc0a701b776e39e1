// A payload may have 8000 bytes; an ID has 16, and a space.
const idsOfOne = 400
const againAfter = 100

/**
 * Tells other processes of writes: after they have landed, all of a moment in one statement. Within the writes' own transactions NOTIFY
 * would have commits wait for one another, each for the other's flush to the disk: a tenth of the writes a second, as measured.
 */
export class Announcer {
  readonly #send: (payload: string) => Promise<unknown>
  readonly #origin: string
  readonly #waiting = new Set<string>()
  #going: Promise<void> | null = null

  /** @param origin what a process knows its own words by */
  constructor(origin: string, send: (payload: string) => Promise<unknown>) {
    this.#origin = origin
    this.#send = send
  }

  tell(id: string): void {
    this.#waiting.add(id)
    this.#going ??= this.#work().finally(() => (this.#going = null))
  }

  /** Resolves when all that was to be told is, or could not be. */
  async settled(): Promise<void> {
    await this.#going
  }

  /** @returns the IDs of a payload; none where the words are its own */
  heard(payload: string): string[] {
    const [origin, ...ids] = payload.split(' ')
    return origin === this.#origin ? [] : ids
  }

  async #work(): Promise<void> {
    while (this.#waiting.size > 0) {
      // What else lands in this turn goes along.
      await new Promise((resolve) => setImmediate(resolve))
      const ids = [...this.#waiting].slice(0, idsOfOne)
      for (const id of ids) this.#waiting.delete(id)
      const payload = `${this.#origin} ${ids.join(' ')}`
      try {
        await this.#send(payload)
      } catch {
        await new Promise((resolve) => setTimeout(resolve, againAfter).unref())
        // Where the server can't be reached, those who would hear of it are cut off as well.
        await this.#send(payload).catch(() => {})
      }
    }
  }
}
