import { decodeTombstone, isTombstone } from '../../../src/core/head.ts'
import { figure, percent, type Table } from '../table.ts'
import { World } from '../world.ts'

const [second, minute] = [1000, 60_000]

/** The region is lost. Another one goes on from a copy that lags behind. */
export async function regionLoss(tell: (line: string) => void, sample = 2e-4): Promise<Table> {
  const rows: string[][] = []
  for (const lag of [1, 10, 60]) {
    tell(`region loss: lag ${String(lag)} s`)
    const { undone, active, lost, lostVisitors, revived, late } = await lose(lag * second, sample)
    const whole = (count: number): string => figure(count / sample)
    rows.push([
      `${String(lag)} s`,
      whole(undone),
      whole(active),
      whole(lost),
      percent(lost / active),
      whole(lostVisitors),
      whole(late),
      whole(revived),
    ])
  }
  return {
    title: 'A region is lost',
    method: `Its visitors come back to another region after 30 s, where a copy of the store lacks the last writes; all near-caches there are cold. Counted over the four minutes that follow, for the whole system; one visitor of the sample stands for ${figure(1 / sample)}.`,
    head: [
      'lag',
      'sessions with writes undone',
      'visitors then active',
      'users who log in again',
      'of the active',
      'anonymous visitors who start anew',
      'secrets refused as late',
      'logouts undone',
    ],
    rows,
  }
}

export interface Loss {
  /** Sessions of which some write was undone, the notes of a use included. */
  readonly undone: number
  readonly active: number
  readonly lost: number
  readonly lostVisitors: number
  readonly late: number
  readonly revived: number
  /** A second, before. */
  readonly loginRate: number
}

/** @internal For the test as well. */
export async function lose(lag: number, sample: number, warm = 20 * minute): Promise<Loss> {
  let late = 0
  const world = new World({
    sample,
    queueing: false,
    memory: 70 * second,
    on: (sessions) => void sessions.on('suspected', ({ reason }) => void (reason === 'late' && late++)),
  })
  const { tally, traffic, database, fleet } = world
  try {
    traffic.begin(1)
    await world.run(warm - minute)
    tally.begin()
    await world.run(minute)
    const loginRate = tally.rate('logins')
    const active = traffic.visiting.size
    const before = new Map(database.idsOf(undefined).map((id) => [id, database.read(id)!]))
    traffic.isAway = true
    // What is on its way is lost with the region.
    await world.run(2 * second)
    const undone = database.loseLast(2 * second + lag)
    await world.run(28 * second)
    late = 0
    fleet.restart()
    tally.begin()
    traffic.isAway = false
    await world.run(4 * minute)
    const revived = [...undone].filter((id) => {
      const record = before.get(id)
      return record !== undefined && isTombstone(record.head) && decodeTombstone(record.head)?.cause === 'logout'
    }).length
    const [lost, lostVisitors] = [tally.count('lost'), tally.count('lostVisitors')]
    return { undone: undone.size, active, lost, lostVisitors, late, revived, loginRate }
  } finally {
    world.end()
  }
}
