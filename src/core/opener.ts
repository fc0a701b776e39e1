import { SojournError } from './errors.ts'
import type { AnyRequest, RequestView } from './request.ts'
import { isPromise } from './routine.ts'
import type { Maybe } from './store.ts'
import type { SessionId } from './token.ts'
import type { Header } from './transport.ts'

/** What an adapter serves: what `createSessions()` or `sealed()` returned. `Face` is the session as handlers see it. */
export interface Opens<Face> {
  open(request: AnyRequest): Promise<Face>
  of(request: object): Face
}

/** What a response needs of its session: nothing that depends on the type of its data. */
export interface Committable {
  /**
   * The commit before the response's head.
   *
   * @param isPublic the response may be kept by shared caches: nothing of the session's may go with it
   */
  settle(isPublic: boolean): Maybe<void>
  /** The headers that the response must carry, once all is settled. */
  headers(): readonly Header[]
  /** Tells of a failure that the handler is not there to be told of. */
  report(error: unknown): void
  /** The response's head is out: what the handler changes from here on, nobody commits. */
  watch(): void
  /** An address with the session's token in it, where sessions travel so. */
  url?(to: string): string
}

/** What most responses carry: their session was read, and nothing is owed. One list for all, by which it is known. */
export const justPrivate: readonly Header[] = [['Cache-Control', 'private']]

/** A session that was opened for a request. */
export interface Attached {
  readonly opener: object
  readonly session: Committable
  /** That of another application's sessions, for the same request. */
  next: Attached | null
  /** What an adapter keeps with the first of them. */
  gate: object | null
}

/**
 * Where a request keeps what was opened for it. A WeakMap would not do: its values are roots to V8's collector of young objects, and
 * these lead to their requests, so that each request with all that it holds grew old, which tripled its cost. And it is one property:
 * each that is set on a request of Express's, which has had its prototype set, takes 1.5 µs.
 */
const attached = Symbol('sojourn')

// The request that was asked for last, and what it has. Each is asked several times in turn, and in one whose prototype was set, as
// Express does, V8 searches for a property anew each time.
let asked: object | null = null
let found: Attached | undefined

export function attachedTo(request: object): Attached | undefined {
  if (request !== asked) {
    // One that was made of another by Object.create has what that one has.
    found = (request as { readonly [attached]?: Attached })[attached]
    asked = request
  }
  return found
}

/** What adapters need of an application's sessions, wherever those are kept: the session of each request, opened once. */
export abstract class Opener<Opened extends Committable> {
  /** Whether a proxy in front may say how and from where a request came. */
  abstract get trustProxy(): boolean

  /** Whether sessions can travel in the application's own links. */
  get travelsInLinks(): boolean {
    return false
  }

  /** Opens the session of a request; a new one wherever it brings none that is good. */
  abstract admit(view: RequestView): Maybe<Opened>

  /** Takes a token out of a request's target, where sessions travel so. */
  hideToken(_view: RequestView): void {}

  /** Tells of a failure that no caller is there to be told of. */
  abstract report(error: unknown, id: SessionId | null): void

  of(request: object): Opened {
    const session = this.#of(request) ?? this.#within(request)
    if (session !== undefined) return session
    throw new SojournError(
      'ERR_SOJOURN_NO_SESSION',
      'No session was opened for this request; put the adapter (such as `app.use(session(sessions))`) before the handlers that use it.',
    )
  }

  /** Frameworks such as Fastify have a request of their own around the one that the session was opened for. */
  #within(request: { readonly raw?: unknown }): Opened | undefined {
    const { raw } = request
    return typeof raw === 'object' && raw !== null ? this.#of(raw) : undefined
  }

  #of(request: object): Opened | undefined {
    for (let at = attachedTo(request) ?? null; at !== null; at = at.next) if (at.opener === this) return at.session as Opened
    return undefined
  }

  /** The session of a request that an adapter brings, opened once: at once where nothing must be waited for. */
  openFor(request: object, view: RequestView): Maybe<Opened> {
    const known = this.#of(request)
    if (known !== undefined) return known
    const opened = this.admit(view)
    if (isPromise(opened)) return opened.then((session) => this.#keep(request, session))
    return this.#keep(request, opened)
  }

  #keep(request: object, session: Opened): Opened {
    const made: Attached = { opener: this, session, next: null, gate: null }
    const first = attachedTo(request)
    if (first === undefined) {
      ;(request as { [attached]?: Attached })[attached] = made
      found = made
    } else {
      made.next = first.next
      first.next = made
    }
    return session
  }

  has(request: object): boolean {
    return this.#of(request) !== undefined
  }
}

/** What is behind an application's sessions, for adapters. @throws ERR_SOJOURN_OPTION for anything else */
export function openerOf<Face>(sessions: Opens<Face>): Opener<Committable & Face> {
  if (sessions instanceof Opener) return sessions
  throw new SojournError(
    'ERR_SOJOURN_OPTION',
    'An adapter needs what createSessions() or sealed() returned, of the same copy of the package sojourn; it was given something else.',
  )
}
