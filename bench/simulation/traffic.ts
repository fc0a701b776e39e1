import { SojournError } from '../../src/core/errors.ts'
import type { Session } from '../../src/core/session.ts'
import type { Sessions } from '../../src/core/sessions.ts'
import type { Data, Fleet } from './fleet.ts'
import type { Tally } from './tally.ts'
import type { VirtualTime } from './virtual-time.ts'

/** How visitors behave. Times in ms. */
export interface Habits {
  /** Visits that begin in a second, in the simulation. */
  readonly visitsPerSecond: number
  /** Pages of a visit: heavy-tailed. */
  readonly pages: { readonly least: number; readonly most: number; readonly alpha: number }
  /** Requests beside the page's own: the mean. */
  readonly extras: number
  /** Between two pages: log-normal. */
  readonly think: { readonly median: number; readonly sigma: number }
  /** How many pages change the session. */
  readonly writes: number
  /** How many visits log in, at their second page, and how many of those log out. */
  readonly logins: number
  readonly logouts: number
  /** Whether a visit stays with one process. */
  readonly sticky: boolean
}

export const usual: Omit<Habits, 'visitsPerSecond'> = {
  pages: { least: 3, most: 100, alpha: 1.3 },
  extras: 1.8,
  think: { median: 22_000, sigma: 1.1 },
  writes: 0.2,
  logins: 0.5,
  logouts: 0.1,
  sticky: true,
}

const text = 'x'.repeat(268)
const agents = ['Firefox/128.0', 'Chrome/126.0.0.0 Safari/537.36', 'Version/17.5 Safari/605.1.15'].map(
  (name) => `Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:128.0) Gecko/20100101 ${name}`,
)

type Handler = (session: Session<Data>) => void | Promise<void>

/** One visitor's browser, and what it was told. */
export class Visitor {
  cookie: string | null = null
  userId: string | null = null
  /** While it logs in or out, what comes of its other requests means nothing. */
  isMoving = false
  readonly home: number
  readonly #agent: string
  readonly #address: string

  constructor(home: number, number: number) {
    this.home = home
    this.#agent = agents[number % agents.length]!
    this.#address = `10.${(number >> 16) & 255}.${(number >> 8) & 255}.${number & 255}`
  }

  request(): { method: string; url: string; headers: Record<string, string>; socket: { remoteAddress: string } } {
    const headers: Record<string, string> = { host: 'shop.example', 'user-agent': this.#agent }
    if (this.cookie !== null) headers['cookie'] = this.cookie
    return { method: 'GET', url: '/', headers, socket: { remoteAddress: this.#address } }
  }

  take(headers: Headers): void {
    for (const line of headers.getSetCookie()) this.cookie = line.includes('Max-Age=0') ? null : line.slice(0, line.indexOf(';'))
  }
}

/** Visits that begin at random and go their way: pages, requests beside them, logins, thoughts. */
export class Traffic {
  readonly visiting = new Set<Visitor>()
  readonly #time: VirtualTime
  readonly #tally: Tally
  readonly #fleet: Fleet
  readonly #habits: Habits
  #visits = 0
  /** No visit begins, and no visitor asks for another page, while it is true. */
  isQuiet = false
  /** The fleet can't be reached: visitors wait, and try again. */
  isAway = false
  /** How many times as many visits begin as usual. */
  surge = 1
  /** Whether all of them log in. */
  allLogIn = false

  constructor(time: VirtualTime, tally: Tally, fleet: Fleet, habits: Habits) {
    this.#time = time
    this.#tally = tally
    this.#fleet = fleet
    this.#habits = habits
  }

  /** @param hours how long it has been going on already: who is still on a visit goes on with it */
  begin(hours = 0): void {
    const { visitsPerSecond, pages, think } = this.#habits
    const { random } = this.#time
    const mean = 1000 / visitsPerSecond
    for (let ago = random.exponential(mean); ago < hours * 3_600_000; ago += random.exponential(mean)) {
      let left = Math.round(random.pareto(pages.least, pages.most, pages.alpha))
      let until = -ago
      while (left > 0 && until <= 0) {
        until += random.logNormal(think.median, think.sigma)
        left--
      }
      if (left > 0) this.#time.after(until, () => void this.#visit(left))
    }
    this.#next()
  }

  #next(): void {
    const { visitsPerSecond } = this.#habits
    this.#time.after(this.#time.random.exponential(1000 / (visitsPerSecond * this.surge)), () => {
      if (!this.isQuiet) void this.#visit()
      this.#next()
    })
  }

  /** @param left how many pages of it are left */
  async #visit(left?: number): Promise<void> {
    const { random } = this.#time
    const { pages, extras, think, writes, logins, logouts } = this.#habits
    const visitor = new Visitor(random.below(this.#fleet.processes.length), this.#visits++)
    const name = `user-${String(this.#visits).padStart(8, '0')}`
    const isMember = this.allLogIn || random.chance(logins)
    const count = left ?? Math.round(random.pareto(pages.least, pages.most, pages.alpha))
    this.visiting.add(visitor)
    for (let page = 0; page < count && !this.isQuiet; page++) {
      if (page === 1 && isMember) await this.logIn(visitor, name)
      else {
        const changes = page === 0 || random.chance(writes)
        await this.ask(visitor, (session) => (changes ? change(session) : look(session)))
      }
      for (let extra = random.geometric(extras); extra > 0; extra--)
        this.#time.after(random.next() * 800, () => void (this.isAway || this.ask(visitor, look)))
      if (this.isAway) break
      await this.#time.sleep(random.logNormal(think.median, think.sigma))
    }
    if (isMember && random.chance(logouts) && !this.isQuiet) {
      visitor.userId = null
      visitor.isMoving = true
      await this.ask(visitor, async (session) => await session.logout())
    }
    this.visiting.delete(visitor)
  }

  async logIn(visitor: Visitor, userId: string): Promise<void> {
    visitor.isMoving = true
    const done = await this.ask(visitor, async (session) => {
      change(session)
      await session.login(userId)
    })
    visitor.isMoving = false
    if (!done) return
    this.#tally.add('logins')
    visitor.userId = userId
  }

  /** One request. @returns whether it was answered */
  async ask(visitor: Visitor, handler: Handler): Promise<boolean> {
    if (this.isAway && !(await this.#waitFor())) return false
    const [tally, began] = [this.#tally, this.#time.now]
    const { userId, cookie } = visitor
    tally.add('requests')
    try {
      const session = await this.#processFor(visitor).open(visitor.request())
      const isLost = cookie !== null && !visitor.isMoving && visitor.cookie === cookie && session.userId !== userId
      const isForgotten = cookie !== null && !visitor.isMoving && visitor.cookie === cookie && userId === null && session.isNew
      if (isLost) tally.add('lost')
      if (isForgotten) tally.add('lostVisitors')
      if (isLost || isForgotten) visitor.cookie = visitor.userId = null
      await handler(session)
      visitor.take(await session.commit())
      tally.time('request', this.#time.now - began)
      if (isLost && userId !== null) await this.logIn(visitor, userId)
      return true
    } catch (error) {
      tally.add(error instanceof SojournError ? error.code : String(error))
      tally.add('failed')
      return false
    }
  }

  /** About every five seconds, for two minutes. @returns whether it was worth while */
  async #waitFor(): Promise<boolean> {
    for (let tries = 0; this.isAway && tries < 24; tries++) await this.#time.sleep(this.#time.random.exponential(5000))
    return !this.isAway
  }

  #processFor({ home }: Visitor): Sessions<Data> {
    const { processes } = this.#fleet
    return this.#habits.sticky ? processes[home]! : this.#time.random.pick(processes)
  }
}

export function change(session: Session<Data>): void {
  session.data.text = text
  session.data.count++
}

export function look(session: Session<Data>): void {
  // Reading it is what a handler does.
  if (session.data.count < 0) throw new Error('Nobody counts down.')
}
