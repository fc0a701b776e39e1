import { figure, type Table } from '../table.ts'
import { change, Visitor } from '../traffic.ts'
import { type NearCacheSettings, World } from '../world.ts'

const cases: readonly { readonly name: string; readonly cache: NearCacheSettings | null; readonly cut?: boolean }[] = [
  { name: 'no near-cache', cache: null },
  { name: 'bound 60 s, channel', cache: { staleness: 60_000, channel: true } },
  { name: 'bound 60 s, channel cut', cache: { staleness: 60_000, channel: true }, cut: true },
  { name: 'bound 5 s, no channel', cache: { staleness: 5000, channel: false } },
]

/** How long each process still lets a session in whose user was logged out everywhere. */
export async function revocation(tell: (line: string) => void, processes = 200): Promise<Table> {
  const rows: string[][] = []
  for (const { name, cache, cut = false } of cases) {
    tell(`revocation: ${name}`)
    const letIn = (await revoke(cache, cut, processes)).toSorted((one, other) => one - other)
    const median = letIn[Math.floor(letIn.length / 2)]!
    rows.push([name, figure(median), figure(letIn.at(-1)!), cache === null ? '–' : figure(cache.staleness)])
  }
  return {
    title: 'A user is logged out everywhere',
    method: `Someone shows the session's cookie to each of ${String(processes)} processes about every 100 ms, before and after \`endUser\` was called on one of them. Ms from the call until the last request that a process let in.`,
    head: ['', 'median process', 'last process', 'bound'],
    rows,
  }
}

/** @internal For the test as well. @returns for each process, how long it let the session in, in ms */
export async function revoke(cache: NearCacheSettings | null, cut: boolean, processes: number): Promise<number[]> {
  const world = new World({ sample: 1e-4, processes, cache, queueing: false })
  const { time, database, fleet } = world
  try {
    const owner = new Visitor(0, 1)
    await time.settle(
      (async () => {
        const session = await fleet.processes[0]!.open(owner.request())
        change(session)
        await session.login('ada')
        owner.take(await session.commit())
      })(),
    )
    const began = time.now
    const last = fleet.processes.map(() => 0)
    let revoked = Infinity
    const limit = 2 * (cache?.staleness ?? 1000)
    const probe = async (process: number): Promise<void> => {
      const asked = time.now
      const session = await fleet.processes[process]!.open(owner.request())
      if (session.userId === 'ada' && asked > revoked) last[process] = asked - revoked
    }
    for (const [process] of fleet.processes.entries()) {
      const again = (): void => {
        void probe(process)
        if (time.now < began + 2 * limit) time.after(time.random.exponential(100), again)
      }
      // As those of a busy site they first read it at any time.
      time.after(time.random.next() * (limit / 2), again)
    }
    await world.run(limit)
    if (cut) database.cutChannel(false)
    revoked = time.now
    await time.settle(fleet.processes[0]!.endUser('ada'))
    await world.run(limit)
    return last
  } finally {
    world.end()
  }
}
