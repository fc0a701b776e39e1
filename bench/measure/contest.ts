import { type Loadable, Server } from './server.ts'
import { settings } from './settings.ts'
import { pairedRatio, spreadOf, type Spread } from './statistics.ts'
import { Visitor } from './visitor.ts'
import { type Client, load, type Load } from './wrk.ts'

/** One of the servers that are compared. */
export type Entrant = Participant & (Listed | Foreign)

interface Participant {
  /** 'express-session + connect-redis' */
  readonly name: string
  /** 'nothing' does no session's work, 'text' no more than to keep one; 'client' keeps sessions in cookies. @default 'server' */
  readonly keeps?: 'nothing' | 'text' | 'server' | 'client'
  /** What its clients say of themselves, beside the cookie. @default nothing */
  readonly headers?: Readonly<Record<string, string>>
  /** How many requests of each kind it answers before it is as fast as it will be, where four seconds may not do: for half a minute at most. */
  readonly warmUp?: number
}

interface Listed {
  /** The program: bench/servers/<program>.mjs */
  readonly program: string
  readonly library: string
  readonly settings?: Readonly<Record<string, unknown>>
}

interface Foreign {
  /** Starts a program of another language. */
  readonly start: () => Promise<Loadable>
}

/** R reads one value of a session, W changes one. */
export type Kind = 'R' | 'W'
export const kinds: readonly Kind[] = ['R', 'W']

export const pathOf: Record<Kind, string> = { R: '/read', W: '/write' }

export interface ContestOptions {
  readonly entrants: readonly Entrant[]
  /**
   * How many sessions the requests take in turn. One is the least work for a processor's caches; a store that is asked over a network
   * gets more than there are connections, or writers of one session would go out together and be measured as one.
   * @default 1
   */
  readonly sessions?: number
  readonly core?: number | 'any'
  readonly tell: (line: string) => void
}

interface Runner {
  readonly entrant: Entrant
  readonly server: Loadable
  readonly visitors: readonly Visitor[]
  readonly client: Client
  readonly measured: Record<Kind, Measured[]>
  /** How many W requests were answered. */
  writes: number
}

interface Measured {
  readonly rate: number
  /** µs of processor that the server's process took for a request. */
  readonly cost: number
}

/**
 * Loads servers one after the other, round after round, in turn forwards and backwards, so that each is measured beside each.
 * All of them run the whole time, and those that are not loaded do nothing.
 */
export async function contest(options: ContestOptions): Promise<Contest> {
  const { entrants, tell, sessions = 1, core } = options
  const servers: Loadable[] = []
  try {
    const runners: Runner[] = []
    for (const entrant of entrants) {
      const server = await start(entrant, core)
      servers.push(server)
      const visitors = await begin(entrant, server, sessions)
      const client = { cookies: visitors.map(({ cookie }) => cookie), headers: entrant.headers ?? {} }
      runners.push({ entrant, server, visitors, client, measured: { R: [], W: [] }, writes: 0 })
    }
    // What keeps nothing is given the cookies of those who do.
    const { cookies } = runners.find(({ visitors }) => visitors.length > 0)!.client
    const all = runners.map((runner) => (runner.visitors.length > 0 ? runner : { ...runner, client: { ...runner.client, cookies } }))
    tell(`  ${entrants.map(({ name }) => name).join(' · ')}: each does its work`)
    for (const kind of kinds) for (const runner of all) await warmUp(runner, kind)
    for (let round = 1; round <= settings.rounds; round++) {
      for (const kind of kinds) {
        for (const runner of round % 2 === 1 ? all : all.toReversed()) runner.measured[kind].push(await measure(runner, kind))
        const rates = all.map(({ entrant, measured }) => `${entrant.name} ${Math.round(measured[kind].at(-1)!.rate)}`)
        tell(`  round ${round} of ${settings.rounds}, ${kind}, requests a second: ${rates.join(' · ')}`)
      }
    }
    const outcomes = new Map<string, Outcome>()
    for (const runner of all) outcomes.set(runner.entrant.name, { ...runner.measured, kept: await keptBy(runner) })
    return new Contest(outcomes)
  } finally {
    await Promise.all(servers.map((server) => server.stop()))
  }
}

async function start(entrant: Entrant, core: number | 'any' | undefined): Promise<Loadable> {
  if ('start' in entrant) return await entrant.start()
  return await Server.start({ program: entrant.program, settings: { library: entrant.library, ...entrant.settings }, core })
}

async function warmUp(runner: Runner, kind: Kind): Promise<void> {
  // A server over a database's driver took twice as long for a request after two seconds as after six.
  let { requests } = await give(runner, kind, 4)
  // Compilers count.
  for (let times = 1; requests < (runner.entrant.warmUp ?? 0) && times < 15; times++) requests += (await give(runner, kind, 2)).requests
}

async function give(runner: Runner, kind: Kind, seconds: number): Promise<Load> {
  const given = await load(runner.server.origin + pathOf[kind], runner.client, seconds)
  if (kind === 'W') runner.writes += given.requests
  return given
}

async function measure(runner: Runner, kind: Kind): Promise<Measured> {
  await give(runner, kind, settings.warmUp)
  const before = await runner.server.cpu()
  const { requests, rate } = await give(runner, kind, settings.seconds)
  if (requests === 0) throw new Error(`${runner.entrant.name} answered nothing in ${settings.seconds} s.`)
  return { rate, cost: ((await runner.server.cpu()) - before) / requests }
}

/** Begins the sessions, and sees that what is read is in them and that what is written stays. */
async function begin({ keeps = 'server', name, headers }: Entrant, server: Loadable, sessions: number): Promise<readonly Visitor[]> {
  if (keeps === 'nothing') return []
  const visitors = Array.from({ length: sessions }, () => new Visitor(server.origin, headers))
  for (const visitor of visitors) {
    await visitor.get('/create')
    const before = visitor.cookie
    if (before === '') throw new Error(`${name} set no cookie.`)
    const theme = await visitor.get('/read')
    if (theme !== 'dark') throw new Error(`${name} read '${theme}' where 'dark' had been written.`)
    const counts = [Number(await visitor.get('/write')), Number(await visitor.get('/write'))] as const
    if (!Number.isInteger(counts[0]) || counts[1] !== counts[0] + 1) throw new Error(`${name} counted ${counts.join(', then ')}.`)
    if (keeps === 'client' && visitor.cookie === before) throw new Error(`${name} wrote into a session and did not change its cookie.`)
    visitor.leave()
  }
  return visitors
}

/**
 * @returns how much of what was counted is in the sessions; null where that can't be told. Two requests that raise a counter from the same
 *   base count one, in sojourn, too, where `update` is for that
 */
async function keptBy({ entrant, visitors, writes }: Runner): Promise<number | null> {
  if ((entrant.keeps ?? 'server') !== 'server') return null
  let counted = 0
  for (const visitor of visitors) {
    // It counted two before, and counts this one.
    counted += Number(await visitor.get('/write')) - 3
    visitor.leave()
  }
  // Those that wrk left unanswered at the end of its time may have landed, too.
  return writes === 0 ? null : Math.min(1, counted / writes)
}

interface Outcome extends Record<Kind, readonly Measured[]> {
  readonly kept: number | null
}

/** What the rounds came to. */
export class Contest {
  readonly #outcomes: ReadonlyMap<string, Outcome>

  constructor(outcomes: ReadonlyMap<string, Outcome>) {
    this.#outcomes = outcomes
  }

  /** Requests a second of one over those of another, round by round. */
  ratio(name: string, over: string, kind: Kind): Spread {
    return pairedRatio(this.#of(name, kind, 'rate'), this.#of(over, kind, 'rate'))
  }

  /** Requests a second. */
  rate(name: string, kind: Kind): number {
    return spreadOf(this.#of(name, kind, 'rate')).median
  }

  /** µs of processor for a request, in the server's process. */
  cost(name: string, kind: Kind): number {
    return spreadOf(this.#of(name, kind, 'cost')).median
  }

  /** How much of what it counted was there in the end, from 0 to 1; null where that can't be told. */
  kept(name: string): number | null {
    return this.#outcome(name).kept
  }

  #of(name: string, kind: Kind, what: keyof Measured): readonly number[] {
    return this.#outcome(name)[kind].map((one) => one[what])
  }

  #outcome(name: string): Outcome {
    const outcome = this.#outcomes.get(name)
    if (outcome === undefined) throw new Error(`Nobody called '${name}' was in the contest.`)
    return outcome
  }
}
