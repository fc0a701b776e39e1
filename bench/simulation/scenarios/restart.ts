import { figure, percent, type Table } from '../table.ts'
import { World } from '../world.ts'

const [second, minute] = [1000, 60_000]

/** The whole fleet is restarted: every near-cache is cold. Or it was away for a while, and everybody is waiting. */
export async function restart(tell: (line: string) => void, sample = 25e-5): Promise<Table> {
  const rows: string[][] = []
  for (const away of [0, 5 * minute]) {
    tell(`restart: away for ${String(away / second)} s`)
    const world = new World({ sample, cache: { staleness: minute, channel: false } })
    const { tally, traffic, fleet } = world
    const name = away === 0 ? 'all processes at once' : 'after five minutes away'
    try {
      traffic.begin(1)
      await world.run(5 * minute)
      const show = async (when: string, ms: number): Promise<void> => {
        tally.begin()
        const load = await world.load(ms)
        const rate = (what: string): string => figure(tally.rate(what) / sample)
        const hits = tally.count('hits') / tally.count('asked')
        const puts = figure((tally.rate('put') + tally.rate('insert')) / sample)
        const times = [figure(tally.quantile('request', 0.99)), percent(tally.count('failed') / tally.count('requests'))]
        rows.push([name, when, rate('requests'), percent(hits), rate('get'), puts, rate('touch'), percent(load), ...times])
      }
      await show('before', minute)
      if (away > 0) {
        traffic.isAway = true
        await world.run(away)
      }
      fleet.restart()
      traffic.isAway = false
      await show('first 10 s', 10 * second)
      await show('next 20 s', 20 * second)
      await show('next 30 s', 30 * second)
      await show('second minute', minute)
    } finally {
      world.end()
    }
  }
  return {
    title: 'The fleet restarts',
    method:
      'Sticky near-caches, bound 60 s, 32 shards. While the fleet is away browsers try again about every 5 s, and give up after two minutes. Rates a second, for the whole system.',
    head: ['', '', 'requests', 'hits', 'reads', 'writes', 'touches', 'load', 'p99 ms', 'failed'],
    rows,
  }
}
