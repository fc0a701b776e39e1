import type { SojournErrorCode } from '../../src/core/errors.ts'
import { eventNames, type EventName, type SessionEvents } from '../../src/core/events.ts'
import type { Sessions } from '../../src/core/sessions.ts'
import type { SessionRecord, Store } from '../../src/core/store.ts'
import type { TheftOptions } from '../../src/core/theft.ts'
import { createSessions, type SessionsOptions } from '../../src/sessions.ts'
import { memory } from '../../src/stores/memory.ts'
import { fakeClock, type FakeClock } from '../../src/testing/fake-clock.ts'
import { Browser, type Client, firefox } from './browser.ts'

export interface Data {
  visits: number
  cart: string[]
}

export const seconds = 1000
export const minutes = 60 * seconds
export const hours = 60 * minutes
export const days = 24 * hours

export const start = Date.UTC(2026, 0, 1)

// The defaults, which the tests count on.
export const [idle, absolute, slice, renew, grace] = [30 * minutes, 12 * hours, 3 * minutes, 15 * minutes, 60 * seconds]

/** For tests of what renewal by itself does about a thief: his other browser and network are overlooked. */
export const renewalAlone: TheftOptions = { decide: () => 'allow' }

/** A site of which everything is at hand: its sessions, their store, the clock, what was told. */
export class Site {
  readonly clock: FakeClock = fakeClock(start)
  readonly store: Store
  readonly sessions: Sessions<Data>
  readonly #events: { name: EventName; event: SessionEvents[EventName] }[] = []

  constructor(options: Omit<SessionsOptions<Data>, 'initial'> = {}) {
    this.store = options.store ?? memory()
    this.sessions = createSessions<Data>({ clock: this.clock, initial: () => ({ visits: 0, cart: [] }), ...options, store: this.store })
    for (const name of eventNames) this.sessions.on(name, (event) => this.#events.push({ name, event }))
  }

  browser(client: Client = firefox, token: string | null = null): Browser<Data> {
    return new Browser(this.sessions, client, token)
  }

  /** A browser that is logged in. */
  async member(
    userId = 'ada',
    { remember = false, client = firefox }: { remember?: boolean; client?: Client } = {},
  ): Promise<Browser<Data>> {
    const browser = this.browser(client)
    await browser.send(async (session) => await session.login(userId, { remember }))
    return browser
  }

  /** A browser of an anonymous visitor with something in the cart. */
  async visitor(client: Client = firefox): Promise<Browser<Data>> {
    const browser = this.browser(client)
    await browser.send((session) => void session.data.cart.push('tea'))
    return browser
  }

  /** The events of one name so far. */
  told<Name extends EventName>(name: Name): SessionEvents[Name][] {
    return this.#events.filter((event) => event.name === name).map(({ event }) => event as SessionEvents[Name])
  }

  /** The reasons of suspicion so far. */
  get suspected(): string[] {
    return this.told('suspected').map(({ reason }) => reason)
  }

  get errors(): SojournErrorCode[] {
    return this.told('error').map(({ error }) => error.code)
  }

  async record(browser: Browser<Data>): Promise<SessionRecord | null> {
    return await this.store.get(browser.id!, { fresh: true })
  }
}
