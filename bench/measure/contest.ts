import { Server } from './server.ts'
import { settings } from './settings.ts'
import { pairedRatio, spreadOf, type Spread } from './statistics.ts'
import { Visitor } from './visitor.ts'
import { load } from './wrk.ts'

/** One of the servers that are compared. */
export interface Entrant {
  /** 'express-session + connect-redis' */
  readonly name: string
  /** The program: bench/servers/<program>.mjs */
  readonly program: string
  readonly library: string
  readonly settings?: Readonly<Record<string, unknown>>
  /** 'bare' does no session's work; 'client' keeps its sessions in cookies. @default 'server' */
  readonly keeps?: 'nothing' | 'server' | 'client'
}

/** R reads one value of a session, W changes one. */
export type Kind = 'R' | 'W'
export const kinds: readonly Kind[] = ['R', 'W']

const pathOf: Record<Kind, string> = { R: '/read', W: '/write' }

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
  readonly server: Server
  readonly cookies: readonly string[]
  readonly measured: Record<Kind, Measured[]>
}

interface Measured {
  readonly rate: number
  /** µs of processor that the server's process took for a request. */
  readonly cost: number
  /** ms */
  readonly p99: number
}

/**
 * Loads servers one after the other, round after round, in turn forwards and backwards, so that each is measured beside each.
 * All of them run the whole time, and those that are not loaded do nothing.
 */
export async function contest(options: ContestOptions): Promise<Contest> {
  const { entrants, tell, sessions = 1, core } = options
  const runners: Runner[] = []
  try {
    for (const entrant of entrants) {
      const server = await Server.start({ program: entrant.program, settings: { library: entrant.library, ...entrant.settings }, core })
      runners.push({ entrant, server, cookies: [], measured: { R: [], W: [] } })
    }
    const ready: Runner[] = []
    for (const runner of runners) ready.push({ ...runner, cookies: await visitorsOf(runner, sessions) })
    // What keeps nothing is given the headers that the first one of the others gets.
    const given = ready.find(({ cookies }) => cookies.length > 0)!.cookies
    const all = ready.map((runner) => (runner.cookies.length > 0 ? runner : { ...runner, cookies: given }))
    tell(`  ${entrants.map(({ name }) => name).join(' · ')}: each does its work`)
    for (const kind of kinds) for (const runner of all) await load(runner.server.origin + pathOf[kind], runner.cookies, 2)
    for (let round = 1; round <= settings.rounds; round++) {
      for (const kind of kinds) {
        for (const runner of round % 2 === 1 ? all : all.toReversed()) runner.measured[kind].push(await measure(runner, kind))
        const rates = all.map(({ entrant, measured }) => `${entrant.name} ${Math.round(measured[kind].at(-1)!.rate)}`)
        tell(`  round ${round} of ${settings.rounds}, ${kind}, requests a second: ${rates.join(' · ')}`)
      }
    }
    return new Contest(new Map(all.map(({ entrant, measured }) => [entrant.name, measured])))
  } finally {
    await Promise.all(runners.map(({ server }) => server.stop()))
  }
}

async function measure({ server, cookies }: Runner, kind: Kind): Promise<Measured> {
  const url = server.origin + pathOf[kind]
  await load(url, cookies, settings.warmUp)
  const before = await server.cpu()
  const { requests, rate, p99 } = await load(url, cookies, settings.seconds)
  return { rate, p99, cost: ((await server.cpu()) - before) / requests }
}

/** Begins the sessions, and sees that what is read is in them and that what is written stays. */
async function visitorsOf({ entrant, server }: Runner, sessions: number): Promise<readonly string[]> {
  const { keeps = 'server', name } = entrant
  if (keeps === 'nothing') return []
  const cookies: string[] = []
  for (let made = 0; made < sessions; made++) {
    const visitor = new Visitor(server.origin)
    await visitor.get('/create')
    const before = visitor.cookie
    if (before === '') throw new Error(`${name} set no cookie.`)
    const theme = await visitor.get('/read')
    if (theme !== 'dark') throw new Error(`${name} read '${theme}' where 'dark' had been written.`)
    const first = Number(await visitor.get('/write'))
    const second = Number(await visitor.get('/write'))
    if (!Number.isInteger(first) || second !== first + 1)
      throw new Error(`${name} counted ${first} and then ${second}: it does not keep what is written.`)
    if (keeps === 'client' && visitor.cookie === before) throw new Error(`${name} wrote into a session and did not change its cookie.`)
    cookies.push(visitor.cookie)
    visitor.leave()
  }
  return cookies
}

/** What the rounds came to. */
export class Contest {
  readonly #measured: ReadonlyMap<string, Record<Kind, readonly Measured[]>>

  constructor(measured: ReadonlyMap<string, Record<Kind, readonly Measured[]>>) {
    this.#measured = measured
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

  #of(name: string, kind: Kind, what: keyof Measured): readonly number[] {
    const measured = this.#measured.get(name)
    if (measured === undefined) throw new Error(`Nobody called '${name}' was in the contest.`)
    return measured[kind].map((one) => one[what])
  }
}
