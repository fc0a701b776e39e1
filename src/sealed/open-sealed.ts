import { asItIs } from '../core/compose.ts'
import { type Content, takeMessages } from '../core/content.ts'
import { checkUserId } from '../core/core.ts'
import { SojournError } from '../core/errors.ts'
import type { Committable } from '../core/opener.ts'
import type { RequestView } from '../core/request.ts'
import { isPromise, run } from '../core/routine.ts'
import type { Maybe } from '../core/store.ts'
import { mintId, type SessionId } from '../core/token.ts'
import type { Header } from '../core/transport.ts'
import { Turns } from '../core/turns.ts'
import { WorkingCopy } from '../core/working-copy.ts'
import type { SealedManager } from './manager.ts'
import type { Opened } from './opened.ts'
import { limitsOf, newRecord, nextRecord, type SealedRecord } from './record.ts'
import type { SealedLoginOptions, SealedSession } from './session.ts'

/** A record, and the headers that hand its seal to the client. */
interface Issued {
  readonly record: SealedRecord
  readonly headers: readonly Header[]
}

/** A sealed session in the hands of one request: what it read, what it changed, what its response must carry. */
export class OpenSealed<Data extends object> implements SealedSession<Data>, Committable {
  readonly #manager: SealedManager<Data>
  readonly #view: RequestView
  readonly #copy: WorkingCopy<Data>
  readonly #isNew: boolean
  /** What is sealed, or will be once the response goes out; null as long as there is nothing to seal. */
  #record: SealedRecord | null
  #oldKey: boolean
  /** This request gave the session its ID: nobody else can have ended it. */
  #isOwn = false
  #touchAsked = false
  #owed: readonly Header[] | null = null
  #read = false
  #settled = false
  #headIsOut = false
  /** What this request was told when it found its session revoked. */
  #endedBy: SojournError | null = null
  readonly #turns = new Turns()

  constructor(manager: SealedManager<Data>, view: RequestView, opened: Opened<Data> | null) {
    this.#manager = manager
    this.#view = view
    this.#record = opened?.record ?? null
    this.#oldKey = opened?.isCurrent === false
    this.#isNew = opened === null
    this.#copy = new WorkingCopy(manager.format, opened?.record ?? null, opened, this)
  }

  get data(): Data {
    this.#read = true
    return this.#content().data
  }

  set data(data: Data) {
    this.#content().data = data
  }

  get id(): SessionId | null {
    return this.#known()?.id ?? null
  }

  get isNew(): boolean {
    this.#read = true
    return this.#isNew
  }

  get userId(): string | null {
    return this.#known()?.userId ?? null
  }

  get createdAt(): number | null {
    return this.#known()?.createdAt ?? null
  }

  get lastSeenAt(): number | null {
    return this.#known()?.lastSeenAt ?? null
  }

  get expiresAt(): number | null {
    return this.#known()?.expiresAt ?? null
  }

  #known(): SealedRecord | null {
    this.#read = true
    return this.#endedBy === null ? this.#record : null
  }

  async login(userId: string, options: SealedLoginOptions<Data> = {}): Promise<void> {
    checkUserId(userId, 'login')
    if ('epoch' in options)
      throw new SojournError(
        'ERR_SOJOURN_OPTION',
        'login() of a sealed session was given an epoch, and nothing is kept that could be taken back after a comparison; compare it before, and leave it out.',
      )
    if (this.#headIsOut) throw this.#tooLate('login')
    await this.#turns.take(() => this.#login(userId, options))
  }

  async #login(userId: string, { remember = false, carry }: SealedLoginOptions<Data>): Promise<void> {
    const { format, policy, clock, revocations, events } = this.#manager
    if (this.#endedBy !== null) this.#leave()
    const old = this.#record
    const isForeign = old !== null && old.userId !== null && old.userId !== userId
    const chosen = (mine: Content<Data>): Content<Data> => {
      if (isForeign) return format.initial()
      return carry === undefined ? mine : { ...mine, data: carry(format.copy(mine).data) }
    }
    const data = format.encode(chosen(this.#content()))
    // Later than any cut-off of the user's, whichever process's clock that went by.
    const cutOff = revocations === null ? 0 : await run(revocations.cutOffOf(userId))
    const now = Math.max(clock.now(), cutOff + 1)
    const issued = this.#issue(newRecord(policy, { id: mintId(), userId, remembered: remember, data }, now))
    if (revocations !== null && old !== null) await run(revocations.add(old.id, old.deadline))
    this.#enter(issued, chosen)
    events.emit('loggedIn', { id: issued.record.id, userId, previousId: old?.id ?? null })
  }

  async logout(): Promise<void> {
    // With a list the session can be ended, though the cookie stays where it is.
    if (this.#headIsOut && this.#manager.revocations === null) throw this.#tooLate('logout')
    await this.#turns.take(() => this.#logout())
  }

  async #logout(): Promise<void> {
    const { revocations, events, transport } = this.#manager
    const old = this.#endedBy === null ? this.#record : null
    if (old === null) return this.#leave()
    this.#manager.forget(this.#view)
    const ended = revocations === null || (await run(revocations.add(old.id, old.deadline)))
    this.#leave()
    // Where another request ended the session first, the client may have a new cookie by now, which is not ours to take back.
    if (!ended) return
    this.#owed = transport.clear(this.#view)
    events.emit('ended', { id: old.id, userId: old.userId, reason: 'logout' })
  }

  destroy(): Promise<void> {
    return this.logout()
  }

  touch(): void {
    this.#touchAsked = true
  }

  flash(kind: string, message: string): void
  flash(kind: string): string[]
  flash(kind: string, message?: string): string[] | void {
    this.#read = true
    const { flash } = this.#content()
    const keys = Object.keys(flash)
    if (message !== undefined) {
      // Nobody else adds to this copy: a number is enough of a key, of a width at which they sort.
      const last = Math.max(-1, ...keys.map(Number))
      flash[String(last + 1).padStart(4, '0')] = [kind, message]
      return
    }
    return takeMessages(flash, kind)
  }

  async commit(): Promise<Headers> {
    await this.settle(false)
    return new Headers(this.headers().map(([name, value]): [string, string] => [name, value]))
  }

  settle(isPublic: boolean): Maybe<void> {
    this.#settled = true
    return this.#turns.take(() => this.#settle(isPublic))
  }

  #settle(isPublic: boolean): Maybe<void> {
    const record = this.#record
    const changed = this.#copy.isChanged
    // Where it turned out to have ended, the handler was told: its answer stands.
    if (this.#endedBy !== null || (record === null && !changed)) return
    if (record === null) return this.#create()
    if (!changed && (isPublic || !this.#isDue(record))) return
    const { revocations } = this.#manager
    // Who wrote over the cookie after a logout would bring it back, and after a login would undo that.
    if (revocations === null || this.#isOwn) return this.#seal(record)
    const revoked = revocations.has(record, true)
    if (!isPromise(revoked)) return this.#sealUnless(revoked, record, changed)
    return revoked.then(
      (found) => this.#sealUnless(found, record, changed),
      (error: unknown) => {
        if (changed) throw error
        this.report(error)
      },
    )
  }

  /** A use, or another key, is noted by the next request; only data must land. */
  #sealUnless(revoked: boolean, record: SealedRecord, changed: boolean): void {
    if (!revoked) return this.#seal(record)
    this.#endedBy = new SojournError(
      'ERR_SOJOURN_ENDED',
      `Session ${record.id} ended, or got a new ID by a login, while this request had it open, so its changes were not stored; send the request again.`,
    )
    if (changed) throw this.#endedBy
  }

  #isDue({ lastSeenAt, remembered }: SealedRecord): boolean {
    const { clock, policy } = this.#manager
    return this.#touchAsked || this.#oldKey || clock.now() - lastSeenAt > limitsOf(policy, { remembered }).slice
  }

  #create(): void {
    const { format, policy, clock, events } = this.#manager
    const data = format.encode(this.#content())
    const issued = this.#issue(newRecord(policy, { id: mintId(), userId: null, remembered: false, data }, clock.now()))
    this.#enter(issued, asItIs)
    events.emit('created', { id: issued.record.id, userId: null })
  }

  #seal(record: SealedRecord): void {
    const { format, policy, clock } = this.#manager
    // A copy that nobody looked at is what was sealed: it need not be decoded to be sealed again.
    const { text, copy } = this.#copy.isLoaded ? format.encodeAndCopy(this.#content()) : { text: record.data, copy: null }
    const issued = this.#issue(nextRecord(policy, record, text, clock.now()), copy)
    this.#record = issued.record
    this.#owed = issued.headers
    this.#oldKey = false
    this.#touchAsked = false
    this.#copy.rebase(issued.record.id, text, copy, asItIs)
  }

  #issue(record: SealedRecord, content: Content<Data> | null = null): Issued {
    const { clock } = this.#manager
    const maxAge = record.remembered ? record.deadline - clock.now() : null
    return { record, headers: this.#manager.issue(this.#view, record, maxAge, content) }
  }

  /** From here on this request has the new session. */
  #enter({ record, headers }: Issued, rework: (mine: Content<Data>) => Content<Data>): void {
    this.#record = record
    this.#owed = headers
    this.#isOwn = true
    this.#oldKey = false
    this.#copy.rebase(record.id, record.data, null, rework)
  }

  /** From here on this request has a new visitor's session, of which nothing is sealed. */
  #leave(): void {
    this.#record = null
    this.#owed = null
    this.#endedBy = null
    this.#oldKey = false
    this.#copy.restart()
  }

  headers(): readonly Header[] {
    if (this.#owed !== null) return [...this.#owed, ['Cache-Control', 'no-store']]
    return this.#read ? [['Cache-Control', 'private']] : []
  }

  report(error: unknown): void {
    this.#manager.report(error, this.#record?.id ?? null)
  }

  watch(): void {
    this.#headIsOut = true
    if (this.#copy.isLoaded) this.#manager.lateChanges.watch(this)
  }

  /** Whether there are changes that no commit is coming for. */
  isForgotten(): boolean {
    return this.#endedBy === null && this.#copy.isChanged
  }

  #content(): Content<Data> {
    // First looked at after the commit: nothing that is changed from here on is committed by itself.
    if (this.#settled && !this.#copy.isLoaded) this.#manager.lateChanges.watch(this)
    return this.#copy.content()
  }

  #tooLate(verb: string): SojournError {
    return new SojournError(
      'ERR_SOJOURN_LATE_CHANGE',
      `${verb}() of a sealed session was called after the response's head was sent, and the cookie is in the head; call it before.`,
    )
  }
}
