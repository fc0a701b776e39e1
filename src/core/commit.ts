import { mergeContent } from './adopt.ts'
import type { Content } from './content.ts'
import { type DataCore, land, readFresh, successor } from './core.ts'
import { contention, goneError, standingOf } from './ending.ts'
import { SojournError } from './errors.ts'
import { decodeHead, encodeHead } from './head.ts'
import { isStale, likewise, revised } from './record.ts'
import { give, isDue, judge } from './renewal.ts'
import { isPromise, type Routine, run, wait } from './routine.ts'
import type { Maybe, SessionRecord } from './store.ts'
import type { WorkingCopy } from './working-copy.ts'
import { hashSecret, mintSecret, type Secret, sameHash, wasIssued } from './token.ts'

/** What one request wants written to its session. */
export interface Change<Data extends object> {
  /** The record as the request knows it. */
  readonly record: SessionRecord
  /** Whether the request changed the data. */
  readonly changed: boolean
  /** The data that it started from, and what it made of them. */
  readonly copy: WorkingCopy<Data>
  /** A change to run on the newest data, after this request's others. */
  readonly update: ((data: Data) => unknown) | null
  /** The shown secret, when its standing in the head may change; null when the head is none of this request's business. */
  readonly shown: { readonly secret: Secret; readonly hint: string; readonly asked: boolean } | null
  /** The shown secret, where what it opened is to be sealed anew under the current key. */
  readonly reseal: Secret | null
  /** Whether the record is to be written anew for the sake of its times alone: a touch could not bring its expiry forward. */
  readonly shorten: boolean
}

export type Rework<Data> = (mine: Content<Data>) => Content<Data>

/** What became of it. */
export interface Committed<Data extends object> {
  /** The record that stands now, as far as is known. */
  readonly record: SessionRecord
  /** The text of the content as this change left it; null when it changed no data. */
  readonly text: string | null
  /** The same decoded, where it is known without decoding. */
  readonly content: Content<Data> | null
  /** Makes of what the request has now what it must go on with: the handler may have changed more while the write was on its way. */
  readonly rework: Rework<Data>
  /** A secret to hand to the client. */
  readonly secret: Secret | null
  /** What `update` returned. */
  readonly result: unknown
}

/** A change on its way. */
interface Member<Data extends object> {
  readonly change: Change<Data>
  readonly settle: (outcome: Committed<Data>) => void
  readonly fail: (error: unknown) => void
  draft: Draft<Data> | null
}

/** What a member adds to the next record. */
interface Draft<Data extends object> {
  text: string | null
  content: Content<Data> | null
  rework: Rework<Data>
  secret: Secret | null
  result: unknown
  collisions: readonly string[]
  confirmed: boolean
  unshown: boolean
}

const triesAtMost = 50

/**
 * The commits of each session, in line. Those that arrive while one is on its way go out together after it, so that fifty
 * requests at once cost about two writes; each is merged, encoded and checked alone, and one that can't be stored fails alone.
 */
export class CommitQueue<Data extends object> {
  readonly #core: DataCore<Data>
  /** The sessions that a write is on its way for, with those that wait for the next. */
  readonly #lanes = new Map<string, Member<Data>[]>()

  constructor(core: DataCore<Data>) {
    this.#core = core
  }

  /** Commits one change: at once on a store that answers at once. */
  commit(change: Change<Data>): Maybe<Committed<Data>> {
    const { id } = change.record
    const lane = this.#lanes.get(id)
    if (lane !== undefined) return new Promise((settle, fail) => lane.push({ change, settle, fail, draft: null }))

    const first = new First(change)
    const begun = begin(this.#core, first)
    if (begun === 'done') return first.answer()
    const going = run(round(this.#core, [first], change.record, begun))
    if (!isPromise(going)) return first.answer()
    this.#lanes.set(id, [])
    return going.then((latest) => {
      void this.#drain(id, latest)
      return first.answer()
    })
  }

  /** Resolves when nothing is on its way. */
  async settled(): Promise<void> {
    while (this.#lanes.size > 0) await new Promise((resolve) => setTimeout(resolve, 5))
  }

  async #drain(id: string, known: SessionRecord): Promise<void> {
    const lane = this.#lanes.get(id)!
    let latest = known
    while (lane.length > 0) latest = await run(round(this.#core, lane.splice(0), latest))
    this.#lanes.delete(id)
  }
}

/** The member that does not wait for others. */
class First<Data extends object> implements Member<Data> {
  readonly change: Change<Data>
  draft: Draft<Data> | null = null
  #outcome: Committed<Data> | null = null
  #failure: unknown = null

  constructor(change: Change<Data>) {
    this.change = change
  }

  settle(outcome: Committed<Data>): void {
    this.#outcome = outcome
  }

  fail(error: unknown): void {
    this.#failure = error
  }

  answer(): Committed<Data> {
    if (this.#outcome === null) throw this.#failure
    return this.#outcome
  }
}

/** A first write that was sent: what, and how to hear what came of it. */
interface Begun {
  readonly next: SessionRecord
  readonly answer: () => Maybe<boolean>
}

/**
 * A round of one, as far as it goes without waiting: on a store that answers at once, that is all, and a routine with its generators
 * would take as long again. Null where the round must begin at its beginning.
 */
function begin<Data extends object>(core: DataCore<Data>, first: First<Data>): Begun | 'done' | null {
  const { record } = first.change
  if (standingOf(record, core.clock.now()) !== 'live') return null
  const next = compose(core, [first], record)
  if (first.draft === null) return 'done'
  if (next === null) {
    settle(core, first, record)
    return 'done'
  }
  let landed: Maybe<boolean>
  try {
    landed = core.store.put(next, record.version)
  } catch (cause) {
    const answer = (): never => {
      throw cause
    }
    return { next, answer }
  }
  if (landed !== true) return { next, answer: () => landed }
  settle(core, first, next)
  return 'done'
}

/**
 * One round: all members' changes in one write, made anew from the newest record until it lands. It never throws; it tells
 * each member.
 *
 * @param begun the first write, if it was sent already
 */
function* round<Data extends object>(
  core: DataCore<Data>,
  all: readonly Member<Data>[],
  known: SessionRecord,
  begun: Begun | null = null,
): Routine<SessionRecord> {
  let members = all
  let latest = members.reduce((newest, { change }) => (change.record.version > newest.version ? change.record : newest), known)
  try {
    for (let tries = 1; ; tries++) {
      const sent = tries === 1 ? begun : null
      if (sent === null && standingOf(latest, core.clock.now()) !== 'live') {
        // What is known may be old: a refusal is decided on what the store has now.
        const stored: SessionRecord | null = likewise(yield* readFresh(core, latest.id), latest)
        if (stored === null || standingOf(stored, core.clock.now()) !== 'live') throw goneError(latest.id, stored)
        latest = stored
      }
      const next = sent === null ? compose(core, members, latest) : sent.next
      members = members.filter((member) => member.draft !== null)
      if (next === null) {
        for (const member of members) settle(core, member, latest)
        return latest
      }
      const landed: boolean = yield* land(core, next, latest.version, sent?.answer)
      if (landed) {
        for (const member of members) settle(core, member, next)
        return next
      }
      if (tries === triesAtMost) throw contention(latest.id)
      // A renewal that lost to another write is let go: a later request will do it.
      for (const member of members)
        if (!changesData(member.change))
          member.settle({ record: latest, text: null, content: null, rework: asItIs, secret: null, result: null })
      members = members.filter(({ change }) => changesData(change))
      if (members.length === 0) return latest
      // Processes that fight for one record take turns better when they don't come back in step.
      if (tries > 3) yield* wait(new Promise<void>((resolve) => setTimeout(resolve, Math.random() * tries)))
      const { version } = latest
      latest = likewise(yield* readFresh(core, latest.id), latest) ?? revised(latest, { version, expiresAt: 0 }, core.clock.now())
    }
  } catch (error) {
    for (const member of members) member.fail(error)
    return latest
  }
}

function changesData<Data extends object>(change: Change<Data>): boolean {
  return change.changed || change.update !== null
}

/** The next record with all members' changes; null when there is nothing to write. Members that can't be stored have failed. */
function compose<Data extends object>(core: DataCore<Data>, members: readonly Member<Data>[], latest: SessionRecord): SessionRecord | null {
  const now = core.clock.now()
  // The data are read when somebody writes to them: to open them may cost.
  let text: string | null = null
  let head = latest.head
  let anew = false
  const secrets: Secret[] = []
  for (const member of members) {
    try {
      const draft: Draft<Data> = composeData(core, member.change, latest, text)
      const renewed = renewHead(core, member.change, head, now, draft)
      text = draft.text ?? text
      head = renewed
      member.draft = draft
      if (draft.secret !== null) secrets.push(draft.secret)
      if (member.change.shorten) anew = true
      if (member.change.reseal !== null && isStale(latest)) {
        secrets.push(member.change.reseal)
        anew = true
      }
    } catch (error) {
      member.draft = null
      member.fail(error)
    }
  }
  if (head === latest.head && (text === null || text === latest.data) && !anew) return null
  return successor(core, latest, { head, data: text ?? undefined, secrets, anew }, now)
}

function composeData<Data extends object>(
  core: DataCore<Data>,
  { changed, copy, update }: Change<Data>,
  latest: SessionRecord,
  changedText: string | null,
): Draft<Data> {
  const draft: Draft<Data> = {
    text: null,
    content: null,
    rework: asItIs,
    secret: null,
    result: null,
    collisions: [],
    confirmed: false,
    unshown: false,
  }
  if (!changed && update === null) return draft
  const { format, recent, rules } = core
  const text = changedText ?? latest.data
  const theirs = copy.baseText === text ? null : readContent(core, text)
  const merged = (own: Content<Data>) =>
    theirs === null ? { content: own, collisions: [] } : mergeContent(copy.base(), theirs, own, rules)
  let content: Content<Data>
  if (changed) ({ content, collisions: draft.collisions } = merged(copy.content()))
  else content = theirs ?? readContent(core, text)
  // A closure for each write would outlive its request in V8's young generation, with all that it knows, and most have nothing to do.
  if (theirs !== null) draft.rework = (own) => merged(own).content
  if (update !== null) {
    // Copies: the function may have to run again, and the handler may go on changing its own.
    const before = changed ? format.copy(content) : content
    const after = format.copy(content)
    draft.result = update(after.data)
    if (isPromise(draft.result)) throw asyncUpdate(draft.result)
    draft.rework = (own) => mergeContent(before, after, merged(own).content, rules).content
    content = after
  }
  // A copy, for the handler may go on changing its own while the write is on its way.
  if (recent === null) draft.text = format.encode(content)
  else ({ text: draft.text, copy: draft.content } = format.encodeAndCopy(content))
  return draft
}

function asItIs<Data>(mine: Content<Data>): Content<Data> {
  return mine
}

/** @internal */
export function asyncUpdate(result: Promise<unknown>): SojournError {
  result.catch(() => {}) // Nobody waits for it; its rejection must not end the process.
  return new SojournError(
    'ERR_SOJOURN_UPDATE_ASYNC',
    'The function given to session.update() returned a promise, but it runs on the newest data at the moment of writing; do the waiting before, and hand in a synchronous function.',
  )
}

function renewHead<Data extends object>(
  { policy }: DataCore<Data>,
  { shown }: Change<Data>,
  text: string,
  now: number,
  draft: Draft<Data>,
): string {
  const head = shown === null ? null : decodeHead(text)
  if (shown === null || head === null) return text
  const hash = hashSecret(shown.secret)
  const verdict = judge(
    head.renewal,
    (stored) => sameHash(stored, 0, hash),
    () => wasIssued(head.key, shown.secret),
    now,
    policy,
  )
  let { renewal } = head
  if (verdict.kind === 'pending') {
    renewal = verdict.next
    draft.confirmed = true
  } else if (isDue(renewal, verdict.kind, shown.hint, now, policy, shown.asked)) {
    draft.secret = mintSecret(head.key)
    const given = give(renewal, hashSecret(draft.secret), shown.hint, now)
    renewal = given.next
    draft.unshown = given.unshown
  }
  return renewal === head.renewal ? text : encodeHead({ ...head, renewal })
}

/** Stored content; what can't be read counts as the initial content, with the text set aside. */
export function readContent<Data extends object>({ format }: DataCore<Data>, text: string): Content<Data> {
  try {
    return format.decode(text)
  } catch (error) {
    if (!format.isUnreadable(error)) throw error
    return format.setAside(text)
  }
}

function settle<Data extends object>({ events }: DataCore<Data>, member: Member<Data>, record: SessionRecord): void {
  const { text, content, rework, secret, result, collisions, confirmed, unshown } = member.draft!
  const { id } = record
  if (collisions.length > 0) events.emit('conflict', { id, userId: record.userId, paths: collisions })
  if (confirmed) events.emit('renewed', { id, userId: record.userId })
  if (unshown) events.emit('suspected', { id, userId: record.userId, reason: 'unshown' })
  member.settle({ record, text, content, rework, secret, result })
}
