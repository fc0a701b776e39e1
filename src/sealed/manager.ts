import type { Content } from '../core/content.ts'
import type { Clock } from '../core/core.ts'
import { refuseCrossOrigin } from '../core/cross-origin.ts'
import { SojournError } from '../core/errors.ts'
import type { Events, SessionEvents } from '../core/events.ts'
import { LateChanges } from '../core/late-changes.ts'
import { Opener } from '../core/opener.ts'
import type { Policy } from '../core/policy.ts'
import { type AnyRequest, type RequestView, viewOf } from '../core/request.ts'
import { isPromise } from '../core/routine.ts'
import type { Maybe } from '../core/store.ts'
import type { SessionId } from '../core/token.ts'
import type { Header, SealTransport } from '../core/transport.ts'
import type { SealedFormat } from './format.ts'
import { OpenSealed } from './open-sealed.ts'
import { Opened } from './opened.ts'
import { RecentSeals } from './recent-seals.ts'
import { decodeRecord, encodeRecord, hasExpired, type SealedRecord } from './record.ts'
import type { Revocations } from './revocations.ts'
import type { Sealer } from './sealer.ts'
import type { SealedSession } from './session.ts'

/** What can be told of sealed sessions. There is no `expired`: nobody sweeps what the clients keep. */
export type SealedEventName = 'created' | 'loggedIn' | 'ended' | 'refused' | 'error'

/** All sealed sessions of an application. They can't be listed: the clients alone have them. */
export interface SealedSessions<Data extends object> {
  /** Opens the session of a request: Node's own, a Fetch `Request`, or its `Headers` alone. There always is one. @throws ERR_SOJOURN_STORE */
  open(request: AnyRequest): Promise<SealedSession<Data>>
  /** The session that an adapter opened for this request. @throws ERR_SOJOURN_NO_SESSION when none did */
  of(request: object): SealedSession<Data>
  /** Listens. Returns a function that stops listening. */
  on<Name extends SealedEventName>(name: Name, listener: (event: SessionEvents[Name]) => void): () => void
  /** Opens no more sessions, and closes the store of the revocation list. */
  close(): Promise<void>
}

export interface SealedManagerOptions<Data extends object> {
  readonly format: SealedFormat<Data>
  readonly sealer: Sealer
  readonly transport: SealTransport
  readonly policy: Policy
  readonly events: Events
  readonly clock: Clock
  readonly revocations: Revocations | null
  readonly trustProxy: boolean
  readonly trustedOrigins: ReadonlySet<string> | null
}

/** Brings requests and seals together. */
export class SealedManager<Data extends object> extends Opener<OpenSealed<Data>> implements SealedSessions<Data> {
  readonly format: SealedFormat<Data>
  readonly transport: SealTransport
  readonly policy: Policy
  readonly events: Events
  readonly clock: Clock
  readonly revocations: Revocations | null
  readonly lateChanges: LateChanges
  readonly #sealer: Sealer
  readonly #recentSeals = new RecentSeals<Data>()
  readonly #trustProxy: boolean
  readonly #trustedOrigins: ReadonlySet<string> | null
  #closed = false

  constructor(options: SealedManagerOptions<Data>) {
    const { format, sealer, transport, policy, events, clock, revocations, trustProxy, trustedOrigins } = options
    super()
    this.format = format
    this.transport = transport
    this.policy = policy
    this.events = events
    this.clock = clock
    this.revocations = revocations
    this.lateChanges = new LateChanges({ events }, 'make it before, since the cookie is in the head')
    this.#sealer = sealer
    this.#trustProxy = trustProxy
    this.#trustedOrigins = trustedOrigins
  }

  async open(request: AnyRequest): Promise<SealedSession<Data>> {
    return this.admit(viewOf(request, this.#trustProxy))
  }

  get trustProxy(): boolean {
    return this.#trustProxy
  }

  admit(view: RequestView): Maybe<OpenSealed<Data>> {
    if (this.#closed)
      throw new SojournError(
        'ERR_SOJOURN_CLOSED',
        'The sessions were closed, and a request came after; stop the server before sessions.close().',
      )
    if (this.#trustedOrigins !== null) refuseCrossOrigin(this.events, view, this.#trustedOrigins)
    const seal = this.transport.read(view)
    const opened = seal === null ? null : this.#unseal(this.transport.nameFor(view), seal)
    if (seal === null || opened === null) return new OpenSealed(this, view, null)
    if (hasExpired(this.policy, opened.record, this.clock.now())) return this.#refuse(view, seal)
    if (this.revocations === null) return new OpenSealed(this, view, opened)
    const revoked = this.revocations.has(opened.record, false)
    if (!isPromise(revoked)) return revoked ? this.#refuse(view, seal) : new OpenSealed(this, view, opened)
    return revoked.then((found) => (found ? this.#refuse(view, seal) : new OpenSealed(this, view, opened)))
  }

  #refuse(view: RequestView, seal: string): OpenSealed<Data> {
    this.#recentSeals.drop(seal)
    return new OpenSealed(this, view, null)
  }

  /** The session of this request's seal is over. */
  forget(view: RequestView): void {
    const seal = this.transport.read(view)
    if (seal !== null) this.#recentSeals.drop(seal)
  }

  /** @returns null for anything that none of our keys sealed under this name */
  #unseal(name: string, seal: string): Opened<Data> | null {
    const known = this.#recentSeals.find(name, seal)
    if (known !== null) return known
    const unsealed = this.#sealer.open(name, seal)
    const record = unsealed === null ? null : decodeRecord(unsealed.text)
    if (unsealed === null || record === null) return null
    const opened = new Opened<Data>(record, unsealed.isCurrent, null)
    this.#recentSeals.keep(name, seal, opened)
    return opened
  }

  /**
   * The headers that hand a session to its client.
   *
   * @param content what the record's data decode to, where that is known
   * @throws ERR_SOJOURN_DATA_TOO_LARGE
   */
  issue(view: RequestView, record: SealedRecord, maxAge: number | null, content: Content<Data> | null): Header[] {
    const name = this.transport.nameFor(view)
    const seal = this.#sealer.seal(name, encodeRecord(record))
    const headers = this.transport.issue(view, seal, maxAge)
    this.#recentSeals.keep(name, seal, new Opened(record, true, content))
    return headers
  }

  on<Name extends SealedEventName>(name: Name, listener: (event: SessionEvents[Name]) => void): () => void {
    return this.events.on(name, listener)
  }

  report(cause: unknown, id: SessionId | null): void {
    const error =
      cause instanceof SojournError
        ? cause
        : new SojournError('ERR_SOJOURN_CALLBACK', `A function of the application's failed: ${String(cause)}`, { cause })
    this.events.emit('error', { error, id })
  }

  async close(): Promise<void> {
    this.#closed = true
    this.#recentSeals.clear()
    this.lateChanges.look()
  }
}
