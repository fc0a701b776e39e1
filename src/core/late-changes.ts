import type { Core } from './core.ts'
import { SojournError } from './errors.ts'
import type { SessionId } from './token.ts'

/** A session that a request was given. */
interface Watched {
  readonly id: SessionId | null
  /** Whether there are changes that no commit is coming for. */
  isForgotten(): boolean
}

const lookAfter = 500
const atMost = 10

/**
 * Finds changes that a handler made after the response's head was sent, which nothing stores any more: a mistake that would
 * otherwise go unseen. Sessions are looked at a moment after their commit, some twenty a second at most, for each outlives its
 * request with all that it holds until then; a mistake in the code is found by the first request or by a later one.
 */
export class LateChanges {
  readonly #core: Pick<Core, 'events'>
  readonly #mend: string
  /** A streamed answer has its session watched from its head on, and again at its end. */
  #watched = new Set<Watched>()
  readonly #told = new WeakSet<Watched>()
  #timer: NodeJS.Timeout | null = null

  constructor(core: Pick<Core, 'events'>, mend = 'make it before, or call `await session.save()` after it') {
    this.#core = core
    this.#mend = mend
  }

  watch(session: Watched): void {
    if (this.#watched.size >= atMost) return
    this.#watched.add(session)
    this.#timer ??= setTimeout(() => this.look(), lookAfter).unref()
  }

  /** Looks now. */
  look(): void {
    if (this.#timer !== null) clearTimeout(this.#timer)
    this.#timer = null
    const watched = this.#watched
    this.#watched = new Set()
    for (const session of watched) if (!this.#told.has(session) && session.isForgotten()) this.#report(session)
  }

  #report(session: Watched): void {
    this.#told.add(session)
    const { id } = session
    const error = new SojournError(
      'ERR_SOJOURN_LATE_CHANGE',
      `Session ${id ?? '(new)'} was changed after the response's head was sent, and the change was not stored; ${this.#mend}.`,
    )
    this.#core.events.emit('error', { error, id })
  }
}
