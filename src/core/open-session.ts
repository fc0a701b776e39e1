import { createHmac } from 'node:crypto'
import { adopt, sameContent } from './adopt.ts'
import { asyncUpdate, type Change, type Committed } from './commit.ts'
import type { Content } from './content.ts'
import { limitsOf } from './core.ts'
import { describeDevice } from './device.ts'
import { end, logout, movedError } from './ending.ts'
import { isGone, SojournError } from './errors.ts'
import { currentSince, decodeHead, isRemembered } from './head.ts'
import { create, type Issued, login } from './login.ts'
import type { Manager } from './manager.ts'
import { expiry } from './policy.ts'
import type { Verdict } from './renewal.ts'
import type { RequestView } from './request.ts'
import { isPromise, type Routine, run, wait } from './routine.ts'
import type { LoginOptions, Session } from './session.ts'
import type { Maybe, SessionRecord } from './store.ts'
import type { Header } from './transport.ts'
import { formatToken, type Secret, type SessionId } from './token.ts'

/**
 * What a session is to the request that has it:
 * new     nothing is stored; a write creates it
 * live    its record is open
 * moved   its token is that of a session that logged in or out elsewhere: only a login gets on from here
 * ended   it turned out to be gone when this request wrote to it
 */
export type SessionState = 'new' | 'live' | 'moved' | 'ended'

/** What a request showed, and what it was found to be. */
export interface Shown {
  readonly secret: Secret
  readonly kind: Verdict['kind']
}

/** What the response owes the client: a token, or word that the one it has is void. */
export type Owed = { readonly token: string; readonly maxAge: number | null } | 'clear' | null

/** A session in the hands of one request: what it read, what it changed, what its response must carry. */
export class OpenSession<Data extends object> implements Session<Data> {
  readonly #manager: Manager<Data>
  readonly #view: RequestView
  #state: SessionState = 'new'
  #record: SessionRecord | null = null
  #shown: Shown | null = null
  /** A session whose late secret this request showed: a login ends it. */
  #suspect: SessionId | null = null
  /** What the request works on, once it has looked. */
  #mine: Content<Data> | null = null
  /** The stored text that `#mine` started from; null for the initial content. */
  #baseText: string | null = null
  #base: Content<Data> | null = null
  #renewAsked = false
  #touchAsked = false
  #owed: Owed = null
  #read = false
  #settled = false
  #isNew = true

  constructor(manager: Manager<Data>, view: RequestView) {
    this.#manager = manager
    this.#view = view
  }

  static live<Data extends object>(manager: Manager<Data>, view: RequestView, record: SessionRecord, shown: Shown): OpenSession<Data> {
    const session = new OpenSession(manager, view)
    session.#state = 'live'
    session.#record = record
    session.#baseText = record.data
    session.#shown = shown
    session.#isNew = false
    return session
  }

  static moved<Data extends object>(manager: Manager<Data>, view: RequestView, tombstone: SessionRecord): OpenSession<Data> {
    const session = new OpenSession(manager, view)
    session.#state = 'moved'
    session.#record = tombstone
    return session
  }

  static suspect<Data extends object>(manager: Manager<Data>, view: RequestView, id: SessionId): OpenSession<Data> {
    const session = new OpenSession(manager, view)
    session.#suspect = id
    return session
  }

  get state(): SessionState {
    return this.#state
  }

  get view(): RequestView {
    return this.#view
  }

  /** Whether the answer may depend on the session, so that no shared cache may keep it. */
  get wasRead(): boolean {
    return this.#read
  }

  /** What the response must carry. */
  get owed(): Owed {
    return this.#owed
  }

  get data(): Data {
    this.#read = true
    return this.#content().data
  }

  set data(data: Data) {
    this.#mine = { ...this.#content(), data }
  }

  get id(): SessionId | null {
    this.#read = true
    return this.#state === 'live' ? this.#record!.id : null
  }

  get isNew(): boolean {
    return this.#isNew
  }

  get userId(): string | null {
    this.#read = true
    return this.#state === 'live' ? this.#record!.userId : null
  }

  get createdAt(): number | null {
    return this.#state === 'live' ? this.#record!.createdAt : null
  }

  get lastSeenAt(): number | null {
    return this.#state === 'live' ? this.#record!.lastSeenAt : null
  }

  get expiresAt(): number | null {
    return this.#state === 'live' ? this.#record!.expiresAt : null
  }

  async login(userId: string, options: LoginOptions<Data> = {}): Promise<void> {
    if (typeof userId !== 'string' || userId === '') {
      throw new SojournError('ERR_SOJOURN_OPTION', `login() needs the user's ID, a text that is not empty; it was given ${userId === '' ? "''" : typeof userId}.`)
    }
    if (this.#state === 'ended') this.#leave()
    const source = { record: this.#state === 'new' ? null : this.#record, baseText: this.#baseText, mine: this.#content(), device: this.#device() }
    if (this.#suspect !== null) await this.#endSuspect(this.#suspect)
    const issued = await this.#guard(run(login(this.#manager.core, userId, options, source)))
    this.#enter(issued, issued.content)
  }

  async logout(): Promise<void> {
    if (this.#record === null) return
    const late = this.#state === 'moved'
    const ended = await run(logout(this.#manager.core, this.#record))
    if (late) return
    this.#leave()
    // Where another request ended or moved the session first, the client may have a new cookie by now, which is not ours to take back.
    if (ended) this.#owed = 'clear'
  }

  destroy(): Promise<void> {
    return this.logout()
  }

  renew(): void {
    this.#renewAsked = true
  }

  touch(): void {
    this.#touchAsked = true
  }

  async update<Result>(change: (data: Data) => Result): Promise<Result> {
    this.#read = true
    if (this.#state !== 'live') {
      if (this.#state !== 'new') throw this.#gone()
      // Nothing is stored yet: there is nothing to race with, and the session is created with the result.
      const draft = this.#manager.core.format.copy(this.#content())
      const result = change(draft.data)
      if (isPromise(result as Maybe<unknown>)) throw asyncUpdate(result as Promise<unknown>)
      adopt(this.#content().data, draft.data)
      await this.save()
      return result
    }
    const committed = await this.#commitData(change)
    return committed.result as Result
  }

  async save(): Promise<void> {
    if (!this.isChanged()) return
    if (this.#state === 'live') await this.#commitData(null)
    else if (this.#state === 'new') await run(this.#create())
    else throw this.#gone()
  }

  flash(kind: string, message: string): void
  flash(kind: string): string[]
  flash(kind: string, message?: string): string[] | void {
    this.#read = true
    const content = this.#content()
    if (message !== undefined) {
      content.flash[this.#manager.flashKey()] = [kind, message]
      return
    }
    const mine = Object.keys(content.flash).filter((key) => content.flash[key]![0] === kind).toSorted()
    const messages = mine.map((key) => content.flash[key]![1])
    for (const key of mine) delete content.flash[key]
    return messages
  }

  async commit(): Promise<Headers> {
    await this.settle(false)
    return new Headers(this.headers().map(([name, value]): [string, string] => [name, value]))
  }

  /** Whether the request changed what is stored. */
  isChanged(): boolean {
    if (this.#mine === null) return false
    this.#base ??= this.#readBase()
    return !sameContent(this.#base, this.#mine)
  }

  /** Whether there are changes that no commit is coming for. */
  isForgotten(): boolean {
    return this.#state !== 'ended' && this.#state !== 'moved' && this.isChanged()
  }

  /** The response's head is out: what the handler changes from here on, nobody commits. A request that never looked has changed nothing. */
  watch(): void {
    if (this.#mine !== null) this.#manager.lateChanges.watch(this)
  }

  /** The headers that the response must carry, once all is settled. */
  headers(): Header[] {
    return this.#manager.headers(this)
  }

  /** Tells of a failure that the handler is not there to be told of. */
  report(error: unknown): void {
    this.#manager.report(error, this.#record?.id ?? null)
  }

  /**
   * The commit before the response's head: what was changed, a renewal that is due, a use to be noted.
   *
   * @param isPublic the response may be kept by shared caches: nothing of the session's may go with it
   */
  settle(isPublic: boolean): Maybe<void> {
    this.#settled = true
    const changed = this.isChanged()
    if (this.#state === 'live') return this.#settleLive(changed, isPublic)
    // Where it turned out to have ended, the handler was told: its answer stands.
    if (!changed || this.#state === 'ended') return
    if (this.#state === 'new') return run(this.#create())
    throw this.#gone()
  }

  #settleLive(changed: boolean, isPublic: boolean): Maybe<void> {
    const renewing = !isPublic && this.#isRenewalDue()
    if (changed || renewing) {
      const done = this.#manager.commits.commit(this.#change(changed, renewing, null))
      if (isPromise(done)) return done.then((committed) => this.#take(committed), (error: unknown) => this.#failed(error, changed))
      return this.#take(done)
    }
    return this.#noteUse()
  }

  /** Only data must land: a renewal that failed is told, and the request served. */
  #failed(error: unknown, changed: boolean): void {
    if (isGone(error)) this.#state = 'ended'
    if (changed) throw error instanceof Error ? error : new Error(String(error))
    this.report(error)
  }

  #change(changed: boolean, renewing: boolean, update: ((data: Data) => unknown) | null): Change<Data> {
    return {
      record: this.#record!,
      baseText: changed ? this.#baseText : null,
      mine: () => this.#content(),
      update,
      shown: renewing && this.#shown !== null ? { secret: this.#shown.secret, hint: this.#hint(), asked: this.#renewAsked } : null,
    }
  }

  async #commitData(update: ((data: Data) => unknown) | null): Promise<Committed<Data>> {
    const committed = await this.#guard(this.#manager.commits.commit(this.#change(this.isChanged(), false, update)))
    this.#take(committed)
    return committed
  }

  #take({ record, content, text, secret }: Committed<Data>): void {
    this.#record = record
    if (content !== null) {
      this.#become(content)
      this.#baseText = text
      this.#base = null
    }
    if (secret !== null) this.#owe(record, secret)
  }

  /** Other content, in the same `data` object, which the handler may hold. */
  #become(content: Content<Data>): void {
    if (this.#mine === null || this.#mine === content) return
    adopt(this.#mine.data, content.data)
    this.#mine = { ...content, data: this.#mine.data }
  }

  /** After a store's answer that the session is gone, this request knows it too. */
  async #guard<T>(answer: Maybe<T>): Promise<T> {
    try {
      return await answer
    } catch (error) {
      if (isGone(error)) this.#state = 'ended'
      throw error
    }
  }

  *#create(): Routine<void> {
    const { core } = this.#manager
    const issued: Issued = yield* create(core, core.format.encode(this.#content()), { userId: null, device: this.#device(), remembered: false })
    core.events.emit('created', { id: issued.record.id, userId: null })
    this.#enter(issued, this.#content())
  }

  /** From here on this request has the new session. */
  #enter({ record, secret }: Issued, content: Content<Data>): void {
    this.#state = 'live'
    this.#record = record
    this.#shown = null
    this.#suspect = null
    this.#baseText = record.data
    this.#base = null
    this.#become(content)
    this.#owe(record, secret)
  }

  /** From here on this request has a new visitor's session, of which nothing is stored. */
  #leave(): void {
    this.#state = 'new'
    this.#record = null
    this.#shown = null
    this.#baseText = null
    this.#owed = null
    if (this.#mine === null) return
    const { format } = this.#manager.core
    this.#base = format.initial()
    this.#become(format.copy(this.#base))
  }

  #owe(record: SessionRecord, secret: Secret): void {
    const { core } = this.#manager
    const remembered = isRemembered(record.head)
    const maxAge = remembered ? record.createdAt + limitsOf(core.policy, record.head).absolute - core.clock.now() : null
    this.#owed = { token: formatToken(record.id, secret), maxAge }
  }

  #noteUse(): Maybe<void> {
    const { core, toucher } = this.#manager
    const record = this.#record!
    const limits = limitsOf(core.policy, record.head)
    const now = core.clock.now()
    if (now - record.lastSeenAt <= limits.slice && !this.#touchAsked) return
    const { id, userId, version } = record
    const touch = { id, userId, version, lastSeenAt: now, expiresAt: expiry(record.createdAt, now, limits) }
    if (touch.expiresAt <= record.expiresAt) return
    if (record.expiresAt - now <= limits.slice || this.#touchAsked) return toucher.now(touch)
    toucher.add(touch)
  }

  #isRenewalDue(): boolean {
    if (this.#shown === null) return false
    if (this.#shown.kind !== 'current') return true
    const { core } = this.#manager
    return this.#renewAsked || core.clock.now() - currentSince(this.#record!.head) >= core.policy.renew
  }

  /** Tells clients apart for renewal: a hash under the record's own key, of what the browser calls itself and of its network. */
  #hint(): string {
    const key = decodeHead(this.#record!.head)?.key ?? ''
    const { address = '' } = this.#view
    const network = address.includes('.') ? address.slice(0, address.lastIndexOf('.')) : address.split(':').slice(0, 3).join(':')
    return createHmac('sha256', key).update(`${this.#device()}\n${network}`).digest('base64url').slice(0, 6)
  }

  #device(): string | null {
    return describeDevice(this.#view.header('user-agent'))
  }

  async #endSuspect(id: SessionId): Promise<void> {
    const { core } = this.#manager
    const { ended, record } = await run(end(core, id, 'reuse'))
    if (ended) core.events.emit('suspected', { id, userId: record!.userId, reason: 'reuse' })
  }

  #content(): Content<Data> {
    if (this.#mine !== null) return this.#mine
    this.#base = this.#readBase()
    // First looked at after the commit: nothing that is changed from here on is committed by itself.
    if (this.#settled) this.#manager.lateChanges.watch(this)
    this.#mine = this.#manager.core.format.copy(this.#base)
    return this.#mine
  }

  #readBase(): Content<Data> {
    const { core } = this.#manager
    if (this.#baseText === null) return core.format.initial()
    try {
      return core.format.decode(this.#baseText)
    } catch (error) {
      if (!core.format.isUnreadable(error)) throw error
      this.report(error)
      return core.format.setAside(this.#baseText)
    }
  }

  #gone(): SojournError {
    return movedError(this.#record!.id)
  }
}
