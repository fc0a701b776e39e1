import { type Core, storeError } from './core.ts'
import { SojournError } from './errors.ts'
import { decodeTombstone } from './head.ts'
import type { Swept } from './store.ts'

// A store that answers at once holds the event loop for a whole batch; for one that answers later each batch is a round trip. So a
// sweep begins with small ones, and goes by how long they hold the loop. A statement in a database file costs much by itself: no
// batch is smaller.
const smallestBatch = 25
const largestBatch = 200
/** How long a batch may hold the event loop before the next is smaller, in ms. */
const longestTurn = 1
const clockTolerance = 30_000
// Node's timers take a longer one for none at all.
const longestTimer = 2 ** 31 - 1

/** Collects what has expired: every so often, in small batches with room for requests between them. */
export class Sweeper {
  readonly #core: Core
  readonly #interval: number
  #timer: NodeJS.Timeout | null = null
  #going: Promise<number> | null = null
  #closed = false

  constructor(core: Core, interval: number) {
    this.#core = core
    this.#interval = interval
    this.#schedule()
  }

  /** Sweeps until nothing expired is left. @returns how many records were removed */
  sweep(): Promise<number> {
    return (this.#going ??= this.#sweep().finally(() => (this.#going = null)))
  }

  async close(): Promise<void> {
    this.#closed = true
    if (this.#timer !== null) clearTimeout(this.#timer)
    await this.#going?.catch(() => {})
  }

  #schedule(): void {
    if (this.#closed) return
    // Jittered, so that many processes on one store don't sweep in step.
    const delay = Math.min(this.#interval * (0.75 + Math.random() / 2), longestTimer)
    this.#timer = setTimeout(() => {
      this.sweep()
        .catch((cause: unknown) => this.#core.events.emit('error', { error: storeError(this.#core.store, cause), id: null }))
        .finally(() => this.#schedule())
    }, delay).unref()
  }

  async #sweep(): Promise<number> {
    const { events } = this.#core
    await this.#checkClock()
    let count = 0
    let limit = smallestBatch
    for (let more = true; more && !this.#closed;) {
      const began = performance.now()
      const batch = this.#batch(limit)
      const asked = performance.now()
      const swept = await batch
      const answered = performance.now()
      for (const { id, userId, head } of swept.removed) if (decodeTombstone(head) === null) events.emit('expired', { id, userId })
      count += swept.removed.length
      ;({ more } = swept)
      const held = asked - began + (performance.now() - answered)
      if (held > longestTurn) limit = Math.max(limit / 2, smallestBatch)
      else if (held < longestTurn / 2) limit = Math.min(2 * limit, largestBatch)
      if (more) await new Promise((resolve) => setImmediate(resolve))
    }
    return count
  }

  async #batch(limit: number): Promise<Swept> {
    const { store, clock } = this.#core
    try {
      return await store.sweep(clock.now(), limit)
    } catch (cause) {
      throw storeError(store, cause)
    }
  }

  /** A process whose clock is wrong would remove sessions that live: it must not sweep. A clock that was handed in is taken at its word. */
  async #checkClock(): Promise<void> {
    const { store, clock } = this.#core
    if (clock !== Date || store.time === undefined) return
    const sent = Date.now()
    let time: number
    try {
      time = await store.time()
    } catch (cause) {
      throw storeError(store, cause)
    }
    const distance = Math.max(sent - time, time - Date.now())
    if (distance <= clockTolerance) return
    throw new SojournError(
      'ERR_SOJOURN_CLOCK',
      `This process's clock and that of the session store (${store.name}) are ${Math.round(distance / 1000)} s apart, so nothing was swept; set both by NTP.`,
    )
  }
}
