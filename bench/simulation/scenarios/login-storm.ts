import { figure, percent, type Table } from '../table.ts'
import { system, World, type NearCacheSettings } from '../world.ts'

const [second, minute] = [1000, 60_000]
const cases: readonly { readonly name: string; readonly shards: number; readonly cache: NearCacheSettings | null }[] = [
  { name: '32 shards, no near-cache', shards: 32, cache: null },
  { name: '64 shards, no near-cache', shards: 64, cache: null },
  { name: '32 shards, sticky near-cache', shards: 32, cache: { staleness: minute, channel: false } },
]

/** A tenth of the users come and log in within a minute, beside the usual visitors. */
export async function loginStorm(tell: (line: string) => void, sample = 25e-5): Promise<Table> {
  const rows: string[][] = []
  const extra = system.sessions / 10 / 60
  for (const { name, shards, cache } of cases) {
    tell(`login storm: ${name}`)
    const world = new World({ sample, ofShards: shards, cache })
    const { tally, traffic } = world
    try {
      traffic.begin(1)
      await world.run(5 * minute)
      const show = async (when: string, ms: number): Promise<void> => {
        tally.begin()
        const load = await world.load(ms)
        const rate = (what: string): string => figure(tally.rate(what) / sample)
        const failed = tally.count('failed') / tally.count('requests')
        const times = [0.5, 0.99].map((share) => figure(tally.quantile('request', share)))
        rows.push([name, when, rate('requests'), rate('logins'), rate('commands'), percent(load), ...times, percent(failed)])
      }
      await show('the minute before', minute)
      traffic.surge = 1 + extra / system.visitsPerSecond
      traffic.allLogIn = true
      await show('first half', 30 * second)
      await show('second half', 30 * second)
      traffic.surge = 1
      traffic.allLogIn = false
      await show('the minute after', minute)
    } finally {
      world.end()
    }
  }
  return {
    title: 'A login storm',
    method: `Ten million users come within a minute and log in on their second page; each then goes on as usual. Rates a second, for the whole system; times in ms, a request's own work not counted; a wait of up to some ten ms is the sample's, not the system's.`,
    head: ['', '', 'requests', 'logins', 'commands', 'load', 'p50', 'p99', 'failed'],
    rows,
  }
}
