import type { Sessions } from '../../src/core/sessions.ts'
import type { Session } from '../../src/core/session.ts'
import { Handler, type Standing } from './handler.ts'
import { type Act, type Answer, timeouts } from './program.ts'
import type { Browser, Data, World } from './world.ts'

/** One request and its answer: what the browser sends, what it is served, what the answer does to its jar. */
export class Exchange {
  readonly name: string
  readonly #world: World
  readonly #sessions: Sessions<Data>
  readonly #browser: Browser
  #token: string | null = null
  /** The ID in the token. */
  #shown: string | null = null
  #sent = 0
  #wasVoid = false

  constructor(world: World, sessions: Sessions<Data>, browser: Browser, name: string) {
    this.#world = world
    this.#sessions = sessions
    this.#browser = browser
    this.name = name
  }

  async run(acts: readonly Act[], end: Answer, stolen: string | null = null): Promise<void> {
    if (stolen !== null) this.#browser.punctual = false
    this.#token = stolen ?? this.#browser.jar
    this.#shown = this.#token?.slice(0, 16) ?? null
    const handler = await this.#arrive()
    try {
      for (const act of acts) {
        await this.#world.pause(`${this.name} does: ${act}`)
        await handler.act(act)
      }
      if (end === 'thrown away') return await handler.settle()
      await this.#world.pause(`${this.name} commits`)
      await this.#answer(handler, end)
    } finally {
      handler.release()
    }
  }

  async #arrive(): Promise<Handler> {
    const { clock } = this.#world
    this.#sent = this.#world.moment()
    const sentAt = clock.now()
    await this.#world.pause(`${this.name} arrives`)
    const cookie = this.#token === null ? {} : { cookie: `theme=dark; sid=${this.#token}` }
    const request = { headers: { 'user-agent': 'Firefox/140.0 (X11; Linux x86_64)', ...cookie }, socket: { remoteAddress: '192.0.2.1' } }
    const session = await this.#sessions.open(request)
    if (clock.now() - sentAt >= timeouts.grace / 2) this.#browser.punctual = false
    const standing = session.id === null ? this.#servedNothing(session) : this.#served(session, session.id)
    this.#wasVoid = standing === 'barred' || standing === 'late'
    return new Handler(this.#world, {
      name: this.name,
      browser: this.#browser,
      session,
      standing,
      shown: this.#shown,
      sent: this.#sent,
      openedAt: clock.now(),
    })
  }

  #servedNothing({ userId }: Session<Data>): Standing {
    const { clock, model, watch, called, fault, reached } = this.#world
    if (userId !== null) fault(2, `${this.name} reads a user, ${userId}, and has no session`)
    const standing = this.#standingOnNothing()
    if (standing === 'barred') reached('a request shows the token of a tombstone')
    const known = model.sessions.get(this.#shown ?? '')
    if (known === undefined) return standing
    if (standing === 'new' && clock.now() >= model.latestExpiry(known)) reached('a session is over when its token comes')
    const isAlive = !watch.mayBeDead(known.id) && !model.mayHaveExpired(known.id, this.#sent)
    if (isAlive && this.#browser.punctual) fault(3, `${this.name} shows ${called(known.id)}, which is alive, and is served nothing`)
    return standing
  }

  #served({ userId }: Session<Data>, id: string): Standing {
    const { clock, model, called, fault, reached } = this.#world
    const known = model.sessions.get(id)
    if (known === undefined || id !== this.#shown) {
      fault(2, `${this.name} shows ${this.#shown === null ? 'nothing' : called(this.#shown)} and is served ${called(id)}`)
      return 'unsure'
    }
    if (known.ended < this.#sent) fault(2, `${this.name} was sent after ${called(id)} had ended or moved, and is served its data`)
    if (clock.now() >= model.latestExpiry(known)) fault(5, `${this.name} is served ${called(id)} after its expiry`)
    if (userId !== known.userId) fault(2, `${this.name} is served ${called(id)} as the user ${userId}`)
    if (model.newest.get(id) !== this.#token) reached('an older token is served')
    if (clock.now() === model.earliestExpiry(known) - 1) reached('a session is used at the last moment')
    return 'live'
  }

  /** A late token is answered by a tombstone or not, as it was good to the end or not: only of a punctual browser's that is known. */
  #standingOnNothing(): Standing {
    const seen = this.#shown === null ? undefined : this.#world.watch.get(this.#shown)
    if (seen === undefined) return 'new'
    const { id, tombstone } = seen
    if (tombstone === null && seen.ending > 0) return 'unsure'
    if (tombstone === null && this.#browser.punctual) return 'new'
    if (tombstone === null) return this.#world.model.mayHaveExpired(id, this.#sent) ? 'unsure' : 'late'
    const before = tombstone.moment < this.#sent
    const answers = (tombstone.cause === 'login' || tombstone.cause === 'logout') && tombstone.record.expiresAt > this.#world.clock.now()
    if (this.#browser.punctual) return answers ? (before ? 'barred' : 'unsure') : 'new'
    return before && !answers ? 'new' : 'unsure'
  }

  async #answer(handler: Handler, end: Answer): Promise<void> {
    const { model, clock } = this.#world
    const began = clock.now()
    const { held } = handler
    let headers = new Headers()
    const done = await handler.call(async () => {
      headers = await handler.session.commit()
      await handler.settle()
    })
    if (!done) return
    const used = model.sessions.get(held ?? '')
    if (used !== undefined && held === handler.session.id) used.using = Math.max(used.using, handler.openedAt)
    const set = this.#cookieOf(headers, handler)
    if (set === undefined || end === 'answer lost') return
    await this.#world.pause(`${this.name} is answered`)
    if (clock.now() - began >= timeouts.grace / 2) this.#browser.punctual = false
    this.#browser.jar = set
    if (set !== null) this.#browser.past.push(set)
  }

  /** The token that the answer brings: null where it clears the cookie, undefined where it leaves it. */
  #cookieOf(headers: Headers, handler: Handler): string | null | undefined {
    const { model, fault } = this.#world
    const cookies = headers.getSetCookie()
    if (cookies.length === 0) return undefined
    const value = /^sid=([\w-]*); /.exec(cookies[0]!)?.[1]
    if (cookies.length > 1 || value === undefined) fault(0, `${this.name} sets ${cookies.length} cookies`)
    if (this.#wasVoid && !handler.loggedIn) fault(4, `${this.name} shows a token that is void, does not log in, and sets a cookie`)
    if (value === '') {
      if (!handler.loggedOut) fault(3, `${this.name} did not log out, and takes the cookie back`)
      if (handler.overtaken) fault(4, `${this.name} takes back the cookie of a login that came first`)
      return null
    }
    if (value!.slice(0, 16) !== handler.issuer) fault(4, `${this.name} sets the cookie of another session`)
    model.secrets.add(value!.slice(16))
    model.newest.set(value!.slice(0, 16), value!)
    return value
  }
}
