import { setTimeout as sleep } from 'node:timers/promises'
import { asItIs, type Change, changesData, compose, type Draft, type Part, type Rework } from './compose.ts'
import type { Content } from './content.ts'
import { type DataCore, land, readFresh } from './core.ts'
import { contention, goneError, standingOf } from './ending.ts'
import { likewise, revised } from './record.ts'
import { isPromise, type Routine, run, wait } from './routine.ts'
import type { Maybe, SessionRecord } from './store.ts'
import type { Secret } from './token.ts'

/** What became of a change. */
export interface Committed<Data extends object> {
  /** The record that stands now, as far as is known. */
  readonly record: SessionRecord
  /** The text of the content as this change left it, where it was written out. */
  readonly text: string | null
  /** The same decoded, where it is known without decoding. Neither is there where the change was not one of data. */
  readonly content: Content<Data> | null
  readonly rework: Rework<Data>
  /** A secret to hand to the client. */
  readonly secret: Secret | null
  /** What `update` returned. */
  readonly result: unknown
}

/** A change on its way. */
interface Member<Data extends object> extends Part<Data> {
  readonly settle: (outcome: Committed<Data>) => void
}

const triesAtMost = 50
/** The first of many waits for more of them, by pauses of so many ms, and for so many ms at most. */
const pause = 1
const longestWait = 100

/**
 * The commits of each session, in line. Those that arrive while one is on its way go out together after it, so that two hundred
 * requests at once cost about two writes; one that can't be stored fails alone.
 */
export class CommitQueue<Data extends object> {
  readonly #core: DataCore<Data>
  /** The sessions that a write is on its way for, with those that wait for the next. */
  readonly #lanes = new Map<string, Member<Data>[]>()
  // The session that was written last, and how: who knows an older record of it need not ask the store whether that stands.
  #lastId = ''
  #lastVersion = 0

  constructor(core: DataCore<Data>) {
    this.#core = core
  }

  /** Commits one change: at once on a store that answers at once, unless another one came first or the store failed. */
  commit(change: Change<Data>): Maybe<Committed<Data>> {
    const { id, version } = change.record
    const lane = this.#lanes.get(id)
    if (lane !== undefined) return join(lane, change)

    const first = new First(change)
    const begun = id === this.#lastId && version < this.#lastVersion ? 'lost' : begin(this.#core, first)
    if (begun === 'lost') return this.#lost(change)
    if (begun !== 'done') {
      if (begun !== null) return this.#follow(begun, first)
      const going = run(round(this.#core, [first], change.record))
      if (isPromise(going)) return this.#finish(going, first, this.#open(id))
    }
    const outcome = first.answer()
    this.#note(outcome.record)
    return outcome
  }

  #open(id: string): Member<Data>[] {
    const lane: Member<Data>[] = []
    this.#lanes.set(id, lane)
    return lane
  }

  /** Resolves when nothing is on its way. */
  async settled(): Promise<void> {
    while (this.#lanes.size > 0) await new Promise((resolve) => setTimeout(resolve, 5))
  }

  #note({ id, version }: SessionRecord): void {
    this.#lastId = id
    this.#lastVersion = version
  }

  /** A first write that lands, as most do, is answered in one step; the routine for all other cases takes five more. */
  #follow(begun: Begun, first: First<Data>): Promise<Committed<Data>> {
    const { record } = first.change
    const lane = this.#open(record.id)
    const goOn = async () => await this.#finish(run(round(this.#core, [first], record, begun)), first, lane)
    return begun.landed.then((isIn) => {
      if (!isIn) return goOn()
      settle(this.#core, first, begun.next)
      void this.#drain(record.id, lane, begun.next)
      return first.answer()
    }, goOn)
  }

  async #finish(going: Maybe<SessionRecord>, first: First<Data>, lane: Member<Data>[]): Promise<Committed<Data>> {
    void this.#drain(first.change.record.id, lane, await going)
    return first.answer()
  }

  /** One came first, and others are likely to come in this turn of the event loop: they go out together. */
  #lost(change: Change<Data>): Maybe<Committed<Data>> {
    const { record } = change
    if (!changesData(change)) return unwritten(record)
    const lane = this.#open(record.id)
    const outcome = join(lane, change)
    void this.#drain(record.id, lane, null)
    return outcome
  }

  async #drain(id: string, lane: Member<Data>[], known: SessionRecord | null): Promise<void> {
    let latest = known
    if (latest !== null) this.#note(latest)
    while (lane.length > 0) {
      await gathered(lane)
      latest = await run(round(this.#core, lane.splice(0), latest))
      this.#note(latest)
    }
    this.#lanes.delete(id)
  }
}

function join<Data extends object>(lane: Member<Data>[], change: Change<Data>): Promise<Committed<Data>> {
  return new Promise((settle, fail) => lane.push({ change, settle, fail, draft: null }))
}

/**
 * Waits until a lull: two pauses in which nobody has come, and no less than a tenth of the time for which they were coming. A turn of the
 * event loop would be none, nor one pause: what arrives together is worked off in several turns, some of them longer.
 */
async function gathered(lane: readonly unknown[]): Promise<void> {
  const began = performance.now()
  let passed = 0
  let coming = 0
  for (let quiet = 0; passed < longestWait && (quiet < 2 || passed < 1.1 * coming);) {
    const before = lane.length
    await sleep(pause)
    passed = performance.now() - began
    if (lane.length > before) {
      coming = passed
      quiet = 0
    } else quiet++
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

/** A first write that was sent: what, and what comes of it. */
interface Begun {
  readonly next: SessionRecord
  readonly landed: Promise<boolean>
}

/**
 * A round of one, as far as it goes without waiting: on a store that answers at once, that is all, and a routine with its generators
 * would take as long again. Null where the round must begin at its beginning; 'lost' where that store had a newer record.
 */
function begin<Data extends object>(core: DataCore<Data>, first: First<Data>): Begun | 'done' | 'lost' | null {
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
    // As if it had answered later: `land` finds out what became of it.
    landed = Promise.reject(cause)
  }
  if (landed === false) return 'lost'
  if (landed !== true) return { next, landed }
  settle(core, first, next)
  return 'done'
}

/**
 * One round: all members' changes in one write, made anew from the newest record until it lands. It never throws; it tells
 * each member.
 *
 * @param known null where the store is to be asked first, since a newer record than the members know stands there
 * @param begun the first write, if it was sent already
 */
function* round<Data extends object>(
  core: DataCore<Data>,
  all: readonly Member<Data>[],
  known: SessionRecord | null,
  begun: Begun | null = null,
): Routine<SessionRecord> {
  let members = all
  let latest = newestOf(members, known)
  try {
    for (let tries = 1; ; tries++) {
      const sent = tries === 1 ? begun : null
      const isBehind = known === null && tries === 1
      if (sent === null && (isBehind || standingOf(latest, core.clock.now()) !== 'live')) {
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
      const landed: boolean = yield* land(core, next, latest.version, sent?.landed)
      if (landed) {
        for (const member of members) settle(core, member, next)
        return next
      }
      if (tries === triesAtMost) throw contention(latest.id)
      // A renewal that lost to another write is let go: a later request will do it.
      for (const member of members) if (!changesData(member.change)) member.settle(unwritten(latest))
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

function newestOf<Data extends object>(members: readonly Member<Data>[], known: SessionRecord | null): SessionRecord {
  const records = members.map(({ change }) => change.record)
  return records.reduce((newest, record) => (record.version > newest.version ? record : newest), known ?? records[0]!)
}

function unwritten<Data extends object>(record: SessionRecord): Committed<Data> {
  return { record, text: null, content: null, rework: asItIs, secret: null, result: null }
}

function settle<Data extends object>({ events }: DataCore<Data>, member: Member<Data>, record: SessionRecord): void {
  const { text, content, rework, secret, result, collisions, confirmed, unshown } = member.draft!
  const { id } = record
  if (collisions.length > 0) events.emit('conflict', { id, userId: record.userId, paths: collisions })
  if (confirmed) events.emit('renewed', { id, userId: record.userId })
  if (unshown) events.emit('suspected', { id, userId: record.userId, reason: 'unshown' })
  member.settle({ record, text, content, rework, secret, result })
}
