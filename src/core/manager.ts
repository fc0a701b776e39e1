import { CommitQueue } from './commit.ts'
import { checkUserId, type DataCore, infoOf, land, listRecords, readFresh, storeError } from './core.ts'
import { Crawlers, crawlerOf } from './crawlers.ts'
import { contention, end, endUser, standingOf } from './ending.ts'
import { SojournError } from './errors.ts'
import type { EventName, SessionEvents } from './events.ts'
import { decodeHead, decodeTombstone, encodeHead, showsCurrent } from './head.ts'
import { LateChanges } from './late-changes.ts'
import { Strangers, type StrangerLimits } from './limits.ts'
import { OpenSession } from './open-session.ts'
import { judge, type Verdict } from './renewal.ts'
import { type AnyRequest, type RequestView, viewOf } from './request.ts'
import { isPromise, type Routine, run, wait } from './routine.ts'
import type { Session, SessionInfo } from './session.ts'
import type { Maybe, SessionRecord } from './store.ts'
import { Sweeper } from './sweeper.ts'
import { isStrange, suspect } from './theft.ts'
import { hashSecret, isSessionId, parseToken, randomBytes, sameHash, type SessionId, type Token, versionStep, wasIssued } from './token.ts'
import { Toucher } from './touch.ts'
import type { Header, Transport } from './transport.ts'

/** All sessions of an application. */
export interface Sessions<Data extends object> {
  /** Opens the session of a request: Node's own, a Fetch `Request`, or its `Headers` alone. There always is one. @throws ERR_SOJOURN_STORE */
  open(request: AnyRequest): Promise<Session<Data>>
  /** The session that an adapter opened for this request. @throws ERR_SOJOURN_NO_SESSION when none did */
  of(request: object): Session<Data>
  /** The live sessions of one user. */
  listByUser(userId: string): AsyncIterable<SessionInfo>
  /** Ends a session. @returns whether there was one to end */
  end(id: SessionId): Promise<boolean>
  /** Ends all sessions of a user but the one named. @returns how many */
  endUser(userId: string, options?: { readonly except?: SessionId | null | undefined }): Promise<number>
  /** Stored data of a session that no release of the application could read so far, as it was found; null when there are none. */
  setAside(id: SessionId): Promise<string | null>
  /** Removes what has expired, now; it happens by itself as well. @returns how many records went */
  sweep(): Promise<number>
  /** Listens. Returns a function that stops listening. */
  on<Name extends EventName>(name: Name, listener: (event: SessionEvents[Name]) => void): () => void
  /** Finishes what is on its way, notes the last uses, ends the store. */
  close(): Promise<void>
}

export interface ManagerOptions<Data extends object> {
  readonly core: DataCore<Data>
  readonly transport: Transport
  readonly trustProxy: boolean
  readonly onStoreError: 'refuse' | 'anonymous'
  readonly sweepInterval: number
  readonly limits: StrangerLimits
  readonly shareCrawlers: boolean
}

/** The manager behind an application's sessions, for adapters. @throws ERR_SOJOURN_OPTION for anything else */
export function managerOf<Data extends object>(sessions: Sessions<Data>): Manager<Data> {
  if (sessions instanceof Manager) return sessions
  throw new SojournError(
    'ERR_SOJOURN_OPTION',
    'An adapter needs what createSessions() returned, of the same copy of the package sojourn; it was given something else.',
  )
}

/** Brings requests and records together. */
export class Manager<Data extends object> implements Sessions<Data> {
  readonly core: DataCore<Data>
  readonly commits: CommitQueue<Data>
  readonly toucher: Toucher
  readonly lateChanges: LateChanges
  readonly strangers: Strangers
  /** Null where each crawler's request has a session of its own. */
  readonly crawlers: Crawlers | null
  readonly #transport: Transport
  readonly #trustProxy: boolean
  readonly #onStoreError: 'refuse' | 'anonymous'
  readonly #sweeper: Sweeper
  readonly #opened = new WeakMap<object, OpenSession<Data>>()
  #flashes = 0
  #closing: Promise<void> | null = null

  constructor({ core, transport, trustProxy, onStoreError, sweepInterval, limits, shareCrawlers }: ManagerOptions<Data>) {
    this.core = core
    this.commits = new CommitQueue(core)
    this.toucher = new Toucher(core)
    this.lateChanges = new LateChanges(core)
    this.strangers = new Strangers(limits, core.policy.visit.idle + core.policy.visit.slice, core.events)
    this.crawlers = shareCrawlers ? new Crawlers() : null
    this.#transport = transport
    this.#trustProxy = trustProxy
    this.#onStoreError = onStoreError
    this.#sweeper = new Sweeper(core, sweepInterval)
    core.store.onEvicted = ({ id, userId, head }) => {
      if (decodeTombstone(head) === null) core.events.emit('ended', { id, userId, reason: 'evicted' })
    }
  }

  async open(request: AnyRequest): Promise<Session<Data>> {
    return this.admit(viewOf(request, this.#trustProxy))
  }

  of(request: object): Session<Data> {
    const session = this.#opened.get(request)
    if (session !== undefined) return session
    throw new SojournError(
      'ERR_SOJOURN_NO_SESSION',
      'No session was opened for this request; put the adapter (such as `app.use(session(sessions))`) before the handlers that use it.',
    )
  }

  /** The session of a request that an adapter brings, opened once: at once on a store that answers at once. */
  openFor(request: object, view: () => RequestView): Maybe<OpenSession<Data>> {
    const known = this.#opened.get(request)
    if (known !== undefined) return known
    const opened = this.admit(view())
    if (isPromise(opened)) return opened.then((session) => this.#keep(request, session))
    return this.#keep(request, opened)
  }

  #keep(request: object, session: OpenSession<Data>): OpenSession<Data> {
    this.#opened.set(request, session)
    return session
  }

  has(request: object): boolean {
    return this.#opened.has(request)
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
    const token = parseToken(this.#transport.read(view))
    if (token === null) return this.crawlers === null ? new OpenSession(this, view) : this.#admitCrawler(view, this.crawlers)
    const { store } = this.core
    let record: Maybe<SessionRecord | null>
    try {
      record = store.get(token.id)
    } catch (cause) {
      return this.#doWithout(view, cause)
    }
    if (!isPromise(record)) return this.#judge(view, token, record)
    return record.then(
      (found) => this.#judge(view, token, found),
      (cause: unknown) => this.#doWithout(view, cause),
    )
  }

  /** A request without a token: where it is of a well-known crawler, the session that others of its kind began. */
  #admitCrawler(view: RequestView, crawlers: Crawlers): Maybe<OpenSession<Data>> {
    const key = crawlerOf(view)
    if (key === null) return new OpenSession(this, view)
    const id = crawlers.idOf(key)
    if (id === undefined) return OpenSession.crawler(this, view, key, null)
    return this.#settleOr(view, () => this.#openCrawler(view, key, id))
  }

  *#openCrawler(view: RequestView, key: string, id: SessionId): Routine<OpenSession<Data>> {
    const record = yield* wait(this.core.store.get(id))
    // Nobody showed a secret: what has a user is not for the asking.
    const isOpen = standingOf(record, this.core.clock.now()) === 'live' && record!.userId === null
    return OpenSession.crawler(this, view, key, isOpen ? record : null)
  }

  /** The store can't be read: the request is refused, or goes on without its session, as the application decided. */
  #doWithout(view: RequestView, cause: unknown): OpenSession<Data> {
    const error = storeError(this.core.store, cause)
    if (this.#onStoreError === 'refuse') throw error
    this.report(error, null)
    return new OpenSession(this, view, 'offline')
  }

  #judge(view: RequestView, token: Token, record: SessionRecord | null, tries = 1): Maybe<OpenSession<Data>> {
    const now = this.core.clock.now()
    const standing = standingOf(record, now)
    if (record === null) return this.#unknown(view, now)
    if (standing === 'gone') return new OpenSession(this, view)
    const { secret } = token
    const hash = hashSecret(secret)
    if (showsCurrent(record.head, hash)) return this.#letIn(view, token, record, 'current', tries)
    if (standing === 'tombstone') {
      const left = decodeTombstone(record.head)
      const answers = (left?.cause === 'login' || left?.cause === 'logout') && left.hashes.some((good) => sameHash(good, 0, hash))
      return answers ? OpenSession.moved(this, view, record) : new OpenSession(this, view)
    }
    const { kind } = this.#verdict(record, secret, hash, now)
    if (kind === 'unknown') return this.#unknown(view, now)
    if (kind === 'late') return this.#settleOr(view, () => this.#refuse(view, token, record, hash))
    return this.#letIn(view, token, record, kind, tries)
  }

  /** A token that was never issued, or is long forgotten. */
  #unknown(view: RequestView, now: number): OpenSession<Data> {
    this.strangers.missed(view, now)
    return new OpenSession(this, view)
  }

  /** The secret is good: the record opens, unless another client shows it than the one of the login. */
  #letIn(view: RequestView, token: Token, record: SessionRecord, kind: Verdict['kind'], tries: number): Maybe<OpenSession<Data>> {
    if (!isStrange(this.core.theft, record.head, view)) return OpenSession.live(this, view, record, { secret: token.secret, kind })
    return this.#settleOr(view, () => this.#suspect(view, token, record, kind, tries))
  }

  *#suspect(view: RequestView, token: Token, known: SessionRecord, kind: Verdict['kind'], tries: number): Routine<OpenSession<Data>> {
    const record = yield* suspect(this.core, known, view)
    if (record === null) return new OpenSession(this, view)
    if (record !== 'changed') return OpenSession.live(this, view, record, { secret: token.secret, kind })
    if (tries === 20) throw contention(token.id)
    const fresh = yield* readFresh(this.core, token.id)
    return yield* wait(this.#judge(view, token, fresh, tries + 1))
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
  #settleOr(view: RequestView, settle: () => Routine<OpenSession<Data>>): Maybe<OpenSession<Data>> {
    try {
      const settled = run(settle())
      return isPromise(settled) ? settled.catch((cause: unknown) => this.#doWithout(view, cause)) : settled
    } catch (cause) {
      return this.#doWithout(view, cause)
    }
  }

  /** A secret that was good once and is past its grace: refused, marked in the record, and, shown again later, the session's end. */
  *#refuse(view: RequestView, token: Token, known: SessionRecord, hash: string): Routine<OpenSession<Data>> {
    const { core } = this
    let record: SessionRecord | null = known
    for (let tries = 1; ; tries++) {
      const now = core.clock.now()
      if (record === null || standingOf(record, now) !== 'live') return new OpenSession(this, view)
      const { id, userId }: SessionRecord = record
      const verdict = this.#verdict(record, token.secret, hash, now)
      if (verdict.kind === 'unknown') return new OpenSession(this, view)
      if (verdict.kind !== 'late') return yield* wait(this.#letIn(view, token, record, verdict.kind, tries))
      if (verdict.theft) {
        const { ended }: { ended: boolean } = yield* end(core, id, 'reuse', record)
        if (ended) core.events.emit('suspected', { id, userId, reason: 'reuse' })
        return new OpenSession(this, view)
      }
      // Marked already: told once a grace.
      if (verdict.next === null) return OpenSession.late(this, view, record)
      const head = encodeHead({ ...decodeHead(record.head)!, renewal: verdict.next })
      // Not a use: the times stay as they are.
      const marked: SessionRecord = { ...record, version: record.version + versionStep(), head }
      const landed: boolean = yield* land(core, marked, record.version)
      if (landed) {
        core.events.emit('suspected', { id, userId, reason: 'late' })
        return OpenSession.late(this, view, record)
      }
      if (tries === 20) return OpenSession.late(this, view, record)
      record = yield* readFresh(core, id)
    }
  }

  listByUser(userId: string): AsyncIterable<SessionInfo> {
    checkUserId(userId, 'listByUser')
    return this.#list(userId)
  }

  async *#list(userId: string): AsyncGenerator<SessionInfo> {
    for await (const record of listRecords(this.core, userId)) {
      if (standingOf(record, this.core.clock.now()) !== 'live') continue
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

  async setAside(id: SessionId): Promise<string | null> {
    if (!isSessionId(id)) return null
    const record = await run(readFresh(this.core, id))
    if (record === null || standingOf(record, this.core.clock.now()) !== 'live') return null
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

  /** The headers that a response must carry for a session that was committed. */
  headers(session: OpenSession<Data>): Header[] {
    const { owed, view } = session
    if (owed === null) return session.wasRead ? [['Cache-Control', 'private']] : []
    const header = owed === 'clear' ? this.#transport.clear(view) : this.#transport.issue(view, owed.token, owed.maxAge)
    return [header, ['Cache-Control', 'no-store']]
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
    await this.#sweeper.close()
    await this.commits.settled()
    this.lateChanges.look()
    await this.toucher.flush()
    await this.core.store.close()
  }
}
