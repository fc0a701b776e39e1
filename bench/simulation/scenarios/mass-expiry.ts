import { figure, percent, type Table } from '../table.ts'
import { costs, system, World } from '../world.ts'

const minute = 60_000

/** At 18:00 everybody goes home. */
export async function goingHome(tell: (line: string) => void, sample = 1e-4): Promise<Table> {
  tell('mass expiry: everybody idle at 18:00')
  const world = new World({ sample, processes: 100 })
  const { tally, traffic } = world
  const rows: string[][] = []
  try {
    traffic.begin(1)
    await world.run(38 * minute)
    const show = async (when: string, minutes: number): Promise<void> => {
      tally.begin()
      const load = await world.load(minutes * minute)
      const rate = (what: string): string => figure(tally.rate(what) / sample)
      rows.push([when, rate('requests'), rate('swept'), percent(load), figure(world.database.size / sample)])
    }
    await show('17:50 to 18:00', 10)
    traffic.isQuiet = true
    await show('18:00 to 18:25', 25)
    await show('18:25 to 18:30', 5)
    await show('18:30 to 18:33', 3)
    await show('18:33 to 18:37', 4)
    await show('18:37 to 18:45', 8)
  } finally {
    world.end()
  }
  return {
    title: 'Everybody goes home at 18:00',
    method:
      'Each session expires 30 minutes after its last use and up to a slice of three more; tombstones of logins after a minute. For the whole system; rates a second.',
    head: ['', 'requests', 'swept', 'load of 32 shards', 'stored at the end'],
    rows,
  }
}

/**
 * Very many sessions expired at one moment (they had begun in one minute and reached their absolute timeout), and so many processes
 * sweep. All shards and indexes at full size; requests keep the shards half busy.
 */
export async function sweepers(tell: (line: string) => void, expired = 200_000): Promise<Table> {
  const rows: string[][] = []
  for (const count of [1, 4, 16, 64]) {
    tell(`mass expiry: ${String(count)} sweep`)
    rows.push(await sweepBy(count, expired))
  }
  return {
    title: 'Ten million sessions expire in one minute',
    method: `All 32 shards, busy to ${percent(background)} with requests, and so many processes in the middle of a sweep; the rest of the ${figure(system.processes)} join within 75 s and stay until all is done. Measured over a second.`,
    head: [
      'processes that sweep',
      'removed a second',
      'found removed already',
      'load of the shards',
      'p99 of a read, ms',
      'ten million take',
    ],
    rows,
  }
}

const background = 0.5

async function sweepBy(count: number, expired: number): Promise<string[]> {
  const world = new World({ sample: 1, processes: count, processesEach: 1, shards: system.shards, habits: { visitsPerSecond: 0 } })
  const { time, tally, database, fleet } = world
  try {
    const now = time.clock.now()
    for (let index = 0; index < expired; index++) {
      const id = index.toString(36).padStart(16, 'A')
      // As dense as ten million in a minute.
      const expiresAt = now - 1 - Math.floor((time.random.next() * expired) / (1e7 / 60_000))
      const times = { createdAt: expiresAt - 2, lastSeenAt: expiresAt - 1, expiresAt }
      database.write({ id, version: 1, userId: null, ...times, head: '', data: '{}' }, null)
    }
    // Requests that no one looks at: the shards' time goes to them.
    const occupy = (): void => {
      for (const shard of database.shards) shard.serve(time.now, background * 1000, 1)
      time.after(1, occupy)
    }
    occupy()
    const cookie = `sid=${'0'.repeat(48)}`
    const ask = async (): Promise<void> => {
      const began = time.now
      await fleet.processes[0]!.open(new Headers({ cookie }))
      tally.time('read', time.now - began)
    }
    const read = (): void => {
      void ask()
      time.after(time.random.exponential(2), read)
    }
    read()
    for (const sessions of fleet.processes) time.after(time.random.next() * 200, () => void sessions.sweep())
    await world.run(300)
    tally.begin()
    const load = await world.load(1000)
    const [removed, vain] = [tally.rate('swept'), tally.rate('sweptInVain')]
    return [
      figure(count),
      figure(removed),
      percent(vain / (removed + vain)),
      percent(load),
      figure(tally.quantile('read', 0.99)),
      `${figure(1e7 / removed / 60)} min`,
    ]
  } finally {
    world.end()
  }
}

/** What one process can do at most, its own time alone counted: a closed formula for the test. */
export const sweptAtMost = 200 / ((costs.verbs.sweepEmpty.clientMicros + 200 * costs.verbs.sweepRow.clientMicros) / 1e6)
