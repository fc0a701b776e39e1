import { mergeContent } from './adopt.ts'
import type { Client } from './client.ts'
import { readContent, type Rework } from './compose.ts'
import type { Content } from './content.ts'
import { type Core, type DataCore, insert, land, limitsOf, readFresh, storeError } from './core.ts'
import { contention, goneError, movedError, standingOf, tombstoneOver } from './ending.ts'
import { SojournError } from './errors.ts'
import { decodeTombstone, encodeHead, newHead } from './head.ts'
import { endOldest, refuseOneTooMany } from './max-per-user.ts'
import { expiry } from './policy.ts'
import { isLocked, likewise, moved, revised } from './record.ts'
import { type Routine, wait } from './routine.ts'
import type { LoginOptions } from './session.ts'
import type { SessionRecord } from './store.ts'
import { hashSecret, mintId, mintKey, mintSecret, type Secret, type SessionId, versionStep } from './token.ts'

/** A record that was stored for the first time, and the secret for its client. */
export interface Issued {
  readonly record: SessionRecord
  readonly secret: Secret
}

/** All of which a new session's token is made. */
export interface Slip {
  readonly id: SessionId
  readonly key: string
  readonly secret: Secret
}

export function slip(): Slip {
  const key = mintKey()
  return { id: mintId(), key, secret: mintSecret(key) }
}

/** What a new session is to be. */
interface NewSession {
  readonly userId: string | null
  readonly client: Client
  readonly remembered: boolean
  readonly assurance?: number | undefined
  /** How long it lives at most, in ms, where that is shorter than what the timeouts say. */
  readonly lifetime?: number | undefined
  /** The token that links on the page have got already, if they have. */
  readonly slip?: Slip | null
}

/** Stores a new session. */
export function* create<Data extends object>(
  core: DataCore<Data>,
  data: string,
  { userId, client, remembered, assurance = 1, lifetime = Infinity, slip: given = null }: NewSession,
): Routine<Issued> {
  const { id: first, key, secret } = given ?? slip()
  const now = core.clock.now()
  const { device, via } = client
  const told = { via, browser: client.browser?.(key) ?? null, assurance, seen: client.seen(key) }
  // A device that is to be sealed stands in no head.
  const inHead = core.sealing === null ? device : null
  const head = encodeHead(newHead(key, hashSecret(secret), now, inHead, remembered, client.hint(key), told))
  const expiresAt = Math.min(expiry(now, now, limitsOf(core.policy, head)), now + lifetime)
  const sealed = core.sealing?.begin({ userId, device, secret, data })
  let next = first
  const make = (): SessionRecord => {
    const id = next
    next = mintId()
    const fields = { id, version: versionStep(), createdAt: now, lastSeenAt: now, expiresAt, head }
    return sealed === undefined ? { ...fields, userId, data } : sealed(fields)
  }
  return { record: yield* insert(core, make, given !== null), secret }
}

/** What a request brings to a login. */
export interface LoginSource<Data extends object> {
  /** The record that it opened: live, or the tombstone of a login; null for a new visitor. */
  readonly record: SessionRecord | null
  /** The data that it started from, as text; null where it started from the initial data. */
  readonly baseText: () => string | null
  readonly base: () => Content<Data>
  /** What it made of them. */
  readonly mine: Content<Data>
  readonly client: Client
}

/**
 * Logs a user in: inserts a new record with the data that come along, then puts a tombstone over the old one. The old one may
 * change meanwhile (then its newest data are merged again, into the new record, which nobody knows yet), or go.
 */
export function* login<Data extends object>(
  core: DataCore<Data>,
  userId: string,
  options: LoginOptions<Data>,
  source: LoginSource<Data>,
): Routine<Issued & { rework: Rework<Data> }> {
  let opened = source.record
  // What is known may be old: that the session has expired is decided on what the store has now.
  if (opened !== null && standingOf(opened, core.clock.now()) === 'gone') opened = likewise(yield* readFresh(core, opened.id), opened)
  const first = yield* gather(core, userId, options, source, opened)
  let { content, rework, over } = first
  const created = yield* create(core, core.format.encode(content), {
    userId,
    client: source.client,
    remembered: options.remember === true,
    assurance: options.assurance,
  })
  let { record } = created
  try {
    yield* checkEpoch(core, userId, options)
    // Sent again since its answer was lost, it replaces what it made the first time.
    yield* refuseOneTooMany(core, record, over?.id ?? first.from)
    for (let tries = 1; over !== null; tries++) {
      const sameUser = over.userId === userId
      const tombstone = tombstoneOver(core, over, { cause: 'login', userId, sameUser }, record)
      const landed: boolean = yield* land(core, tombstone, over.version)
      if (landed) break
      if (tries === 50) throw contention(over.id)
      const stored: SessionRecord | null = likewise(yield* readFresh(core, over.id), over)
      const standing = standingOf(stored, core.clock.now())
      // The button pressed twice: the other login of this user has the data.
      const followed = standing === 'tombstone' && (yield* followLogin(core, userId, stored!)) !== null
      if (over.userId !== null && standing !== 'live' && !followed) throw goneError(over.id, stored)
      ;({ content, rework, over } = yield* gather(core, userId, options, source, stored))
      record = yield* rewrite(core, record, core.format.encode(content))
    }
  } catch (error) {
    // The token never goes out; a record that can't be removed now expires by itself. So does one whose login may have landed
    // all the same: when the login is sent again, its data are found there.
    if (!(error instanceof SojournError && error.code === 'ERR_SOJOURN_UNKNOWN_OUTCOME')) yield* abandon(core, record)
    throw error
  }
  try {
    yield* endOldest(core, userId)
  } catch (cause) {
    // The login itself is done, and its token must go out: the user's next login ends what was left.
    core.events.emit('error', { error: storeError(core.store, cause), id: record.id })
  }
  core.events.emit('loggedIn', { id: record.id, userId, previousId: source.record?.id ?? null })
  return { record, secret: created.secret, rework }
}

interface Gathered<Data> {
  readonly content: Content<Data>
  /** How it is made of the request's own. */
  readonly rework: Rework<Data>
  readonly over: SessionRecord | null
  readonly from: SessionId | null
}

/**
 * What comes along, given what stands at the old ID now.
 *
 * @returns `over`: the record that the tombstone goes over, null when nothing is there to be replaced; `from`: whose data came along
 */
function* gather<Data extends object>(
  core: DataCore<Data>,
  userId: string,
  { carry }: LoginOptions<Data>,
  { record: opened, baseText, base: started, mine }: LoginSource<Data>,
  stored: SessionRecord | null,
): Routine<Gathered<Data>> {
  const chosen = (content: Content<Data>): Content<Data> =>
    carry === undefined ? content : { ...content, data: carry(core.format.copy(content).data) }
  if (opened === null) return { content: chosen(mine), rework: chosen, over: null, from: null }

  const standing = standingOf(stored, core.clock.now())
  const over = standing === 'live' ? stored : null
  const from = standing === 'tombstone' ? yield* followLogin(core, userId, stored!) : over
  const isForeign = (record: SessionRecord): boolean => record.userId !== null && record.userId !== userId
  const fixed = (content: Content<Data>) => ({ content, rework: () => core.format.copy(content), over, from: from?.id ?? null })
  if (from === null || isForeign(from)) return fixed(core.format.initial())
  // What this request made of another user's session stays behind, also where that moved to one of this user's meanwhile.
  if (isForeign(opened)) return fixed(chosen(readContent(core, from.data)))
  if (baseText() === from.data) return { content: chosen(mine), rework: chosen, over, from: from.id }
  const base = started()
  const theirs = readContent(core, from.data)
  const { content, collisions } = mergeContent(base, theirs, mine, core.rules)
  if (collisions.length > 0) core.events.emit('conflict', { id: from.id, userId: from.userId, paths: collisions })
  return { content: chosen(content), rework: (own) => chosen(mergeContent(base, theirs, own, core.rules).content), over, from: from.id }
}

/** Where logins of this user moved a session to, to the last: null when that is another user's, or gone. */
function* followLogin<Data extends object>(core: DataCore<Data>, userId: string, tombstone: SessionRecord): Routine<SessionRecord | null> {
  let record: SessionRecord | null = tombstone
  while (record !== null) {
    if (standingOf(record, core.clock.now()) === 'live') {
      if (record.userId !== userId) return null
      // Bound to its client since `bind` was changed: only the new cookie opens it.
      if (isLocked(record)) throw movedError(tombstone.id)
      return record
    }
    const left = decodeTombstone(record.head)
    if (left?.cause !== 'login' || left.target === null || !isNamed(core, left.userId, userId)) return null
    record = moved(yield* readFresh(core, left.target), record)
  }
  return null
}

function isNamed({ sealing }: Core, name: string | null, userId: string): boolean {
  return sealing === null ? name === userId : sealing.isNamed(name, userId)
}

/** @throws ERR_SOJOURN_LOGIN_REFUSED when the user's epoch is another than the one that the login was checked under */
function* checkEpoch<Data extends object>(core: DataCore<Data>, userId: string, options: LoginOptions<Data>): Routine<void> {
  if (!('epoch' in options)) return
  const { epoch } = options
  if (core.epoch === undefined) {
    throw new SojournError(
      'ERR_SOJOURN_OPTION',
      'login() was given an epoch, but createSessions() no look-up to compare it with; add the option `epoch: (userId) => …`.',
    )
  }
  if (epoch === undefined) {
    throw new SojournError(
      'ERR_SOJOURN_OPTION',
      'login() was given the epoch undefined, which is none; read it with the user, or leave it out.',
    )
  }
  const current = yield* wait(core.epoch(userId))
  if (current === epoch) return
  throw new SojournError(
    'ERR_SOJOURN_LOGIN_REFUSED',
    `The login of user ${JSON.stringify(userId)} was refused: the user's epoch changed after the password was checked; log in again.`,
  )
}

/** Other data for a record that nobody knows yet: nothing else can have changed it. */
function* rewrite<Data extends object>(core: DataCore<Data>, record: SessionRecord, data: string): Routine<SessionRecord> {
  if (data === record.data) return record
  const next = revised(record, { version: record.version + versionStep(), data }, core.clock.now())
  if (!(yield* land(core, next, record.version))) throw goneError(record.id, null)
  return next
}

function* abandon<Data extends object>(core: DataCore<Data>, record: SessionRecord): Routine<void> {
  try {
    yield* wait(core.store.delete(record.id))
  } catch (cause) {
    const error = new SojournError(
      'ERR_SOJOURN_STORE',
      `Session ${record.id}, made for a login that failed, could not be removed; its token was never given out, and it expires by itself.`,
      { cause },
    )
    core.events.emit('error', { error, id: record.id })
  }
}
