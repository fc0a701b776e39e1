import { timeouts, type User } from './program.ts'
import type { Seen } from './watched-store.ts'
import type { Browser, World } from './world.ts'

/** One change of a handler's, under a value that no other change has. */
export interface Write {
  readonly kind: 'item' | 'add' | 'field' | 'flash' | 'take'
  readonly value: string
  /** The field's name; empty for all others. */
  readonly field: string
  readonly browser: Browser
  /** Who was logged in when it was made. */
  readonly userId: string | null
}

/** A write that a handler was told is stored. */
export interface Acknowledged {
  readonly write: Write
  readonly session: string
  readonly request: string
  /** When its request left the browser, when what the request started from was known, when the call began, when it was answered. */
  readonly sent: number
  readonly based: number
  readonly started: number
  readonly answered: number
}

/** A session as the model has it: what a browser and its user may count on. */
export interface ModelSession {
  readonly id: string
  readonly browser: Browser
  readonly userId: string | null
  readonly createdAt: number
  readonly limits: { readonly idle: number; readonly absolute: number }
  /** The moments that certainly count as a use, each with when that became certain; the last that will, and the last that can. */
  readonly uses: { readonly used: number; readonly known: number }[]
  using: number
  active: number
  /** Requests that have it open. */
  open: number
  /** When a logout, an end, or a login from it was acknowledged. */
  ended: number
}

export interface Login {
  readonly session: string
  readonly source: string | null
  readonly userId: string
  readonly started: number
  readonly carry: Carry
}

export interface Carry {
  /** Whether what the request itself had changed must come along: never from one user to another. */
  readonly verdict: 'yes' | 'maybe' | 'no'
  /** Where another login of the user had moved the data to: they come from there. */
  readonly from: string | null
}

type Told = 'created' | 'loggedIn' | 'ended' | 'expired'

/** The reference: what has been acknowledged, and therefore must hold from then on. */
export class Model {
  readonly sessions = new Map<string, ModelSession>()
  readonly writes = new Map<string, Write>()
  /** Values that may be stored: acknowledged for sure, or by an answer that leaves it open. */
  readonly stored = new Set<string>()
  readonly acknowledged: Acknowledged[] = []
  /** Messages that may have been taken, each with the sessions that it certainly was taken from, and when: logins make copies. */
  readonly taken = new Map<string, Map<string, number>>()
  readonly logins: Login[] = []
  readonly secrets = new Set<string>()
  /** The last token that was given out for each session. */
  readonly newest = new Map<string, string>()
  readonly events: { readonly name: Told; readonly id: string }[] = []
  readonly texts = new Set<string>()
  readonly conflicts = new Map<string, Set<string>>()
  readonly logoutsTried = new Set<string>()
  readonly endsTried = new Set<string>()
  readonly loginsTried = new Set<string>()
  readonly usersEnded = new Set<string>()
  readonly #world: World
  #values = 0

  constructor(world: World) {
    this.#world = world
  }

  add(id: string, browser: Browser, userId: string | null, createdAt: number, remembered: boolean): ModelSession {
    const addedAt = this.#world.moment()
    const session: ModelSession = {
      id,
      browser,
      userId,
      createdAt,
      limits: remembered ? timeouts.remembered : timeouts,
      uses: [{ used: createdAt, known: addedAt }],
      using: createdAt,
      active: this.#world.clock.now(),
      open: 0,
      ended: Infinity,
    }
    this.sessions.set(id, session)
    return session
  }

  write(kind: Write['kind'], field: string, browser: Browser, userId: string | null): Write {
    const write = { kind, value: `${kind}${++this.#values}`, field, browser, userId }
    this.writes.set(write.value, write)
    return write
  }

  mayBeStored({ kind, value }: Write): void {
    if (kind !== 'take') this.stored.add(value)
    else this.mayBeTaken(value)
  }

  mayBeTaken(message: string): Map<string, number> {
    const from = this.taken.get(message) ?? new Map<string, number>()
    this.taken.set(message, from)
    return from
  }

  /**
   * Until then nobody may lose the session for want of use.
   *
   * @param since a call that began then may have looked at the session right away, and not heard of later uses
   */
  earliestExpiry({ createdAt, uses, limits }: ModelSession, since = Infinity): number {
    const used = Math.max(createdAt, ...uses.filter(({ known }) => known <= since).map(({ used }) => used))
    return Math.min(used + limits.idle - this.#world.slack(), createdAt + limits.absolute)
  }

  mayHaveExpired(id: string, since = Infinity): boolean {
    const session = this.sessions.get(id)
    return session === undefined || this.#world.clock.now() >= this.earliestExpiry(session, since)
  }

  /** From then on it opens for nobody. */
  latestExpiry({ createdAt, active, open, limits }: ModelSession): number {
    return Math.min((open > 0 ? this.#world.clock.now() : active) + limits.idle + timeouts.slice, createdAt + limits.absolute)
  }

  use(id: string, moment: number): void {
    const session = this.sessions.get(id)
    // One that took longer to be noted than the session had to live came too late. The mark of a late secret is a new version, on
    // which a touch that waits does not land.
    if (session?.browser.punctual === true && !this.mayHaveExpired(id)) session.uses.push({ used: moment, known: this.#world.moment() })
  }

  /** @returns to be called when all uses up to now were noted */
  noting(): () => void {
    const using = [...this.sessions.values()].map((session) => [session, session.using] as const)
    return () => {
      for (const [{ id }, moment] of using) this.use(id, moment)
    }
  }

  end(id: string): void {
    const session = this.sessions.get(id)
    if (session !== undefined && this.#world.watch.isOver(id)) session.ended = Math.min(session.ended, this.#world.moment())
  }

  /**
   * A session is dead once its end was acknowledged. Expiry is no end: where it came first there was nothing to end, and a write
   * that had set out before may land yet.
   */
  checkDead(id: string, after: string, since: number): void {
    const { watch, called, fault } = this.#world
    this.end(id)
    if (!watch.isDead(id) && !this.mayHaveExpired(id, since)) fault(2, `${called(id)} is alive after ${after}`)
  }

  /** A logout ends the session, and what logins of its user had moved it to, to the last. */
  endByLogout(id: string, since: number): void {
    const { watch, clock, called } = this.#world
    this.checkDead(id, 'its logout', since)
    if (this.mayHaveExpired(id, since)) return
    for (
      let seen = watch.get(id);
      seen?.tombstone?.cause === 'login' && seen.tombstone.sameUser;
      seen = watch.get(seen.tombstone.target!)
    ) {
      const { target, record } = seen.tombstone
      if (target === null || record.expiresAt <= clock.now()) return
      this.checkDead(target, `the logout of ${called(id)}, which a login had moved to it`, since)
    }
  }

  /**
   * What a login must have taken along.
   *
   * @param servedAs the user whose session the request had open
   * @param started when the login began
   */
  carry({ session, source, userId, started }: Omit<Login, 'carry'>, servedAs: string | null): Carry {
    const { watch, clock, isNamed } = this.#world
    const foreign = servedAs !== null && servedAs !== userId
    const verdict = foreign ? 'no' : 'yes'
    if (source === null) return { verdict, from: null }
    if (this.mayHaveExpired(source, started)) return { verdict: foreign ? 'no' : 'maybe', from: null }
    let seen: Seen | undefined = watch.get(source)
    while (seen?.tombstone?.cause === 'login' && isNamed(seen.tombstone.userId, userId) && seen.tombstone.target !== null) {
      const { target, record } = seen.tombstone
      if (target === session) return { verdict, from: null }
      if (record.expiresAt <= clock.now()) break
      seen = watch.get(target)
      if (seen === undefined || this.mayHaveExpired(target, started)) break
      if (!watch.mayBeDead(target)) return { verdict, from: target }
    }
    return { verdict: foreign ? 'no' : 'maybe', from: null }
  }

  acknowledgedBefore(session: string, moment: number): Acknowledged[] {
    return this.acknowledged.filter((one) => one.session === session && one.answered < moment)
  }

  told(name: Told, event: { readonly id: string }): void {
    this.events.push({ name, id: event.id })
    this.texts.add(JSON.stringify(event))
  }

  conflicted(id: string, paths: readonly string[]): void {
    this.#world.reached('two writes collide')
    const known = this.conflicts.get(id) ?? new Set()
    this.conflicts.set(id, known)
    for (const path of paths) known.add(path)
  }

  suspected(id: string, reason: string): void {
    const session = this.sessions.get(id)
    if (reason !== 'unshown') this.#world.reached('a late secret is refused')
    if (reason !== 'unshown' && session?.browser.punctual === true) {
      this.#world.fault(
        3,
        `${this.#world.called(id)} was suspected (${reason}), though its browser's messages took less than half the grace`,
      )
    }
  }

  endUserTried(user: User): void {
    this.usersEnded.add(user)
  }
}
