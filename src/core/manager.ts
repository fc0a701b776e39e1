import { browserHint } from './client-hint.ts'
import { CommitQueue } from './commit.ts'
import { checkUserId, type DataCore, hasOutlived, infoOf, land, listRecords, readFresh, storeError } from './core.ts'
import { Crawlers, crawlerOf } from './crawlers.ts'
import { refuseCrossOrigin } from './cross-origin.ts'
import { contention, end, endAll, endUser, standingOf } from './ending.ts'
import { SojournError } from './errors.ts'
import type { EventName, SessionEvents } from './events.ts'
import { boundOf, decodeHead, decodeTombstone, encodeHead, keyLength, settled, showsCurrent, type Via, viaOf } from './head.ts'
import { LateChanges } from './late-changes.ts'
import { Strangers, type StrangerLimits } from './limits.ts'
import { OpenSession } from './open-session.ts'
import { Opener } from './opener.ts'
import { isLocked, revised, unlock } from './record.ts'
import { judge, type Verdict } from './renewal.ts'
import { type AnyRequest, type RequestView, viewOf } from './request.ts'
import { isPromise, type Routine, run, wait } from './routine.ts'
import type { Session, SessionInfo } from './session.ts'
import { formatSiteData } from './site-data.ts'
import type { Maybe, SessionRecord } from './store.ts'
import { Sweeper } from './sweeper.ts'
import { isStrange, suspect } from './theft.ts'
import { hashSecret, isSessionId, parseToken, randomBytes, sameHash, type SessionId, type Token, versionStep, wasIssued } from './token.ts'
import { Toucher } from './touch.ts'
import type { Header, Transport } from './transport.ts'
import type { Transports } from './transports.ts'
import { Watches, type WatchListener } from './watches.ts'

/** All sessions of an application. */
export interface Sessions<Data extends object> {
  /**
   * Opens the session of a request: Node's own, a Fetch `Request`, or its `Headers` alone. There always is one.
   *
   * @throws ERR_SOJOURN_CROSS_ORIGIN for an unsafe request of another site's (`Headers` alone don't tell); ERR_SOJOURN_STORE
   */
  open(request: AnyRequest): Promise<Session<Data>>
  /** The session that an adapter opened for this request. @throws ERR_SOJOURN_NO_SESSION when none did */
  of(request: object): Session<Data>
  /** The live sessions of one user. */
  listByUser(userId: string): AsyncIterable<SessionInfo>
  /** Ends a session. @returns whether there was one to end */
  end(id: SessionId): Promise<boolean>
  /** Ends all sessions of a user but the one named. @returns how many */
  endUser(userId: string, options?: { readonly except?: SessionId | null | undefined }): Promise<number>
  /**
   * Ends all sessions, of users and visitors, but the one named: after a breach, say. Those that begin while it is at work stay; raise
   * the users' epochs first where passwords may be known (`login(userId, { epoch })`). @returns how many
   */
  endAll(options?: { readonly except?: SessionId | null | undefined }): Promise<number>
  /**
   * Stored data of a session that no release of the application could read so far, as it was found; null when there are none.
   *
   * @throws ERR_SOJOURN_OPTION for a session that is bound to its client, of whose data nobody else can read anything
   */
  setAside(id: SessionId): Promise<string | null>
  /**
   * Hears once of this session's end, so that a WebSocket or an event stream that was opened under it can be closed: at once of
   * what happens in this process (a login, which moves the session to a new ID, too), within `watchInterval` of its expiry and of
   * what other processes do. Watching is no use of the session, and keeps it from no timeout.
   *
   * @returns a function that stops watching
   * @throws ERR_SOJOURN_OPTION for what is no session's ID
   */
  watch(id: SessionId, listener: WatchListener): () => void
  /** Removes what has expired, now; it happens by itself as well. @returns how many records went */
  sweep(): Promise<number>
  /** Listens. Returns a function that stops listening. */
  on<Name extends EventName>(name: Name, listener: (event: SessionEvents[Name]) => void): () => void
  /** Finishes what is on its way, notes the last uses, ends the store. */
  close(): Promise<void>
}

export interface ManagerOptions<Data extends object> {
  readonly core: DataCore<Data>
  readonly transports: Transports
  readonly trustProxy: boolean
  /** The other origins that may send unsafe requests; null: all may. */
  readonly trustedOrigins: ReadonlySet<string> | null
  readonly onStoreError: 'refuse' | 'anonymous'
  readonly sweepInterval: number
  readonly watchInterval: number
  readonly limits: StrangerLimits
  readonly shareCrawlers: boolean
}

/** The manager behind an application's sessions, for whom an `Opener` is not enough. @throws ERR_SOJOURN_OPTION for anything else */
export function managerOf<Data extends object>(sessions: Sessions<Data>): Manager<Data> {
  if (sessions instanceof Manager) return sessions
  throw new SojournError(
    'ERR_SOJOURN_OPTION',
    'This needs what createSessions() returned, of the same copy of the package sojourn; it was given something else.',
  )
}

/** Brings requests and records together. */
export class Manager<Data extends object> extends Opener<OpenSession<Data>> implements Sessions<Data> {
  readonly core: DataCore<Data>
  readonly commits: CommitQueue<Data>
  readonly toucher: Toucher
  readonly lateChanges: LateChanges
  readonly transports: Transports
  readonly strangers: Strangers
  /** Null where each crawler's request has a session of its own. */
  readonly crawlers: Crawlers | null
  readonly #trustProxy: boolean
  readonly #trustedOrigins: ReadonlySet<string> | null
  readonly #onStoreError: 'refuse' | 'anonymous'
  readonly #sweeper: Sweeper
  readonly #watches: Watches
  #flashes = 0
  #closing: Promise<void> | null = null

  constructor(options: ManagerOptions<Data>) {
    const { core, transports, trustProxy, trustedOrigins, onStoreError, sweepInterval, watchInterval, limits, shareCrawlers } = options
    super()
    this.core = core
    this.commits = new CommitQueue(core)
    this.toucher = new Toucher(core)
    this.lateChanges = new LateChanges(core)
    this.transports = transports
    this.strangers = new Strangers(limits, core.policy.visit.idle + core.policy.visit.slice, core.events)
    this.crawlers = shareCrawlers ? new Crawlers() : null
    this.#trustProxy = trustProxy
    this.#trustedOrigins = trustedOrigins
    this.#onStoreError = onStoreError
    this.#sweeper = new Sweeper(core, sweepInterval)
    this.#watches = new Watches(core, watchInterval)
    core.store.onEvicted = ({ id, userId, head }) => {
      if (decodeTombstone(head) === null) core.events.emit('ended', { id, userId, reason: 'evicted' })
    }
  }

  async open(request: AnyRequest): Promise<Session<Data>> {
    return this.admit(viewOf(request, this.#trustProxy))
  }

  override get travelsInLinks(): boolean {
    return this.transports.url !== null
  }

  get trustProxy(): boolean {
    return this.#trustProxy
  }

  /** Opens the session whose token a request carries: the record when its secret is good, a new session in every other case. */
  admit(view: RequestView): Maybe<OpenSession<Data>> {
    if (this.#closing !== null)
      throw new SojournError(
        'ERR_SOJOURN_CLOSED',
        'The sessions were closed, and a request came after; stop the server before sessions.close().',
      )
    const { first, others } = this.transports
    let by = first
    let shown = first.read(view)
    // Each is asked, whichever serves: the token in a URL is taken out of it in any case. What came first holds, good or not.
    if (others.length > 0) {
      for (const other of others) {
        const found = other.read(view)
        if (shown !== null || found === null) continue
        by = other
        shown = found
      }
    }
    // Not before: a request that is refused is logged as any other.
    if (this.#trustedOrigins !== null) refuseCrossOrigin(this.core.events, view, this.#trustedOrigins)
    const token = parseToken(shown)
    if (token === null) {
      if (this.crawlers !== null) return this.#admitCrawler(view, by, this.crawlers)
      return shown === null ? new OpenSession(this, view) : this.#none(view, by)
    }
    const { store } = this.core
    let record: Maybe<SessionRecord | null>
    try {
      record = store.get(token.id)
    } catch (cause) {
      return this.#doWithout(view, by, token, cause)
    }
    if (!isPromise(record)) return this.#judge(view, by, token, record)
    return record.then(
      (found) => this.#judge(view, by, token, found),
      (cause: unknown) => this.#doWithout(view, by, token, cause),
    )
  }

  /** What was shown opens nothing. A browser that returns cookies needs no other way; one that came by an old link may. */
  #none(view: RequestView, by: Transport): OpenSession<Data> {
    return new OpenSession(this, view, by === this.transports.url ? null : by)
  }

  /** A request without a token: where it is of a well-known crawler, the session that others of its kind began. */
  #admitCrawler(view: RequestView, by: Transport, crawlers: Crawlers): Maybe<OpenSession<Data>> {
    const key = crawlerOf(view)
    if (key === null) return this.#none(view, by)
    const id = crawlers.idOf(key)
    if (id === undefined) return OpenSession.crawler(this, view, key, null)
    return this.#orWithout(view, by, null, this.#openCrawler(view, key, id))
  }

  *#openCrawler(view: RequestView, key: string, id: SessionId): Routine<OpenSession<Data>> {
    const record = yield* wait(this.core.store.get(id))
    // Nobody showed a secret: what has a user is not for the asking.
    const isOpen = standingOf(record, this.core.clock.now()) === 'live' && record!.userId === null
    return OpenSession.crawler(this, view, key, isOpen ? record : null)
  }

  /** The store can't be read: the request is refused, or goes on without its session, as the application decided. */
  #doWithout(view: RequestView, by: Transport, token: Token | null, cause: unknown): OpenSession<Data> {
    const error = storeError(this.core.store, cause)
    if (this.#onStoreError === 'refuse') throw error
    this.report(error, null)
    return OpenSession.offline(this, view, by, token)
  }

  #judge(view: RequestView, by: Transport, token: Token, record: SessionRecord | null, tries = 1): Maybe<OpenSession<Data>> {
    const { secret } = token
    const now = this.core.clock.now()
    const standing = standingOf(record, now)
    if (record === null) return this.#unknown(view, by, now)
    if (standing === 'gone') return this.#none(view, by)
    if (standing === 'live' && hasOutlived(this.core, record, now)) return this.#none(view, by)
    const hash = hashSecret(secret)
    if (standing === 'tombstone') {
      const left = decodeTombstone(record.head)
      const answers =
        (left?.cause === 'login' || left?.cause === 'logout') &&
        left.hashes.some((good) => sameHash(good, 0, hash)) &&
        this.#leadsBy(view, by, left.via, left.browser)
      if (!answers) return this.#none(view, by)
      unlock(record, secret, hash)
      return OpenSession.moved(this, view, by, record)
    }
    const via = viaOf(record.head)
    const isPlain = via === by.name && via !== 'url'
    if (!isPlain && (via === null || !this.#leadsBy(view, by, via, boundOf(record.head)))) return this.#none(view, by)
    if (showsCurrent(record.head, hash)) {
      if (via === 'either') return this.#orWithout(view, by, token, this.#settle(view, by, token, record, hash, tries))
      return this.#letIn(view, by, token, record, 'current', hash, tries)
    }
    // A URL's secret changes at login alone: an older one is a link of before, and no sign of theft.
    if (by === this.transports.url) return this.#none(view, by)
    const { kind } = this.#verdict(record, secret, hash, now)
    if (kind === 'unknown') return this.#unknown(view, by, now)
    if (kind === 'late') return this.#orWithout(view, by, token, this.#refuse(view, by, token, record, hash))
    return this.#letIn(view, by, token, record, kind, hash, tries)
  }

  /** A token that was never issued, or is long forgotten. */
  #unknown(view: RequestView, by: Transport, now: number): OpenSession<Data> {
    this.strangers.missed(view, now)
    return this.#none(view, by)
  }

  /** The secret is good: the record opens, unless another client shows it than the one of the login. */
  #letIn(
    view: RequestView,
    by: Transport,
    token: Token,
    record: SessionRecord,
    kind: Verdict['kind'],
    hash: string,
    tries: number,
  ): Maybe<OpenSession<Data>> {
    if (!unlock(record, token.secret, hash)) return this.#none(view, by)
    if (!isStrange(this.core.theft, record.head, view)) return OpenSession.live(this, view, by, record, { secret: token.secret, kind })
    return this.#orWithout(view, by, token, this.#suspect(view, by, token, record, kind, hash, tries))
  }

  *#suspect(
    view: RequestView,
    by: Transport,
    token: Token,
    known: SessionRecord,
    kind: Verdict['kind'],
    hash: string,
    tries: number,
  ): Routine<OpenSession<Data>> {
    const record = yield* suspect(this.core, known, view)
    if (record === null) return this.#none(view, by)
    if (record !== 'changed') {
      if (!unlock(record, token.secret, hash)) return this.#none(view, by)
      return OpenSession.live(this, view, by, record, { secret: token.secret, kind })
    }
    if (tries === 20) throw contention(token.id)
    const fresh = yield* readFresh(this.core, token.id)
    return yield* wait(this.#judge(view, by, token, fresh, tries + 1))
  }

  /** Whether a session is reached in the way that a request came. `bound`, for one in URLs: the key and the hint of its browser. */
  #leadsBy(view: RequestView, { name }: Transport, via: Via, bound: string | null): boolean {
    if (via !== name && (via !== 'either' || name === 'header')) return false
    if (name !== 'url') return true
    return bound !== null && bound.slice(keyLength) === browserHint(bound.slice(0, keyLength), view)
  }

  /**
   * A session that was handed out by cookie and URL came back by one of them, and is reached by no other from here on: that stands
   * in the record before anything is served.
   */
  *#settle(view: RequestView, by: Transport, token: Token, known: SessionRecord, hash: string, tried: number): Routine<OpenSession<Data>> {
    const { core } = this
    let record: SessionRecord | null = known
    for (let tries = 1; ; tries++) {
      const head = record === null ? null : decodeHead(record.head)
      // Another request settled it, or ended it: that is judged anew.
      if (record === null || head?.via !== 'either') return yield* wait(this.#judge(view, by, token, record, tried))
      // Not a use: the times stay as they are.
      const next = revised(record, { version: record.version + versionStep(), head: encodeHead(settled(head, by.name)) }, core.clock.now())
      if (yield* land(core, next, record.version)) return yield* wait(this.#letIn(view, by, token, next, 'current', hash, tried))
      if (tries === 50) throw contention(token.id)
      record = yield* readFresh(core, token.id)
      if (standingOf(record, core.clock.now()) === 'gone') record = null
    }
  }

  #verdict(record: SessionRecord, secret: string, hash: string, now: number): ReturnType<typeof judge> {
    const head = decodeHead(record.head)
    if (head === null) return { kind: 'unknown' }
    return judge(
      head.renewal,
      (stored) => sameHash(stored, 0, hash),
      () => wasIssued(head.key, secret),
      now,
      this.core.policy,
    )
  }

  /** Writes what a request's token calls for before it is let in; where the store fails, the request is refused or goes on without. */
  #orWithout(view: RequestView, by: Transport, token: Token | null, work: Routine<OpenSession<Data>>): Maybe<OpenSession<Data>> {
    try {
      const opened = run(work)
      return isPromise(opened) ? opened.catch((cause: unknown) => this.#doWithout(view, by, token, cause)) : opened
    } catch (cause) {
      return this.#doWithout(view, by, token, cause)
    }
  }

  /** A secret that was good once and is past its grace: refused, marked in the record, and, shown again later, the session's end. */
  *#refuse(view: RequestView, by: Transport, token: Token, known: SessionRecord, hash: string): Routine<OpenSession<Data>> {
    const { core } = this
    const { secret } = token
    let record: SessionRecord | null = known
    for (let tries = 1; ; tries++) {
      const now = core.clock.now()
      if (record === null || standingOf(record, now) !== 'live') return this.#none(view, by)
      const { id, userId }: SessionRecord = record
      const verdict = this.#verdict(record, secret, hash, now)
      if (verdict.kind === 'unknown') return this.#none(view, by)
      if (verdict.kind !== 'late') return yield* wait(this.#letIn(view, by, token, record, verdict.kind, hash, tries))
      if (verdict.theft) {
        const { ended }: { ended: boolean } = yield* end(core, id, 'reuse', record)
        if (ended) core.events.emit('suspected', { id, userId, reason: 'reuse' })
        return this.#none(view, by)
      }
      // Marked already: told once a grace.
      if (verdict.next === null) return OpenSession.late(this, view, by, record)
      const head = encodeHead({ ...decodeHead(record.head)!, renewal: verdict.next })
      // Not a use: the times stay as they are.
      const marked: SessionRecord = revised(record, { version: record.version + versionStep(), head }, now)
      const landed: boolean = yield* land(core, marked, record.version)
      if (landed) {
        core.events.emit('suspected', { id, userId, reason: 'late' })
        return OpenSession.late(this, view, by, record)
      }
      if (tries === 20) return OpenSession.late(this, view, by, record)
      record = yield* readFresh(core, id)
    }
  }

  listByUser(userId: string): AsyncIterable<SessionInfo> {
    checkUserId(userId, 'listByUser')
    return this.#list(userId)
  }

  async *#list(userId: string): AsyncGenerator<SessionInfo> {
    for await (const record of listRecords(this.core, userId)) {
      const now = this.core.clock.now()
      if (standingOf(record, now) !== 'live' || hasOutlived(this.core, record, now)) continue
      yield infoOf(record)
    }
  }

  async end(id: SessionId): Promise<boolean> {
    if (!isSessionId(id)) return false
    return (await run(end(this.core, id, 'ended'))).ended
  }

  async endUser(userId: string, { except }: { readonly except?: SessionId | null | undefined } = {}): Promise<number> {
    checkUserId(userId, 'endUser')
    return await endUser(this.core, userId, except ?? null, (id) => this.end(id))
  }

  async endAll({ except }: { readonly except?: SessionId | null | undefined } = {}): Promise<number> {
    return await endAll(this.core, except ?? null, (id) => this.end(id))
  }

  async setAside(id: SessionId): Promise<string | null> {
    if (!isSessionId(id)) return null
    const record = await run(readFresh(this.core, id))
    if (record === null || standingOf(record, this.core.clock.now()) !== 'live') return null
    if (isLocked(record)) {
      throw new SojournError(
        'ERR_SOJOURN_OPTION',
        `What was set aside of session ${id} can't be read without its client's cookie, since encryption.bind is 'client'; mend the schema or \`migrate\`, and the client's next request reads it.`,
      )
    }
    return this.core.format.asideOf(record.data)
  }

  sweep(): Promise<number> {
    return this.#sweeper.sweep()
  }

  on<Name extends EventName>(name: Name, listener: (event: SessionEvents[Name]) => void): () => void {
    return this.core.events.on(name, listener)
  }

  /** Tells of a failure that no caller is there to be told of. */
  report(error: unknown, id: SessionId | null): void {
    this.core.events.emit('error', { error: storeError(this.core.store, error), id })
  }

  watch(id: SessionId, listener: WatchListener): () => void {
    if (isSessionId(id)) return this.#watches.add(id, listener)
    throw new SojournError(
      'ERR_SOJOURN_OPTION',
      `watch() needs a session's ID, and was given ${id === null ? 'null, which is that of a visitor of whom nothing is stored' : 'something else'}; refuse the socket of who has no session.`,
    )
  }

  /** The headers that a response must carry for a session that was committed. */
  headers(session: OpenSession<Data>): Header[] {
    const { forgotten } = session
    const headers = this.#ownHeaders(session)
    if (forgotten.length > 0) headers.push(['Clear-Site-Data', formatSiteData(forgotten)])
    return headers
  }

  #ownHeaders(session: OpenSession<Data>): Header[] {
    const { owed, view } = session
    if (owed === null && !view.boreToken) return session.wasRead ? [['Cache-Control', 'private']] : []
    const headers: Header[] = [['Cache-Control', 'no-store']]
    if (view.boreToken) headers.push(this.transports.url!.issue(view, '', null))
    if (owed === null) return headers
    for (const transport of this.transports.of(session.via)) {
      if (view.boreToken && transport === this.transports.url) continue
      const header = owed === 'clear' ? transport.clear(view) : transport.issue(view, owed.token, owed.maxAge)
      if (header !== null) headers.push(header)
    }
    return headers
  }

  /** A key for a flash message: later ones sort behind, and no two are the same. */
  flashKey(): string {
    this.#flashes = (this.#flashes + 1) % 36 ** 4
    const time = this.core.clock.now().toString(36).padStart(9, '0')
    return time + this.#flashes.toString(36).padStart(4, '0') + randomBytes(3).toString('base64url')
  }

  close(): Promise<void> {
    return (this.#closing ??= this.#close())
  }

  async #close(): Promise<void> {
    this.#watches.close()
    await this.#sweeper.close()
    await this.commits.settled()
    this.lateChanges.look()
    await this.toucher.flush()
    await this.core.store.close()
  }
}
