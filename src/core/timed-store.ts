import { setMaxListeners } from 'node:events'
import { SojournError } from './errors.ts'
import type { CallOptions, GetOptions, Maybe, Removed, SessionRecord, Store, Swept, Touch } from './store.ts'
import { isPromise } from './routine.ts'

/** A store whose verbs answer within a time limit, or fail: nothing in the core waits for a server that says nothing. */
export class TimedStore implements Store {
  readonly name: string
  readonly time?: (options?: CallOptions) => Maybe<number>
  readonly #store: Store
  readonly #limit: number

  constructor(store: Store, limit: number) {
    this.name = store.name
    this.#store = store
    // Node's timers take a longer one for none at all.
    this.#limit = Math.min(limit, 2 ** 31 - 1)
    if (store.time !== undefined) this.time = () => this.#within('time', (call) => store.time!(call))
  }

  set onEvicted(listener: ((removed: Removed) => void) | undefined) {
    this.#store.onEvicted = listener
  }

  get(id: string, options?: GetOptions): Maybe<SessionRecord | null> {
    return this.#within('get', (call) => this.#store.get(id, call), options?.fresh)
  }

  put(record: SessionRecord, expected: number): Maybe<boolean> {
    return this.#within('put', (call) => this.#store.put(record, expected, call))
  }

  touch(batch: readonly Touch[]): Maybe<void> {
    return this.#within('touch', (call) => this.#store.touch(batch, call))
  }

  delete(id: string): Maybe<boolean> {
    return this.#within('delete', (call) => this.#store.delete(id, call))
  }

  sweep(now: number, limit: number): Maybe<Swept> {
    return this.#within('sweep', (call) => this.#store.sweep(now, limit, call))
  }

  /** Each step is limited, not the whole: a long list is no failure. */
  async *list(userId?: string): AsyncGenerator<SessionRecord, void> {
    const call = new Call(undefined)
    const records = this.#store.list(userId, call)[Symbol.asyncIterator]()
    try {
      for (;;) {
        const step = await this.#limited('list', call, records.next())
        if (step.done === true) return
        yield step.value
      }
    } finally {
      // Not waited for: a server that says nothing must not hold the one who leaves.
      records.return?.(undefined)?.catch(() => {})
    }
  }

  close(): Maybe<void> {
    return this.#store.close()
  }

  #within<T>(verb: string, work: (call: Call) => Maybe<T>, fresh?: boolean): Maybe<T> {
    const call = new Call(fresh)
    const answer = work(call)
    return isPromise(answer) ? this.#limited(verb, call, answer) : answer
  }

  #limited<T>(verb: string, call: Call, answer: Promise<T>): Promise<T> {
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        const error = new SojournError(
          'ERR_SOJOURN_STORE',
          `The session store (${this.name}) did not answer '${verb}' within ${this.#limit} ms; look whether its server is up and not overloaded, or raise storeTimeout.`,
        )
        reject(error)
        call.abort(error)
      }, this.#limit)
      answer.then(
        (value) => {
          clearTimeout(timer)
          resolve(value)
        },
        (error: unknown) => {
          clearTimeout(timer)
          reject(error instanceof Error ? error : new Error(String(error)))
        },
      )
    })
  }
}

/** What goes with one call. A controller is made only for a store that asks for its signal: most clients can't give up. */
class Call implements GetOptions {
  readonly fresh?: boolean
  #controller: AbortController | null = null
  #givenUp: SojournError | null = null

  constructor(fresh: boolean | undefined) {
    if (fresh !== undefined) this.fresh = fresh
  }

  get signal(): AbortSignal {
    return (this.#controller ??= this.#begin()).signal
  }

  abort(reason: SojournError): void {
    this.#givenUp = reason
    this.#controller?.abort(reason)
  }

  #begin(): AbortController {
    const controller = new AbortController()
    // A batch listens once for each of its commands.
    setMaxListeners(0, controller.signal)
    // A store may ask only when it has waited for something else first.
    if (this.#givenUp !== null) controller.abort(this.#givenUp)
    return controller
  }
}
