import { browserHint } from './client-hint.ts'
import { hasOutlived, land, readFresh, storeError } from './core.ts'
import { type Crawlers, crawlerLifetime, crawlerOf } from './crawlers.ts'
import { refuseCrossOrigin } from './cross-origin.ts'
import { contention, end, standingOf } from './ending.ts'
import { boundOf, decodeHead, decodeTombstone, encodeHead, keyLength, settled, showsCurrent, type Via, viaOf } from './head.ts'
import type { Manager } from './manager.ts'
import { OpenSession } from './open-session.ts'
import { revised, unlock } from './record.ts'
import { judge, type Verdict } from './renewal.ts'
import type { RequestView } from './request.ts'
import { isPromise, type Routine, run, wait } from './routine.ts'
import type { Maybe, SessionRecord } from './store.ts'
import { isStrange, suspect } from './theft.ts'
import { hashSecret, parseToken, sameHash, type SessionId, type Token, versionStep, wasIssued } from './token.ts'
import type { Transport } from './transport.ts'

export interface AdmissionOptions {
  /** The other origins that may send unsafe requests; null: all may. */
  readonly trustedOrigins: ReadonlySet<string> | null
  readonly onStoreError: 'refuse' | 'anonymous'
}

/** A request with a token for which a record was found. */
interface Attempt {
  readonly view: RequestView
  readonly by: Transport
  readonly token: Token
  /** How often its record was looked at, since others write to it meanwhile. */
  readonly tries: number
}

/** Decides which session a request gets: the record when its secret is good, a new one in every other case. */
export class Admission<Data extends object> {
  readonly #manager: Manager<Data>
  readonly #options: AdmissionOptions

  constructor(manager: Manager<Data>, options: AdmissionOptions) {
    this.#manager = manager
    this.#options = options
  }

  admit(view: RequestView): Maybe<OpenSession<Data>> {
    const { transports, crawlers, core } = this.#manager
    const { first, others } = transports
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
    if (this.#options.trustedOrigins !== null) refuseCrossOrigin(core.events, view, this.#options.trustedOrigins)
    const token = parseToken(shown)
    if (token === null) {
      if (crawlers !== null) return this.#admitCrawler(view, by, crawlers)
      return shown === null ? new OpenSession(this.#manager, view) : this.#none(view, by)
    }
    let record: Maybe<SessionRecord | null>
    try {
      record = core.store.get(token.id)
    } catch (cause) {
      return this.#doWithout(view, by, token, cause)
    }
    const mayBeOld = core.store.caches === true
    if (!isPromise(record)) return this.#judge(view, by, token, record, 1, mayBeOld)
    return record.then(
      (found) => this.#judge(view, by, token, found, 1, mayBeOld),
      (cause: unknown) => this.#doWithout(view, by, token, cause),
    )
  }

  /** What was shown opens nothing. A browser that returns cookies needs no other way; one that came by an old link may. */
  #none(view: RequestView, by: Transport): OpenSession<Data> {
    return new OpenSession(this.#manager, view, by === this.#manager.transports.url ? null : by)
  }

  /** A token that was never issued, or is long forgotten. */
  #unknown(view: RequestView, by: Transport, now: number): OpenSession<Data> {
    this.#manager.strangers.missed(view, now)
    return this.#none(view, by)
  }

  /** The store can't be read: the request is refused, or goes on without its session, as the application decided. */
  #doWithout(view: RequestView, by: Transport, token: Token | null, cause: unknown): OpenSession<Data> {
    const error = storeError(this.#manager.core.store, cause)
    // What the application's own function failed at is no matter of the store's.
    if (this.#options.onStoreError === 'refuse' || error.code === 'ERR_SOJOURN_CALLBACK') throw error
    this.#manager.report(error, null)
    return OpenSession.offline(this.#manager, view, by, token)
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

  /** A request without a token: where it is of a well-known crawler, the session that others of its kind began. */
  #admitCrawler(view: RequestView, by: Transport, crawlers: Crawlers): Maybe<OpenSession<Data>> {
    const key = crawlerOf(view)
    if (key === null) return this.#none(view, by)
    const id = crawlers.idOf(key)
    if (id === undefined) return OpenSession.crawler(this.#manager, view, key, null)
    return this.#orWithout(view, by, null, this.#openCrawler(view, key, id))
  }

  *#openCrawler(view: RequestView, key: string, id: SessionId): Routine<OpenSession<Data>> {
    const { core } = this.#manager
    let record = yield* wait(core.store.get(id))
    // Nobody showed a secret: what has a user is not for the asking. And its minute is counted from its beginning, whoever wrote to it since.
    const isOpen = (): boolean => {
      const now = core.clock.now()
      return standingOf(record, now) === 'live' && record!.userId === null && now < record!.createdAt + crawlerLifetime
    }
    if (core.store.caches === true && record !== null && !isOpen()) record = yield* readFresh(core, id)
    return OpenSession.crawler(this.#manager, view, key, isOpen() ? record : null)
  }

  /** A cached record opens nothing to this token; it is old, perhaps: what the store has now decides. */
  *#lookAgain(view: RequestView, by: Transport, token: Token): Routine<OpenSession<Data>> {
    return yield* wait(this.#judge(view, by, token, yield* readFresh(this.#manager.core, token.id)))
  }

  /** @param mayBeOld a cache answered, perhaps: then it opens what it opens, and refuses nothing. That nothing is there, no cache says */
  #judge(
    view: RequestView,
    by: Transport,
    token: Token,
    record: SessionRecord | null,
    tries = 1,
    mayBeOld = false,
  ): Maybe<OpenSession<Data>> {
    const { core, transports } = this.#manager
    const now = core.clock.now()
    const standing = standingOf(record, now)
    const isLive = standing === 'live' && !hasOutlived(core, record!, now)
    if (mayBeOld && record !== null && !isLive) return this.#orWithout(view, by, token, this.#lookAgain(view, by, token))
    if (record === null) return this.#unknown(view, by, now)
    if (standing !== 'tombstone' && !isLive) return this.#none(view, by)
    const attempt = { view, by, token, tries }
    if (standing === 'tombstone') return this.#answerAfterEnd(attempt, record)
    const via = viaOf(record.head)
    const isPlain = via === by.name && via !== 'url'
    const leads = isPlain || (via !== null && leadsBy(view, by, via, boundOf(record.head)))
    // With encryption a secret may open what the keys alone don't (`bind: 'client'`): it is not kept beyond the request.
    const showsIt = leads && showsCurrent(record.head, token.secret, core.sealing === null)
    if (mayBeOld && !showsIt && !(leads && this.#wasGood(attempt, record, now)))
      return this.#orWithout(view, by, token, this.#lookAgain(view, by, token))
    if (!leads) return this.#none(view, by)
    if (showsIt) {
      if (via === 'either') return this.#orWithout(view, by, token, this.#settle(attempt, record))
      return this.#letIn(attempt, record, 'current')
    }
    // A URL's secret changes at login alone: an older one is a link of before, and no sign of theft.
    if (by === transports.url) return this.#none(view, by)
    const { kind } = this.#verdict(attempt, record, now)
    if (kind === 'unknown') return this.#unknown(view, by, now)
    if (kind === 'late') return this.#orWithout(view, by, token, this.#refuse(attempt, record))
    return this.#letIn(attempt, record, kind)
  }

  /** Whether a live record opens to this secret, which is not its current one, whatever else is to be done. */
  #wasGood(attempt: Attempt, record: SessionRecord, now: number): boolean {
    if (attempt.by === this.#manager.transports.url) return false
    const { kind } = this.#verdict(attempt, record, now)
    return kind !== 'unknown' && kind !== 'late'
  }

  /** The tombstone of a login or logout answers to the secrets that were good. */
  #answerAfterEnd({ view, by, token }: Attempt, tombstone: SessionRecord): OpenSession<Data> {
    const left = decodeTombstone(tombstone.head)
    const hash = hashSecret(token.secret)
    const answers =
      (left?.cause === 'login' || left?.cause === 'logout') &&
      left.hashes.some((good) => sameHash(good, 0, hash)) &&
      leadsBy(view, by, left.via, left.browser)
    if (!answers) return this.#none(view, by)
    unlock(tombstone, token.secret)
    return OpenSession.moved(this.#manager, view, by, tombstone)
  }

  /** The secret is good: the record opens, unless another client shows it than the one of the login. */
  #letIn(attempt: Attempt, record: SessionRecord, kind: Verdict['kind']): Maybe<OpenSession<Data>> {
    const { view, by, token } = attempt
    if (isStrange(this.#manager.core.theft, record.head, view))
      return this.#orWithout(view, by, token, this.#suspect(attempt, record, kind))
    return this.#open(attempt, record, kind)
  }

  #open({ view, by, token }: Attempt, record: SessionRecord, kind: Verdict['kind']): OpenSession<Data> {
    if (!unlock(record, token.secret)) return this.#none(view, by)
    return OpenSession.live(this.#manager, view, by, record, { secret: token.secret, kind })
  }

  *#suspect(attempt: Attempt, known: SessionRecord, kind: Verdict['kind']): Routine<OpenSession<Data>> {
    const { view, by, token, tries } = attempt
    const { core } = this.#manager
    if (!unlock(known, token.secret)) return this.#none(view, by)
    const record = yield* suspect(core, known, view)
    if (record === null) return this.#none(view, by)
    if (record !== 'changed') return this.#open(attempt, record, kind)
    if (tries === 20) throw contention(token.id)
    const fresh = yield* readFresh(core, token.id)
    return yield* wait(this.#judge(view, by, token, fresh, tries + 1))
  }

  /**
   * A session that was handed out by cookie and URL came back by one of them, and is reached by no other from here on: that stands
   * in the record before anything is served.
   */
  *#settle(attempt: Attempt, known: SessionRecord): Routine<OpenSession<Data>> {
    const { view, by, token } = attempt
    const { core } = this.#manager
    let record: SessionRecord | null = known
    for (let tries = 1; ; tries++) {
      const head = record === null ? null : decodeHead(record.head)
      // Another request settled it, or ended it: that is judged anew.
      if (record === null || head?.via !== 'either') return yield* wait(this.#judge(view, by, token, record, attempt.tries))
      // Not a use: the times stay as they are.
      const next = revised(record, { version: record.version + versionStep(), head: encodeHead(settled(head, by.name)) }, core.clock.now())
      if (yield* land(core, next, record.version)) return yield* wait(this.#letIn(attempt, next, 'current'))
      if (tries === 50) throw contention(token.id)
      record = yield* readFresh(core, token.id)
      if (standingOf(record, core.clock.now()) === 'gone') record = null
    }
  }

  #verdict({ token }: Attempt, record: SessionRecord, now: number): Verdict {
    const head = decodeHead(record.head)
    if (head === null) return { kind: 'unknown' }
    const hash = hashSecret(token.secret)
    return judge(
      head.renewal,
      (stored) => sameHash(stored, 0, hash),
      () => wasIssued(head.key, token.secret),
      now,
      this.#manager.core.policy,
    )
  }

  /** A secret that was good once and is past its grace: refused, marked in the record, and, shown again later, the session's end. */
  *#refuse(attempt: Attempt, known: SessionRecord): Routine<OpenSession<Data>> {
    const { view, by } = attempt
    const { core } = this.#manager
    let record: SessionRecord | null = known
    for (let tries = 1; ; tries++) {
      const now = core.clock.now()
      if (record === null || standingOf(record, now) !== 'live') return this.#none(view, by)
      const { id, userId }: SessionRecord = record
      const verdict = this.#verdict(attempt, record, now)
      if (verdict.kind === 'unknown') return this.#none(view, by)
      if (verdict.kind !== 'late') return yield* wait(this.#letIn(attempt, record, verdict.kind))
      if (verdict.theft) {
        const { ended }: { ended: boolean } = yield* end(core, id, 'reuse', record)
        if (ended) core.events.emit('suspected', { id, userId, reason: 'reuse' })
        return this.#none(view, by)
      }
      // Marked already: told once a grace.
      if (verdict.next === null) return OpenSession.late(this.#manager, view, by, record)
      const head = encodeHead({ ...decodeHead(record.head)!, renewal: verdict.next })
      // Not a use: the times stay as they are.
      const marked: SessionRecord = revised(record, { version: record.version + versionStep(), head }, now)
      const landed: boolean = yield* land(core, marked, record.version)
      if (landed) core.events.emit('suspected', { id, userId, reason: 'late' })
      if (landed || tries === 20) return OpenSession.late(this.#manager, view, by, record)
      record = yield* readFresh(core, id)
    }
  }
}

/** Whether a session is reached in the way that a request came. `bound`, for one in URLs: the key and the hint of its browser. */
function leadsBy(view: RequestView, { name }: Transport, via: Via, bound: string | null): boolean {
  if (via !== name && (via !== 'either' || name === 'header')) return false
  if (name !== 'url') return true
  return bound !== null && bound.slice(keyLength) === browserHint(bound.slice(0, keyLength), view)
}
