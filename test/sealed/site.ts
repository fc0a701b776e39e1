import { randomBytes } from 'node:crypto'
import type { SojournErrorCode } from '../../src/core/errors.ts'
import type { SessionEvents } from '../../src/core/events.ts'
import { sealed, type SealedEventName, type SealedOptions, type SealedSession, type SealedSessions } from '../../src/sealed.ts'
import { fakeClock, type FakeClock } from '../../src/testing/fake-clock.ts'

export interface Data {
  visits: number
  cart: string[]
  note: string
}

export const minutes = 60_000
export const hours = 60 * minutes
export const days = 24 * hours
export const start = Date.UTC(2026, 0, 1)
// The defaults, which the tests count on.
export const [idle, absolute, slice] = [30 * minutes, 12 * hours, 3 * minutes]

export const newKey = (): string => randomBytes(32).toString('base64')
export const initial = (): Data => ({ visits: 0, cart: [], note: '' })

/** Text of so many bytes, as a session's long note. */
export const text = (bytes: number): string => 'abcdefghij'.repeat(Math.ceil(bytes / 10)).slice(0, bytes)

/** What a browser keeps of a site: it takes and drops cookies as it is told, but never by the time. */
export class Jar {
  readonly cookies = new Map<string, string>()
  /** The Set-Cookie headers of the last answer. */
  setCookies: readonly string[] = []

  constructor(cookies: Iterable<readonly [string, string]> = []) {
    for (const [name, value] of cookies) this.cookies.set(name, value)
  }

  copy(): Jar {
    return new Jar(this.cookies)
  }

  get header(): string {
    return [...this.cookies].map(([name, value]) => `${name}=${value}`).join('; ')
  }

  take(headers: Headers): void {
    this.setCookies = headers.getSetCookie()
    for (const line of this.setCookies) {
      const [name, value] = line.slice(0, line.indexOf(';')).split('=') as [string, string]
      if (line.includes('; Max-Age=0;')) this.cookies.delete(name)
      else this.cookies.set(name, value)
    }
  }
}

/** A browser of which each visit is one request, without the wire. */
export class Visitor {
  readonly #sessions: SealedSessions<Data>
  readonly jar: Jar

  constructor(sessions: SealedSessions<Data>, jar = new Jar()) {
    this.#sessions = sessions
    this.jar = jar
  }

  /** Another one that has the same cookies now: a tab, a thief. */
  copy(sessions = this.#sessions): Visitor {
    return new Visitor(sessions, this.jar.copy())
  }

  async open(): Promise<SealedSession<Data>> {
    return await this.#sessions.open(new Headers({ cookie: this.jar.header }))
  }

  async visit<Result>(handler: (session: SealedSession<Data>) => Result): Promise<Awaited<Result>> {
    const session = await this.open()
    const result = await handler(session)
    this.jar.take(await session.commit())
    return result
  }

  /** The user that a request of this browser is served as. */
  async user(): Promise<string | null> {
    return await this.visit((session) => session.userId)
  }
}

export interface Site {
  readonly clock: FakeClock
  readonly sessions: SealedSessions<Data>
  readonly keys: readonly string[]
  visitor(): Visitor
  /** The events of one name so far. */
  told<Name extends SealedEventName>(name: Name): SessionEvents[Name][]
  errors(): SojournErrorCode[]
}

/** Sealed sessions of which everything is at hand. */
export function site(options: Partial<Omit<SealedOptions<Data>, 'initial'>> = {}): Site {
  const clock = fakeClock(start)
  const keys = [newKey()]
  const sessions: SealedSessions<Data> = sealed<Data>({ keys, initial, clock, ...options })
  return { ...listening(sessions), clock, keys, sessions, visitor: () => new Visitor(sessions) }
}

function listening(sessions: SealedSessions<Data>): Pick<Site, 'told' | 'errors'> {
  const events: { name: SealedEventName; event: SessionEvents[SealedEventName] }[] = []
  for (const name of ['created', 'loggedIn', 'ended', 'error'] as const) sessions.on(name, (event) => events.push({ name, event }))
  const told = <Name extends SealedEventName>(name: Name): SessionEvents[Name][] =>
    events.filter((event) => event.name === name).map(({ event }) => event as SessionEvents[Name])
  return { told, errors: () => told('error').map(({ error }) => error.code) }
}
