import { type Core, limitsOf, storeError } from './core.ts'
import { expiry } from './policy.ts'
import { nameInStore } from './record.ts'
import { isPromise } from './routine.ts'
import type { Maybe, SessionRecord, Touch } from './store.ts'

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

  /**
   * A request used this session: noted if the last use has moved by more than a slice, with the next batch. Awaited by the
   * request where the session would expire before long, or when it was asked for.
   */
  note(record: SessionRecord, now: number, asked: boolean): Maybe<void> {
    const limits = limitsOf(this.#core.policy, record.head)
    if (now - record.lastSeenAt <= limits.slice && !asked) return
    const { id, version } = record
    const touch = { id, userId: nameInStore(record), version, lastSeenAt: now, expiresAt: expiry(record.createdAt, now, limits) }
    if (touch.expiresAt <= record.expiresAt) return
    if (asked || record.expiresAt - now <= limits.slice) return this.#now(touch)
    this.#add(touch)
  }

  #add(touch: Touch): void {
    if (this.#isNewest(touch)) this.#waiting.set(touch.id, touch)
    if (this.#waiting.size >= batchSize) this.#send()
    else this.#timer ??= setTimeout(() => this.#send(), batchTime).unref()
  }

  #now(touch: Touch): Maybe<void> {
    if (this.#isNewest(touch)) this.#waiting.delete(touch.id)
    return this.#store([touch])
  }

  /** A slow request knows an older record, on which no touch lands any more: it must not take the place of one that will. */
  #isNewest({ id, version }: Touch): boolean {
    return version >= (this.#waiting.get(id)?.version ?? 0)
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
    const noted = this.#store(batch)
    if (!isPromise(noted)) return
    const going = noted.finally(() => this.#going.delete(going))
    this.#going.add(going)
  }

  /** A failure is only reported: a use that is lost is noted by the next request. */
  #store(batch: Touch[]): Maybe<void> {
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
