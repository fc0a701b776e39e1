import { channel } from 'node:diagnostics_channel'
import { SojournError } from './errors.ts'
import type { TheftSignal } from './theft.ts'

/** Why a session ended before its time. */
export type EndReason = 'logout' | 'ended' | 'reuse' | 'theft' | 'evicted'

/** What happened, by name. What is of a session carries its ID, which is no credential; none carries a secret or session data. */
export interface SessionEvents {
  /** A session was stored for the first time. */
  created: { id: string; userId: string | null }
  /** A user logged in: the session has the new ID `id`; `previousId` is the one that it replaced, if it was stored. */
  loggedIn: { id: string; userId: string; previousId: string | null }
  /** A new secret was confirmed by the client; the one before is good for a grace more. */
  renewed: { id: string; userId: string | null }
  /** Ended before its time: by logout, by the application, for reuse of an old secret, for signs of theft, or for want of room. */
  ended: { id: string; userId: string | null; reason: EndReason }
  /** A sweep removed a session whose time had come. At most once for each session. */
  expired: { id: string; userId: string | null }
  /** Two requests changed the same things at once; at these paths the later one won (or the `merge` option decided). */
  conflict: { id: string; userId: string | null; paths: readonly string[] }
  /**
   * Signs of a stolen token. `late`: a secret was shown after its grace (refused); `reuse`: again, and the session was
   * ended; `unshown`: six new secrets were given to one client and none came back; `changed`: another client than before showed
   * a good one, as the `signals` say, and a new login is demanded, or the session was ended (then `ended` is told too).
   */
  suspected: { id: string; userId: string | null; reason: 'late' | 'reuse' | 'unshown' | 'changed'; signals?: readonly TheftSignal[] }
  /** An unsafe request of another site's was refused, before its session was looked at. `origin` is null where the browser named none. */
  refused: { method: string; origin: string | null }
  /**
   * One address showed more unknown tokens than `limits.unknownPerAddress`: once in a window. The network (IPv4 /24, IPv6 /48) is what
   * was counted by: personal data in some places' law, no secret, and in no store.
   */
  guessing: { network: string; count: number }
  /** A limit on anonymous sessions was reached, and what is beyond is not stored: once in a window for each network. */
  limited: { limit: 'anonymousPerAddress' | 'anonymousTotal'; network: string | null }
  /** Something failed that no caller was there to be told of, or that a safe request passed over. */
  error: { error: SojournError; id: string | null }
}

export type EventName = keyof SessionEvents

export const eventNames: readonly EventName[] = [
  'created',
  'loggedIn',
  'renewed',
  'ended',
  'expired',
  'conflict',
  'suspected',
  'refused',
  'guessing',
  'limited',
  'error',
]

// One set for the process, as diagnostics channels are: a subscriber need not know the manager.
const channels = Object.fromEntries(eventNames.map((name) => [name, channel(`sojourn:${name}`)]))

type Listener<Name extends EventName> = (event: SessionEvents[Name]) => void

/** Typed listeners; each event also goes to the diagnostics channel `sojourn:<name>`. */
export class Events {
  #listeners = new Map<EventName, Set<Listener<never>>>()
  #warned = new Set<string>()

  /** Listens. Returns a function that stops listening. */
  on<Name extends EventName>(name: Name, listener: Listener<Name>): () => void {
    const listeners = this.#listeners.get(name) ?? new Set()
    this.#listeners.set(name, listeners)
    listeners.add(listener)
    return () => listeners.delete(listener)
  }

  emit<Name extends EventName>(name: Name, event: SessionEvents[Name]): void {
    const listeners = this.#listeners.get(name) as Set<Listener<Name>> | undefined
    if (listeners !== undefined) for (const listener of listeners) this.#call(name, listener, event)
    if (channels[name]!.hasSubscribers) channels[name]!.publish(event)
    if (name === 'error' && !listeners?.size) this.#warn((event as SessionEvents['error']).error)
  }

  /** An error that nobody listens for is said aloud, once for each code, so that a busy server's log stays readable. */
  #warn(error: SojournError): void {
    if (this.#warned.has(error.code)) return
    this.#warned.add(error.code)
    process.emitWarning(error.message, {
      type: 'SojournWarning',
      code: error.code,
      detail: "Listen with sessions.on('error', …) to see every one.",
    })
  }

  // A listener's failure must neither break the request that it was told of nor vanish.
  #call<Name extends EventName>(name: Name, listener: Listener<Name>, event: SessionEvents[Name]): void {
    try {
      const answer: unknown = listener(event)
      if (answer instanceof Promise) answer.catch((cause: unknown) => this.#failed(name, cause))
    } catch (cause) {
      this.#failed(name, cause)
    }
  }

  #failed(name: EventName, cause: unknown): void {
    const error = new SojournError(
      'ERR_SOJOURN_LISTENER',
      `A listener of the event '${name}' failed: ${cause instanceof Error ? cause.message : String(cause)}`,
      { cause },
    )
    if (name === 'error') this.#warn(error)
    else this.emit('error', { error, id: null })
  }
}
