import { figure, percent, type Table } from '../table.ts'
import { type NearCacheSettings, system, World, type WorldOptions } from '../world.ts'

const minute = 60_000
const cases: readonly { readonly name: string; readonly options: Partial<WorldOptions> }[] = [
  { name: 'none, random', options: { sticky: false, processes: 1000 } },
  { name: 'none, sticky', options: {} },
  { name: '5 s, sticky', options: { cache: { staleness: 5000, channel: false } } },
  { name: '60 s, sticky', options: { cache: { staleness: minute, channel: false } } },
  {
    name: '60 s, random over 10',
    options: { sticky: false, processes: 10, processesEach: 1, cache: { staleness: minute, channel: false } },
  },
  { name: '60 s, random over 1,000', options: { sticky: false, processes: 1000, cache: { staleness: minute, channel: false } } },
  {
    name: '30 s and channel, sticky, 20 processes',
    options: { processes: 20, processesEach: 1, cache: { staleness: minute / 2, channel: true } },
  },
  {
    name: '30 s and channel, sticky, 100 processes',
    options: { processes: 100, processesEach: 1, cache: { staleness: minute / 2, channel: true } },
  },
]

/** An ordinary hour: what a request costs the store. */
export async function steady(tell: (line: string) => void, sample = 1e-4): Promise<Table> {
  const rows: string[][] = []
  for (const { name, options } of cases) {
    tell(`steady: ${name}`)
    const { cells } = await steadyWorld({ sample, ...options })
    rows.push([name, ...cells])
  }
  return {
    title: 'An ordinary hour',
    method: `${figure(sample * system.sessions)} of the sessions, after 40 minutes, for 20 more. Per request; commands are those of Redis, two for a put or touch of a user's session.`,
    head: [
      'near-cache',
      'hits',
      'reads',
      'writes',
      'touches',
      'commands',
      'bytes',
      'messages',
      'load of 32 shards',
      'requests a second',
      'stored sessions',
    ],
    rows,
  }
}

/** @internal For the test as well. */
export async function steadyWorld(
  options: WorldOptions & { readonly cache?: NearCacheSettings | null },
  warm = 40 * minute,
  measured = 20 * minute,
): Promise<{ cells: string[]; world: World; stored: number }> {
  const world = new World(options)
  const { tally, traffic, database } = world
  try {
    traffic.begin(1)
    await world.run(warm)
    tally.begin()
    let stored = 0
    let load = 0
    for (let part = 0; part < 10; part++) {
      load += (await world.load(measured / 10)) / 10
      stored += database.size / 10
    }
    const each = (...kinds: string[]): number => kinds.reduce((sum, kind) => sum + tally.count(kind), 0) / tally.count('requests')
    const hits = tally.count('asked') === 0 ? NaN : tally.count('hits') / tally.count('asked')
    const puts = each('put', 'insert')
    const cells = [
      Number.isNaN(hits) ? '–' : percent(hits),
      figure(each('get')),
      figure(puts),
      figure(each('touch')),
      figure(each('commands')),
      figure(each('bytes')),
      figure(each('messages')),
      percent(load),
      figure(tally.rate('requests') / options.sample),
      figure(stored / options.sample),
    ]
    return { cells, world, stored }
  } finally {
    world.end()
  }
}
