import { Admission, type AdmissionOptions } from './admission.ts'
import { CommitQueue } from './commit.ts'
import { checkUserId, type DataCore, infoOf, listRecords, readFresh, storeError } from './core.ts'
import { Crawlers } from './crawlers.ts'
import { end, endAll, endUser, isLive } from './ending.ts'
import { SojournError } from './errors.ts'
import type { EventName, SessionEvents } from './events.ts'
import { decodeTombstone } from './head.ts'
import { LateChanges } from './late-changes.ts'
import { Strangers, type StrangerLimits } from './limits.ts'
import type { OpenSession } from './open-session.ts'
import { Opener } from './opener.ts'
import { isLocked } from './record.ts'
import { type AnyRequest, type RequestView, viewOf } from './request.ts'
import { run } from './routine.ts'
import type { Session, SessionInfo } from './session.ts'
import type { Sessions } from './sessions.ts'
import type { Maybe } from './store.ts'
import { Sweeper } from './sweeper.ts'
import { isSessionId, randomBytes, type SessionId } from './token.ts'
import { Toucher } from './touch.ts'
import type { Transports } from './transports.ts'
import { Watches, type WatchListener } from './watches.ts'

export interface ManagerOptions<Data extends object> extends AdmissionOptions {
  readonly core: DataCore<Data>
  readonly transports: Transports
  readonly trustProxy: boolean
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
  readonly #admission: Admission<Data>
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
    this.#admission = new Admission(this, { trustedOrigins, onStoreError })
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

  override hideToken(view: RequestView): void {
    this.transports.url?.read(view)
  }

  get trustProxy(): boolean {
    return this.#trustProxy
  }

  admit(view: RequestView): Maybe<OpenSession<Data>> {
    if (this.#closing !== null) {
      this.hideToken(view) // All the same: this request is logged, too.
      throw new SojournError(
        'ERR_SOJOURN_CLOSED',
        'The sessions were closed, and a request came after; stop the server before sessions.close().',
      )
    }
    return this.#admission.admit(view)
  }

  listByUser(userId: string): AsyncIterable<SessionInfo> {
    checkUserId(userId, 'listByUser')
    return this.#list(userId)
  }

  async *#list(userId: string): AsyncGenerator<SessionInfo> {
    for await (const record of listRecords(this.core, userId)) {
      if (isLive(this.core, record)) yield infoOf(record)
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
    if (record === null || !isLive(this.core, record)) return null
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
