import { mergeContent } from './adopt.ts'
import type { Content } from './content.ts'
import { type DataCore, successor } from './core.ts'
import { SojournError } from './errors.ts'
import { decodeHead, encodeHead } from './head.ts'
import { isStale } from './record.ts'
import { give, isDue, judge } from './renewal.ts'
import { isPromise } from './routine.ts'
import type { SessionRecord } from './store.ts'
import { hashSecret, mintSecret, type Secret, sameHash, wasIssued } from './token.ts'
import type { WorkingCopy } from './working-copy.ts'

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

/**
 * Makes of what a request has by now what it must go on with: the handler may have changed more while the write was on its way.
 *
 * @param base what the request had started from
 */
export type Rework<Data> = (mine: Content<Data>, base: Content<Data>) => Content<Data>

/** A change that is to go into the next record. */
export interface Part<Data extends object> {
  readonly change: Change<Data>
  readonly fail: (error: unknown) => void
  /** Null when it can't be stored. */
  draft: Draft<Data> | null
}

/** What a part adds to the next record. */
export interface Draft<Data extends object> {
  /** The content as this part left it: written out, or decoded, or both; neither where it changed no data. */
  text: string | null
  content: Content<Data> | null
  rework: Rework<Data>
  secret: Secret | null
  result: unknown
  collisions: readonly string[]
  confirmed: boolean
  unshown: boolean
}

/** All parts together. */
interface Sum<Data extends object> {
  readonly head: string
  /** The last part that changed data. */
  readonly last: Draft<Data> | null
  readonly secrets: readonly Secret[]
  readonly anew: boolean
}

export function changesData<Data extends object>(change: Change<Data>): boolean {
  return change.changed || change.update !== null
}

/**
 * The next record with all changes; null when there is nothing to write. Parts that can't be stored have failed.
 *
 * Were each of many to write out what all before it made, the cost would grow with the square of their number: what they made together
 * is written out once. Where it can't be, each is after all, so that those fail that are the cause.
 */
export function compose<Data extends object>(
  core: DataCore<Data>,
  parts: readonly Part<Data>[],
  latest: SessionRecord,
): SessionRecord | null {
  const now = core.clock.now()
  let { head, last, secrets, anew } = sumOf(core, parts, latest, now, parts.length > 1)
  if (last !== null && last.text === null && (last.text = core.format.tryEncode(last.content!)) === null) {
    const left = parts.filter(({ draft }) => draft !== null)
    ;({ head, last, secrets, anew } = sumOf(core, left, latest, now, false))
  }
  const text = last === null ? null : last.text
  if (head === latest.head && (text === null || text === latest.data) && !anew) return null
  return successor(core, latest, { head, data: text ?? undefined, secrets, anew }, now)
}

/** Adds one part after the other, each to what those before it made: one that can't be added fails alone. */
function sumOf<Data extends object>(
  core: DataCore<Data>,
  parts: readonly Part<Data>[],
  latest: SessionRecord,
  now: number,
  together: boolean,
): Sum<Data> {
  let { head } = latest
  let last: Draft<Data> | null = null
  let anew = false
  const secrets: Secret[] = []
  for (const part of parts) {
    const { change } = part
    try {
      const draft: Draft<Data> = composeData(core, change, latest, last, together)
      head = renewHead(core, change, head, now, draft)
      part.draft = draft
      if (changesData(change)) last = draft
      if (draft.secret !== null) secrets.push(draft.secret)
      if (change.shorten) anew = true
      if (change.reseal !== null && isStale(latest)) {
        secrets.push(change.reseal)
        anew = true
      }
    } catch (error) {
      part.draft = null
      part.fail(error)
    }
  }
  return { head, last, secrets, anew }
}

/**
 * @param last the part before that changed data
 * @param together whether it is enough to copy what is to be written: the handler may go on changing its own meanwhile
 */
function composeData<Data extends object>(
  core: DataCore<Data>,
  { changed, copy, update }: Change<Data>,
  latest: SessionRecord,
  last: Draft<Data> | null,
  together: boolean,
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
  // The data are read when somebody writes to them: to open them may cost.
  const text = last === null ? latest.data : last.text
  const newest = (): Content<Data> => last?.content ?? recent?.find(latest.id, text!) ?? readContent(core, text!)
  const theirs = text !== null && copy.baseText === text ? null : newest()
  const merged = (own: Content<Data>, base: Content<Data>) =>
    theirs === null ? { content: own, collisions: [] } : mergeContent(base, theirs, own, rules)
  const own = together && changed ? format.copyToStore(copy.content()) : null
  let content: Content<Data>
  if (changed) ({ content, collisions: draft.collisions } = merged(own ?? copy.content(), copy.base()))
  else content = theirs ?? newest()
  // Most have nothing to rework, and a closure for each write would outlive its request in V8's young generation, with all that it knows.
  if (theirs !== null) draft.rework = (own, base) => merged(own, base).content
  if (update !== null) {
    // Copies: the function may have to run again, and the handler may go on changing its own.
    const before = changed ? format.copy(content) : content
    const after = format.copy(content)
    draft.result = update(after.data)
    if (isPromise(draft.result)) throw asyncUpdate(draft.result)
    draft.rework = (own, base) => mergeContent(before, after, merged(own, base).content, rules).content
    content = after
  }
  if (together) draft.content = own !== null && update === null ? content : format.copyToStore(content)
  if (draft.content !== null) return draft
  if (recent === null) draft.text = format.encode(content)
  else ({ text: draft.text, copy: draft.content } = format.encodeAndCopy(content))
  return draft
}

export function asItIs<Data>(mine: Content<Data>): Content<Data> {
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
