import { type Core, storeError } from './core.ts'
import { SojournError } from './errors.ts'
import { decodeTombstone } from './head.ts'
import type { Swept } from './store.ts'

const batchSize = 200
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
    for (let more = true; more && !this.#closed;) {
      const swept = await this.#batch()
      for (const { id, userId, head } of swept.removed) if (decodeTombstone(head) === null) events.emit('expired', { id, userId })
      count += swept.removed.length
      ;({ more } = swept)
      if (more) await new Promise((resolve) => setImmediate(resolve))
    }
    return count
  }

  async #batch(): Promise<Swept> {
    const { store, clock } = this.#core
    try {
      return await store.sweep(clock.now(), batchSize)
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
