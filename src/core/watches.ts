import { type Core, readFresh, storeError } from './core.ts'
import { isLive } from './ending.ts'
import { SojournError } from './errors.ts'
import type { EndReason } from './events.ts'
import { decodeTombstone } from './head.ts'
import { run } from './routine.ts'
import type { SessionRecord } from './store.ts'
import type { SessionId } from './token.ts'

/** Why a session that was watched is no more: `login` moved it to a new ID. */
export type WatchEnd = EndReason | 'login' | 'expired'
export type WatchListener = (end: WatchEnd) => unknown

const steps = 20
const readsAtOnce = 16
const longestTimer = 2 ** 31 - 1

/**
 * Tells of the end of sessions that something holds open, such as a WebSocket: what happens in this process by its events, the
 * rest by looking. One timer serves all: at each tick a twentieth of the sessions is read, a few at a time, so that each is read
 * once in an interval, however many sockets one has.
 */
export class Watches {
  readonly #core: Core
  readonly #tick: number
  readonly #listeners = new Map<SessionId, Set<WatchListener>>()
  /** Where the round has come to: a Map's iterator sees what is added meanwhile, and misses what is gone. */
  #round: Iterator<SessionId> | null = null
  #timer: NodeJS.Timeout | null = null
  #hears = false
  #closed = false

  constructor(core: Core, interval: number) {
    this.#core = core
    this.#tick = Math.min(Math.max(1, Math.round(interval / steps)), longestTimer)
  }

  add(id: SessionId, listener: WatchListener): () => void {
    if (this.#closed) return () => {}
    this.#hear()
    // A function of its own for each watch: two sockets may hand in the same one.
    const own: WatchListener = (end) => listener(end)
    const listeners = this.#listeners.get(id) ?? new Set()
    this.#listeners.set(id, listeners.add(own))
    this.#schedule()
    return () => {
      listeners.delete(own)
      if (listeners.size === 0 && this.#listeners.get(id) === listeners) this.#listeners.delete(id)
    }
  }

  close(): void {
    this.#closed = true
    this.#listeners.clear()
    if (this.#timer !== null) clearTimeout(this.#timer)
  }

  /** An application that watches nothing pays for nothing. */
  #hear(): void {
    if (this.#hears) return
    this.#hears = true
    const { events } = this.#core
    events.on('ended', ({ id, reason }) => this.#tell(id, reason))
    events.on('expired', ({ id }) => this.#tell(id, 'expired'))
    events.on('loggedIn', ({ previousId }) => previousId !== null && this.#tell(previousId, 'login'))
  }

  #tell(id: SessionId, end: WatchEnd): void {
    const listeners = this.#listeners.get(id)
    if (listeners === undefined) return
    this.#listeners.delete(id)
    for (const listener of listeners) this.#call(id, listener, end)
  }

  // A listener's failure must neither keep the others from hearing nor vanish.
  #call(id: SessionId, listener: WatchListener, end: WatchEnd): void {
    try {
      const answer = listener(end)
      if (answer instanceof Promise) answer.catch((cause: unknown) => this.#failed(id, cause))
    } catch (cause) {
      this.#failed(id, cause)
    }
  }

  #failed(id: SessionId, cause: unknown): void {
    const message = `A listener given to sessions.watch() failed: ${cause instanceof Error ? cause.message : String(cause)}`
    this.#core.events.emit('error', { error: new SojournError('ERR_SOJOURN_LISTENER', message, { cause }), id })
  }

  #schedule(): void {
    if (this.#closed || this.#timer !== null || this.#listeners.size === 0) return
    this.#timer = setTimeout(() => {
      void this.#look().finally(() => {
        this.#timer = null
        this.#schedule()
      })
    }, this.#tick).unref()
  }

  /** Never rejects: a store that can't be read is told once in a tick, and the sessions are looked at again in the next round. */
  async #look(): Promise<void> {
    const due = this.#due()
    let failure: unknown = null
    const look = async (): Promise<void> => {
      for (let id = due.pop(); id !== undefined && failure === null; id = due.pop()) {
        try {
          const end = await this.#endOf(id)
          if (end !== null) this.#tell(id, end)
        } catch (cause) {
          failure = cause
        }
      }
    }
    await Promise.all(Array.from({ length: Math.min(readsAtOnce, due.length) }, look))
    if (failure !== null) this.#core.events.emit('error', { error: storeError(this.#core.store, failure), id: null })
  }

  #due(): SessionId[] {
    const due: SessionId[] = []
    const count = Math.ceil(this.#listeners.size / steps)
    while (due.length < count) {
      this.#round ??= this.#listeners.keys()
      const { value, done } = this.#round.next()
      if (done === true) {
        this.#round = null
        break
      }
      due.push(value)
    }
    return due
  }

  async #endOf(id: SessionId): Promise<WatchEnd | null> {
    const known = await this.#core.store.get(id)
    if (isLive(this.#core, known)) return null
    // What a cache in front says may be old: the end is told of what the store has now.
    const record: SessionRecord | null = await run(readFresh(this.#core, id))
    if (isLive(this.#core, record)) return null
    return (record === null ? null : decodeTombstone(record.head)?.cause) ?? 'expired'
  }
}
