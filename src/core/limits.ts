import { SojournError } from './errors.ts'
import type { Events } from './events.ts'
import { networkOf } from './network.ts'
import type { ClientView } from './request.ts'
import { Sketch } from './sketch.ts'

/** What strangers may take. Each process counts for itself, over the last one to two windows; a window is the time after which an unused session has expired. */
export interface LimitOptions {
  /**
   * How many anonymous sessions may be created from one address (IPv4 /24, IPv6 /48) within a window. What is beyond is not stored.
   * @default no limit: behind a proxy that is not trusted all clients have one address
   */
  readonly anonymousPerAddress?: number | undefined
  /** How many anonymous sessions may be created within a window. What is beyond is not stored. @default 1,000,000 */
  readonly anonymousTotal?: number | undefined
  /** How many unknown tokens one address may show within a window before the event `guessing` tells of it. Nothing is refused. @default 1000 */
  readonly unknownPerAddress?: number | undefined
  /**
   * What sessions the well-known crawlers get, which send no cookies back: `'share'` gives those of one name and address one
   * anonymous session, of a minute, between them.
   * @default a session each time that a request writes to it, as for everybody
   */
  readonly crawlers?: 'share' | undefined
}

export interface StrangerLimits {
  readonly anonymousPerAddress: number
  readonly anonymousTotal: number
  readonly unknownPerAddress: number
}

/** @throws ERR_SOJOURN_OPTION */
export function resolveLimits(options: LimitOptions = {}): StrangerLimits {
  const { anonymousPerAddress = Infinity, anonymousTotal = 1_000_000, unknownPerAddress = 1000, crawlers } = options
  const limits = { anonymousPerAddress, anonymousTotal, unknownPerAddress }
  for (const [name, value] of Object.entries(limits)) {
    if (value === Infinity || (Number.isSafeInteger(value) && value > 0)) continue
    throw new SojournError(
      'ERR_SOJOURN_OPTION',
      `limits.${name} is ${JSON.stringify(value)}; it must be a whole number from 1 up, or Infinity.`,
    )
  }
  if (crawlers !== undefined && crawlers !== 'share')
    throw new SojournError('ERR_SOJOURN_OPTION', `limits.crawlers is ${JSON.stringify(crawlers)}; it must be 'share', or left out.`)
  return limits
}

/** So many addresses are told of within a window: a flood of requests must not become one of events. */
const toldAtMost = 1000

/** What was counted in one window. */
class Window {
  anonymous = 0
  readonly anonymousOf = new Sketch()
  readonly unknownOf = new Sketch()
  readonly told = new Set<string>()
}

/**
 * Counts what strangers take, by their network, which no store ever learns. It is asked when an anonymous session is created and
 * when a token finds nothing; a request that shows a good one never comes here.
 */
export class Strangers {
  readonly #limits: StrangerLimits
  readonly #window: number
  readonly #events: Events
  #turn = -1
  #current = new Window()
  // Counted in full, so that no window of whatever beginning has more than the limit.
  #before = new Window()

  constructor(limits: StrangerLimits, window: number, events: Events) {
    this.#limits = limits
    this.#window = window
    this.#events = events
  }

  /** Whether one more anonymous session may be stored; if so, it is counted. */
  admit(view: ClientView, now: number): boolean {
    this.#turnTo(now)
    const { anonymousPerAddress, anonymousTotal } = this.#limits
    if (this.#current.anonymous + this.#before.anonymous >= anonymousTotal) {
      this.#tell('anonymousTotal', null)
      return false
    }
    const network = anonymousPerAddress === Infinity ? null : networkOf(view.address)
    if (network !== null) {
      if (this.#current.anonymousOf.count(network) + this.#before.anonymousOf.count(network) >= anonymousPerAddress) {
        this.#tell('anonymousPerAddress', network)
        return false
      }
      this.#current.anonymousOf.add(network)
    }
    this.#current.anonymous++
    return true
  }

  /** A well-formed token was shown that was never issued, or is long forgotten. */
  missed(view: ClientView, now: number): void {
    const network = this.#limits.unknownPerAddress === Infinity ? null : networkOf(view.address)
    if (network === null) return
    this.#turnTo(now)
    this.#current.unknownOf.add(network)
    const count = this.#current.unknownOf.count(network) + this.#before.unknownOf.count(network)
    if (count > this.#limits.unknownPerAddress && this.#isNews(`unknown ${network}`)) this.#events.emit('guessing', { network, count })
  }

  #tell(limit: 'anonymousPerAddress' | 'anonymousTotal', network: string | null): void {
    if (this.#isNews(`${limit} ${network}`)) this.#events.emit('limited', { limit, network })
  }

  /** Once in a window. */
  #isNews(what: string): boolean {
    const { told } = this.#current
    if (told.has(what) || told.size >= toldAtMost) return false
    told.add(what)
    return true
  }

  #turnTo(now: number): void {
    const turn = Math.floor(now / this.#window)
    // A clock that was set back goes on with the window that it was in.
    if (turn <= this.#turn) return
    this.#before = turn === this.#turn + 1 ? this.#current : new Window()
    this.#current = new Window()
    this.#turn = turn
  }
}
