import { type Language, missing, node, peers } from '../languages/languages.ts'
import { openRedis } from '../languages/open-redis.ts'
import { begin, kinds, measurePair, medianOf, warmUp, type Kind, type Measured, type Outcome, type Pair } from '../languages/rounds.ts'
import { Server } from '../languages/server.ts'
import type { Finding, Row } from '../row.ts'

const rounds = 5
const seconds = 2
/** In Redis more than there are connections: requests of one session would go out together, or wait for each other. */
const sessionCounts = { memory: 1, redis: 64 } as const

export const row: Row = {
  name: 'languages',
  title: 'Beside peers of other languages',
  method:
    'The same work in four languages: sojourn on node:http, scs on Go’s net/http, tower-sessions on Rust’s axum, and on Spring MVC the sessions of ' +
    'Tomcat and Spring Session; all by their defaults, with one Redis. A figure is requests a second over those of the same language’s bare ' +
    'server in the same round, which is loaded in turn with it and sent the same cookies; medians of five rounds. wrk with one thread and 32 ' +
    'connections on one core, one server at a time on the other: Go with GOMAXPROCS=1, axum on a current-thread runtime, the JVM as it is, but ' +
    'that Tomcat closes no connection after its hundredth request. One session in memory, 64 in Redis. A slower bare server makes for a better ' +
    'ratio: the µs of processor that the sessions add to a request are told with each, and the ratio that they alone would make, which is less ' +
    'exposed to what else the machine does. Redis shares the core of wrk: where a server left its own idle, those two were the limit.',

  async run(tell) {
    const redis = await openRedis()
    tell(`  ${redis.version}`)
    const running: Server[] = []
    try {
      const contestants: Contestant[] = []
      for (const language of [node, ...peers.filter((language) => missing(language) === null)])
        contestants.push(...(await enter(language, redis.url, running, tell)))
      for (let round = 1; round <= rounds; round++)
        for (const kind of kinds) for (const contestant of contestants) await play(contestant, kind, `round ${round} of ${rounds}`, tell)
      return withAbsent(contestants.flatMap(findingsOf))
    } finally {
      await Promise.all(running.map((server) => server.stop()))
      await redis.close()
    }
  },
}

interface Contestant {
  readonly language: Language
  readonly versions: string
  readonly pair: Pair
  readonly outcomes: Readonly<Record<Kind, Outcome[]>>
}

/** Builds a language's servers, starts them, sees that they do the work, and warms them up. */
async function enter(language: Language, redisUrl: string, running: Server[], tell: (line: string) => void): Promise<Contestant[]> {
  const command = await language.build()
  const versions = await language.versions()
  const start = async (mode: Parameters<typeof Server.start>[1]) => {
    const server = await Server.start(command, mode, { ...language.env, REDIS_URL: redisUrl })
    running.push(server)
    return server
  }
  const bare = await start('bare')
  tell(`  bare ${language.bare}: warming up`)
  await warmUp(bare, ['theme=none'], language.warmUp)
  const contestants: Contestant[] = []
  for (const mode of ['memory', 'redis'] as const) {
    const name = language.names[mode]
    const sessions = await start(mode)
    const cookies = await begin(name, sessions, sessionCounts[mode])
    contestants.push({ language, versions, pair: { name, bare, sessions, cookies }, outcomes: { R: [], W: [] } })
    tell(`  ${name} (${versions}) does the work: warming up`)
    await warmUp(sessions, cookies, language.warmUp)
  }
  return contestants
}

async function play({ pair, outcomes }: Contestant, kind: Kind, round: string, tell: (line: string) => void): Promise<void> {
  const outcome = await measurePair(pair, kind, seconds)
  outcomes[kind].push(outcome)
  tell(`  ${round}, ${kind}, requests a second: ${pair.name} ${whole(outcome.sessions.rate)}, bare ${whole(outcome.bare.rate)}`)
}

function findingsOf({ language, versions, pair, outcomes }: Contestant): Finding[] {
  return kinds.map((kind) => {
    const median = (figure: (outcome: Outcome) => number) => medianOf(outcomes[kind].map(figure))
    const ratios = outcomes[kind].map(({ bare, sessions }) => sessions.rate / bare.rate)
    const added = median(({ bare, sessions }) => sessions.cost - bare.cost)
    const told = [
      `${whole(median(({ sessions }) => sessions.rate))} requests a second, bare ${whole(median(({ bare }) => bare.rate))}`,
      // NaN where the system does not tell.
      ...(Number.isFinite(added)
        ? [
            `${added.toFixed(1)} µs of processor added to ${median(({ bare }) => bare.cost).toFixed(1)}, ` +
              `by which it would be ${median(({ bare, sessions }) => bare.cost / sessions.cost).toFixed(2)} ×`,
            `core ${percent(median(({ sessions }) => busy(sessions)))} busy, bare ${percent(median(({ bare }) => busy(bare)))}`,
          ]
        : []),
      ...(kind === 'R' ? [versions] : []),
    ]
    return {
      what: `${pair.name}, ${kind}`,
      value: medianOf(ratios),
      unit: `× bare ${language.bare}`,
      spread: [Math.min(...ratios), Math.max(...ratios)],
      note: told.join('; '),
    }
  })
}

/** Says with the first finding what could not be measured, and why. */
function withAbsent([first, ...others]: readonly Finding[]): readonly Finding[] {
  const absent = peers.flatMap((language) => {
    const program = missing(language)
    return program === null
      ? []
      : [`not beside ${language.names.memory}, nor ${language.names.redis}: there is no \`${program}\` on the PATH`]
  })
  return first === undefined ? [] : [{ ...first, note: [first.note, ...absent].join('; ') }, ...others]
}

/** The share of its core that a server took. */
const busy = ({ rate, cost }: Measured) => (rate * cost) / 1e6

const percent = (share: number) => `${Math.round(share * 100)} %`
const whole = (value: number) => Math.round(value).toLocaleString('en')
