import { type Core, storeError } from './core.ts'
import { isPromise } from './routine.ts'
import type { Maybe, Touch } from './store.ts'

const batchSize = 500
const batchTime = 1000

/** Gathers the uses of sessions and notes them in batches. A use that is lost costs a session a slice of its idle time at most. */
export class Toucher {
  readonly #core: Core
  readonly #waiting = new Map<string, Touch>()
  readonly #going = new Set<Promise<void>>()
  #timer: NodeJS.Timeout | null = null

  constructor(core: Core) {
    this.#core = core
  }

  add(touch: Touch): void {
    this.#waiting.set(touch.id, touch)
    if (this.#waiting.size >= batchSize) this.#send()
    else this.#timer ??= setTimeout(() => this.#send(), batchTime).unref()
  }

  /** For a session that would expire before the next batch: noted now, awaited by the request. Its failure is only reported. */
  now(touch: Touch): Maybe<void> {
    this.#waiting.delete(touch.id)
    return this.#note([touch])
  }

  /** Notes what waits, and resolves when all is answered. */
  async flush(): Promise<void> {
    this.#send()
    await Promise.all(this.#going)
  }

  #send(): void {
    if (this.#timer !== null) clearTimeout(this.#timer)
    this.#timer = null
    if (this.#waiting.size === 0) return
    const batch = [...this.#waiting.values()]
    this.#waiting.clear()
    const noted = this.#note(batch)
    if (!isPromise(noted)) return
    const going = noted.finally(() => this.#going.delete(going))
    this.#going.add(going)
  }

  #note(batch: Touch[]): Maybe<void> {
    try {
      const noted = this.#core.store.touch(batch)
      return isPromise(noted) ? noted.catch((cause: unknown) => this.#report(cause)) : undefined
    } catch (cause) {
      this.#report(cause)
    }
  }

  #report(cause: unknown): void {
    this.#core.events.emit('error', { error: storeError(this.#core.store, cause), id: null })
  }
}
