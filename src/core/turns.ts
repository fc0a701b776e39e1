import { isPromise } from './routine.ts'
import type { Maybe } from './store.ts'

/** The writes of one request, one after the other: each starts from what the one before it left. */
export class Turns {
  /** The write that is on its way. */
  #going: Promise<void> | null = null

  get isFree(): boolean {
    return this.#going === null
  }

  take<T>(write: () => Maybe<T>): Maybe<T> {
    return this.hold(this.#going === null ? write() : this.#going.then(write))
  }

  /** For a write that began while it was free. */
  hold<T>(done: Maybe<T>): Maybe<T> {
    if (!isPromise(done)) return done
    const over = (): void => {
      if (this.#going === going) this.#going = null
    }
    const going: Promise<void> = done.then(over, over)
    this.#going = going
    return done
  }
}
