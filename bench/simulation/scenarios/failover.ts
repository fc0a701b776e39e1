import { figure, percent, type Table } from '../table.ts'
import { type NearCacheSettings, World } from '../world.ts'

const [second, minute] = [1000, 60_000]
/** How long a Redis Cluster took, with node timeouts of a second: docs/stores.md. */
const takeover = 2.5 * second
const lag = second
/** Shards that die, one after the other. */
const rounds = 6
const cases: readonly { readonly name: string; readonly cache: NearCacheSettings | null }[] = [
  { name: 'no near-cache', cache: null },
  { name: 'sticky, bound 5 s', cache: { staleness: 5000, channel: false } },
  { name: 'sticky, bound 60 s', cache: { staleness: minute, channel: false } },
]

/** The primary of one shard of 32 dies, and its replica takes over. */
export async function failover(tell: (line: string) => void, sample = 25e-5): Promise<Table> {
  const rows: string[][] = []
  for (const { name, cache } of cases) {
    tell(`failover: ${name}`)
    const world = new World({ sample, shards: 32, cache, queueing: false, memory: 10 * second })
    const { tally, traffic, database, time } = world
    try {
      traffic.begin(1)
      await world.run(5 * minute)
      let [failed, requests, failedLater] = [0, 0, 0]
      for (const shard of database.shards.slice(0, rounds)) {
        tally.begin()
        shard.fail(time.now + takeover)
        database.loseLast(lag, shard)
        await world.run(takeover)
        failed += tally.count('failed') / rounds
        requests += tally.count('requests') / rounds
        tally.begin()
        await world.run(20 * second)
        failedLater += tally.count('failed') / rounds
      }
      rows.push([name, figure(failed / sample), percent(failed / requests), figure(failedLater / sample)])
    } finally {
      world.end()
    }
  }
  return {
    title: "A shard's failover",
    method: `One of 32 primaries dies; for ${String(takeover / 1000)} s it refuses, then its replica serves, which lacks the last second (it is milliseconds as a rule). No request is tried again. Means of six such failovers, for the whole system.`,
    head: ['', 'requests that failed', 'of all in that time', 'failed in the next 20 s'],
    rows,
  }
}
