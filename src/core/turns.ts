import { isPromise } from './routine.ts'
import type { Maybe } from './store.ts'

/** The writes of one request, one after the other: each starts from what the one before it left. */
export class Turns {
  /** The write that is on its way. */
  #going: Promise<void> | null = null

  take<T>(write: () => Maybe<T>): Maybe<T> {
    const done = this.#going === null ? write() : this.#going.then(write)
    if (!isPromise(done)) return done
    const over = (): void => {
      if (this.#going === going) this.#going = null
    }
    const going: Promise<void> = done.then(over, over)
    this.#going = going
    return done
  }
}
