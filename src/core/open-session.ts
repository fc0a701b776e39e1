import { clientOf } from './client.ts'
import { clientHint } from './client-hint.ts'
import type { Committed } from './commit.ts'
import { asItIs, asyncUpdate, type Change, type Rework } from './compose.ts'
import { type Content, takeMessages } from './content.ts'
import { checkUserId, limitsOf } from './core.ts'
import { isCsrfToken, makeCsrfToken } from './csrf-token.ts'
import { crawlerLifetime } from './crawlers.ts'
import type { Duration } from './duration.ts'
import { end, lateError, logout, movedError, offlineError } from './ending.ts'
import { isGone, SojournError } from './errors.ts'
import { currentSince, isRemembered, keyOf, type Via, viaOf } from './head.ts'
import { create, type Issued, login, type Slip, slip } from './login.ts'
import type { Manager } from './manager.ts'
import { assuranceOf, checkAssurance, lastLoginOf, requireRecentLogin } from './recent-login.ts'
import { expiry } from './policy.ts'
import { isStale } from './record.ts'
import type { Verdict } from './renewal.ts'
import type { RequestView } from './request.ts'
import { responseHeaders } from './response-headers.ts'
import { isPromise, type Routine, run } from './routine.ts'
import type { LoginOptions, LogoutOptions, Session } from './session.ts'
import { parseSiteData, type SiteData } from './site-data.ts'
import type { Maybe, SessionRecord } from './store.ts'
import { WorkingCopy } from './working-copy.ts'
import type { Header, Transport, TransportName } from './transport.ts'
import { Turns } from './turns.ts'
import { formatToken, type Secret, type SessionId, type Token } from './token.ts'

/**
 * What a session is to the request that has it:
 * new     nothing is stored; a write creates it
 * excess  a new one that was one too many (`limits`): nothing is stored, and what it wrote is good for this response alone
 * live    its record is open
 * moved   its token is that of a session that logged in or out elsewhere: only a login gets on from here
 * late    it showed a secret that was replaced too long ago: a thief's copy, or an answer to come to an upload that was held up.
 *         Only a login gets on from here, and ends that session
 * ended   it turned out to be gone when this request wrote to it
 * offline it could not be read, and the application goes on without: nothing is stored, and the client keeps the token that it has
 */
export type SessionState = 'new' | 'excess' | 'live' | 'moved' | 'late' | 'ended' | 'offline'

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
  /** The transport that works for this client; null when that is not known. */
  readonly #by: Transport | null
  #state: SessionState
  #record: SessionRecord | null
  #shown: Shown | null
  readonly #copy: WorkingCopy<Data>
  readonly #isNew: boolean
  #renewAsked = false
  #touchAsked = false
  #owed: Owed = null
  /** What the browser is to forget of the site. */
  #forget: readonly SiteData[] = []
  #read = false
  #settled = false
  /** The token that links, or the key that CSRF tokens have got already, of a session that is to be stored at the commit. */
  #slip: Slip | null = null
  /** The token in links of a request whose session could not be read: the one that it came with. */
  #kept: string | null = null
  /** What this request was told when it found its session gone. */
  #endedBy: SojournError | null = null
  readonly #turns = new Turns()
  /** What crawlers share a session by; null for everybody else. */
  #crawler: string | null = null

  constructor(
    manager: Manager<Data>,
    view: RequestView,
    by: Transport | null = null,
    state: SessionState = 'new',
    record: SessionRecord | null = null,
    shown: Shown | null = null,
  ) {
    this.#manager = manager
    this.#view = view
    this.#by = by
    this.#state = state
    this.#record = record
    this.#shown = shown
    this.#isNew = state !== 'live'
    this.#copy = new WorkingCopy(manager.core.format, state === 'live' ? record : null, manager.core.recent, this)
  }

  static live<Data extends object>(
    manager: Manager<Data>,
    view: RequestView,
    by: Transport,
    record: SessionRecord,
    shown: Shown,
  ): OpenSession<Data> {
    return new OpenSession(manager, view, by, 'live', record, shown)
  }

  static moved<Data extends object>(manager: Manager<Data>, view: RequestView, by: Transport, tombstone: SessionRecord): OpenSession<Data> {
    return new OpenSession(manager, view, by, 'moved', tombstone)
  }

  static late<Data extends object>(manager: Manager<Data>, view: RequestView, by: Transport, record: SessionRecord): OpenSession<Data> {
    return new OpenSession(manager, view, by, 'late', record)
  }

  static offline<Data extends object>(manager: Manager<Data>, view: RequestView, by: Transport, token: Token | null): OpenSession<Data> {
    const session = new OpenSession(manager, view, by, 'offline')
    if (by === manager.transports.url && token !== null) session.#kept = formatToken(token.id, token.secret)
    return session
  }

  /** A well-known crawler's request, with the session that it shares, if there is one by now. */
  static crawler<Data extends object>(
    manager: Manager<Data>,
    view: RequestView,
    key: string,
    record: SessionRecord | null,
  ): OpenSession<Data> {
    const session = new OpenSession(manager, view, null, record === null ? 'new' : 'live', record)
    session.#crawler = key
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

  /** What the browser is to forget of the site: cookies only along with ours, since others may be of a login that came since. */
  get forgotten(): readonly SiteData[] {
    if (this.#forget.length === 0 || this.#owed === 'clear') return this.#forget
    return this.#forget.filter((kind) => kind !== 'cookies')
  }

  /** How the session is reached, by what is known of its client. */
  get via(): Via {
    const known = this.#record === null ? null : viaOf(this.#record.head)
    return known ?? this.#manager.transports.viaOf(this.#view, this.#by)
  }

  get transport(): TransportName | null {
    this.#read = true
    return this.#isNew || this.#by === null ? null : this.#by.name
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

  url(to: string): string {
    const { url } = this.#manager.transports
    if (url === null) return to
    this.#read = true
    const token = this.#tokenForLinks()
    return token === null ? to : url.rewrite!(this.#view, to, token)
  }

  /** The token that links must bear; null where the client returns a cookie, and where there is no session. */
  #tokenForLinks(): string | null {
    if (this.#kept !== null) return this.#kept
    if (this.#crawler !== null) return null
    const isLive = this.#state === 'live'
    if (!isLive && (this.#state !== 'new' || (this.#slip === null && !this.#copy.isChanged))) return null
    const { via } = this
    if (via !== 'url' && via !== 'either') return null
    if (this.#owed !== null && this.#owed !== 'clear') return this.#owed.token
    if (isLive) return this.#shown === null ? null : formatToken(this.#record!.id, this.#shown.secret)
    const { id, secret } = (this.#slip ??= slip())
    return formatToken(id, secret)
  }

  get lastLoginAt(): number | null {
    const record = this.#known()
    return record === null ? null : lastLoginOf(record)
  }

  get assurance(): number {
    const record = this.#known()
    return record === null ? 0 : assuranceOf(record)
  }

  requireRecentLogin(within: Duration, { assurance = 1 }: { readonly assurance?: number | undefined } = {}): void {
    requireRecentLogin(this.#known(), this.#manager.core.clock.now(), within, assurance)
  }

  async login(userId: string, options: LoginOptions<Data> = {}): Promise<void> {
    checkUserId(userId, 'login')
    if (options.assurance !== undefined) checkAssurance(options.assurance, 'login')
    await this.#turns.take(() => this.#login(userId, options))
  }

  async #login(userId: string, options: LoginOptions<Data>): Promise<void> {
    const { core } = this.#manager
    if (this.#state === 'offline') throw offlineError()
    if (this.#state === 'late') await this.#endForReuse(this.#record!.id)
    if (this.#state === 'ended' || this.#state === 'late') this.#leave()
    const source = {
      record: this.#record,
      baseText: () => this.#copy.baseText,
      base: () => this.#copy.base(),
      mine: this.#content(),
      client: clientOf(this.#view, this.via),
    }
    const issued = await this.#guard(() => run(login(core, userId, options, source)))
    this.#enter(issued, issued.rework)
  }

  async logout({ clearSiteData = false }: LogoutOptions = {}): Promise<void> {
    const forget = parseSiteData(clearSiteData)
    await this.#turns.take(() => this.#logout())
    if (forget.length > 0) this.#forget = forget
  }

  async #logout(): Promise<void> {
    if (this.#state === 'offline') throw offlineError()
    if (this.#state === 'late') return
    if (this.#record === null) return this.#leave()
    const late = this.#state === 'moved'
    const ended = await run(logout(this.#manager.core, this.#record))
    if (late) return
    this.#leave()
    // Where another request ended or moved the session first, the client may have a new cookie by now, which is not ours to take back.
    if (ended) this.#owed = 'clear'
  }

  destroy(options?: LogoutOptions): Promise<void> {
    return this.logout(options)
  }

  csrfToken(): string {
    const record = this.#known()
    if (record !== null) return makeCsrfToken(keyOf(record.head))
    // Beyond a limit nothing will be stored, and the token is good for nothing: the page is served all the same.
    if (this.#state !== 'new' && this.#state !== 'excess') throw this.#refusal()
    if (this.#settled) this.#manager.lateChanges.watch(this)
    return makeCsrfToken((this.#slip ??= slip()).key)
  }

  checkCsrfToken(token: unknown): void {
    const record = this.#known()
    if (record !== null && isCsrfToken(keyOf(record.head), token)) return
    throw new SojournError(
      'ERR_SOJOURN_CSRF_TOKEN',
      'This request came without a CSRF token of its session, so it was not carried out; load the page with the form again.',
    )
  }

  renew(): void {
    this.#renewAsked = true
  }

  touch(): void {
    this.#touchAsked = true
  }

  async update<Result>(change: (data: Data) => Result): Promise<Result> {
    this.#read = true
    return await this.#turns.take(() => this.#update(change))
  }

  async #update<Result>(change: (data: Data) => Result): Promise<Result> {
    if (this.#state !== 'live') {
      if (this.#state !== 'new' && this.#state !== 'excess') throw this.#refusal()
      // Nothing is stored yet: there is nothing to race with, and the session is created with the result.
      const draft = this.#manager.core.format.copy(this.#content())
      const result = change(draft.data)
      if (isPromise(result as Maybe<unknown>)) throw asyncUpdate(result as Promise<unknown>)
      this.#manager.core.format.encode(draft) // What can't be stored changes nothing.
      this.#copy.become(draft)
      await this.#save()
      return result
    }
    const committed = await this.#commitData(change)
    return committed.result as Result
  }

  async save(): Promise<void> {
    await this.#turns.take(() => this.#save())
  }

  async #save(): Promise<void> {
    if (!this.#isUnsaved) return
    if (this.#state === 'live') await this.#commitData(null)
    else if (this.#state === 'new') await run(this.#create())
    else if (this.#state !== 'excess') throw this.#refusal()
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
    return takeMessages(content.flash, kind)
  }

  async commit(): Promise<Headers> {
    await this.settle(false)
    return new Headers(this.headers().map(([name, value]): [string, string] => [name, value]))
  }

  /** Whether there are changes that no commit is coming for. */
  isForgotten(): boolean {
    return (this.#state === 'new' || this.#state === 'live') && this.#isUnsaved
  }

  /** Whether there is something to store: changed data, or a new session that a token was made for. */
  get #isUnsaved(): boolean {
    return this.#copy.isChanged || this.#slip !== null
  }

  /** The response's head is out: what the handler changes from here on, nobody commits. A request that never looked has changed nothing. */
  watch(): void {
    if (this.#copy.isLoaded) this.#manager.lateChanges.watch(this)
  }

  /** The headers that the response must carry, once all is settled. */
  headers(): readonly Header[] {
    return responseHeaders(this.#manager.transports, this)
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
    // A closure for each request costs as much as all else that most of them do here.
    return this.#turns.isFree ? this.#turns.hold(this.#settle(isPublic)) : this.#turns.take(() => this.#settle(isPublic))
  }

  #settle(isPublic: boolean): Maybe<void> {
    if (this.#state === 'live') return this.#settleLive(this.#copy.isChanged, isPublic)
    // Where it turned out to have ended, the handler was told: its answer stands.
    if (!this.#isUnsaved || this.#state === 'ended' || this.#state === 'excess') return
    if (this.#state === 'new') return run(this.#create())
    if (this.#state === 'offline') return this.report(offlineError())
    throw this.#refusal()
  }

  #settleLive(changed: boolean, isPublic: boolean): Maybe<void> {
    const now = this.#manager.core.clock.now()
    const renewing = !isPublic && this.#isRenewalDue(now)
    if (!changed && !renewing && this.#toReseal() === null && !this.#isOverlong()) return this.#noteUse(now)
    // A commit may have had nothing to write after all, and so noted no use.
    const taken = ({ record, text, content, rework, secret }: Committed<Data>): Maybe<void> => {
      this.#record = record
      if (text !== null || content !== null) this.#copy.rebaseUnseen(record.id, text, content, rework)
      if (secret !== null) this.#owe(record, secret)
      return this.#noteUse(this.#manager.core.clock.now())
    }
    let done: Maybe<Committed<Data>>
    try {
      done = this.#manager.commits.commit(this.#change(changed, renewing, null))
    } catch (error) {
      return this.#failed(error, changed)
    }
    return isPromise(done) ? done.then(taken, (error: unknown) => this.#failed(error, changed)) : taken(done)
  }

  #noteUse(now: number): Maybe<void> {
    // A crawler's lives its minute, however often it comes.
    if (this.#crawler !== null && this.#record!.userId === null) return
    return this.#manager.toucher.note(this.#record!, now, this.#touchAsked)
  }

  /** Only data must land: a renewal that failed is told, and the request served. */
  #failed(error: unknown, changed: boolean): void {
    if (isGone(error)) this.#end(error)
    if (changed) throw error instanceof Error ? error : new Error(String(error))
    this.report(error)
  }

  #change(changed: boolean, renewing: boolean, update: ((data: Data) => unknown) | null): Change<Data> {
    return {
      record: this.#record!,
      changed,
      copy: this.#copy,
      update,
      shown:
        renewing && this.#shown !== null
          ? { secret: this.#shown.secret, hint: clientHint(keyOf(this.#record!.head), this.#view), asked: this.#renewAsked }
          : null,
      reseal: this.#toReseal(),
      shorten: this.#isOverlong(),
    }
  }

  /**
   * The secret that was shown, where the record that it opened is to be sealed anew, under the current key: together with a use that
   * is to be noted anyway. So while some processes have the old order of keys and some the new one, and each seals anew what the
   * others sealed, that is at most once a slice.
   */
  #toReseal(): Secret | null {
    const record = this.#record!
    if (this.#shown === null || !isStale(record)) return null
    const { policy, clock } = this.#manager.core
    return clock.now() - record.lastSeenAt > limitsOf(policy, record.head).slice ? this.#shown.secret : null
  }

  /**
   * Whether a use is to be noted of a record that was stored under longer timeouts than the policy has now. Touches never shorten, so
   * its last use would stand still, by which the policy is held.
   */
  #isOverlong(): boolean {
    const { policy, clock } = this.#manager.core
    if (!policy.strict) return false
    const { head, createdAt, lastSeenAt, expiresAt } = this.#record!
    const limits = limitsOf(policy, head)
    const now = clock.now()
    return (now - lastSeenAt > limits.slice || this.#touchAsked) && expiry(createdAt, now, limits) < expiresAt
  }

  async #commitData(update: ((data: Data) => unknown) | null): Promise<Committed<Data>> {
    const committed = await this.#guard(() => this.#manager.commits.commit(this.#change(this.#copy.isChanged, false, update)))
    const { record, text, content, rework } = committed
    this.#record = record
    if (text !== null || content !== null) this.#copy.rebase(record.id, text, content, rework)
    return committed
  }

  /** After a store's answer that the session is gone, this request knows it too. */
  async #guard<T>(ask: () => Maybe<T>): Promise<T> {
    try {
      return await ask()
    } catch (error) {
      if (isGone(error)) this.#end(error)
      throw error
    }
  }

  *#create(): Routine<void> {
    const { core, strangers, crawlers } = this.#manager
    const data = core.format.encode(this.#content()) // First: what can't be stored is no visitor who counts.
    if (!strangers.admit(this.#view, core.clock.now())) {
      this.#state = 'excess'
      return
    }
    const lifetime = this.#crawler === null ? undefined : crawlerLifetime
    const given = this.#slip
    // Whatever becomes of it, its ID is sent once.
    this.#slip = null
    const issued: Issued = yield* create(core, data, {
      userId: null,
      client: clientOf(this.#view, this.via),
      remembered: false,
      lifetime,
      slip: given,
    })
    const { id } = issued.record
    core.events.emit('created', { id, userId: null })
    this.#enter(issued, asItIs)
    if (this.#crawler === null) return
    crawlers!.remember(this.#crawler, id)
    this.#owed = null // The token of a shared session goes to nobody.
  }

  #end(error: SojournError): void {
    this.#state = 'ended'
    this.#endedBy = error
  }

  /** From here on this request has the new session. */
  #enter({ record, secret }: Issued, rework: Rework<Data>): void {
    this.#state = 'live'
    this.#record = record
    this.#shown = null
    this.#slip = null
    this.#copy.rebase(record.id, record.data, null, rework)
    this.#owe(record, secret)
  }

  /** From here on this request has a new visitor's session, of which nothing is stored. */
  #leave(): void {
    this.#state = 'new'
    this.#endedBy = null
    this.#record = null
    this.#shown = null
    this.#owed = null
    this.#slip = null
    this.#copy.restart()
  }

  #owe(record: SessionRecord, secret: Secret): void {
    const { core } = this.#manager
    const remembered = isRemembered(record.head)
    const maxAge = remembered ? record.createdAt + limitsOf(core.policy, record.head).absolute - core.clock.now() : null
    this.#owed = { token: formatToken(record.id, secret), maxAge }
  }

  #isRenewalDue(now: number): boolean {
    if (this.#shown === null) return false
    if (this.#shown.kind === 'pending') return true
    if (this.#by?.renews(this.#view) !== true) return false
    if (this.#shown.kind !== 'current') return true
    const { core } = this.#manager
    return this.#renewAsked || now - currentSince(this.#record!.head) >= core.policy.renew
  }

  async #endForReuse(id: SessionId): Promise<void> {
    const { core } = this.#manager
    const { ended, record } = await run(end(core, id, 'reuse'))
    if (ended) core.events.emit('suspected', { id, userId: record!.userId, reason: 'reuse' })
  }

  #content(): Content<Data> {
    // First looked at after the commit: nothing that is changed from here on is committed by itself.
    if (this.#settled && !this.#copy.isLoaded) this.#manager.lateChanges.watch(this)
    return this.#copy.content()
  }

  /** What is stored of the session, for a handler that looks at it. */
  #known(): SessionRecord | null {
    this.#read = true
    return this.#state === 'live' ? this.#record : null
  }

  /** Why a write has nowhere to go. */
  #refusal(): SojournError {
    if (this.#state === 'offline') return offlineError()
    if (this.#endedBy !== null) return this.#endedBy
    return this.#state === 'late' ? lateError(this.#record!.id) : movedError(this.#record!.id)
  }
}
