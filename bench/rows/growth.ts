import { filledDisk } from '../measure/filled-disk.ts'
import { pairedRatio, spreadOf } from '../measure/statistics.ts'
import { runTask } from '../measure/task.ts'
import type { Finding, Row } from '../row.ts'

const sizes = [100_000, 1_000_000, 10_000_000] as const
const rounds = 9

const named = sizes.map((size) => size.toLocaleString('en'))
const [few] = named
const many = named.at(-1)!

interface Cost {
  /** Microseconds. */
  readonly open: number
  readonly commit: number
}

export const row: Row = {
  name: 'growth',
  title: 'How the cost grows with the number of sessions',
  method:
    `One process with a manager for each of three stores, of ${named.join(', ')} sessions. In turns, ${rounds} rounds, 4,000 users spread ` +
    'among those come again: `open` of each one’s request, then `commit` of a change, one after the other. The ratio is the median of those ' +
    'within a round. The sessions on disk are written through lmdb itself, in order and in large transactions, for the sake of time; the users’ own are written by the manager.',
  async run(tell) {
    tell('  memory')
    const inMemory = (await runTask('growth', ['memory', String(rounds), ...sizes.map(String)])) as Cost[][]
    const folders: string[] = []
    for (const size of sizes) folders.push(await filledDisk(size, tell))
    tell('  disk')
    const onDisk = (await runTask('growth', ['disk', String(rounds), ...folders])) as Cost[][]
    return [...findings('memory', inMemory), ...findings('disk', onDisk)]
  },
}

/** @param results what each size cost, in each round */
function findings(where: string, results: readonly Cost[][]): Finding[] {
  return (['open', 'commit'] as const).flatMap((what) => {
    const costs = sizes.map((_, index) => results.map((round) => round[index]![what]))
    const { median, least, most } = pairedRatio(costs.at(-1)!, costs[0]!)
    const line = `${where}: ${what}`
    return [
      { what: `${line}, ${many} sessions`, value: median, unit: `× that at ${few}`, goal: { atMost: 1.5 }, spread: [least, most] },
      ...sizes.map((sessions, index): Finding => {
        const { median, least, most } = spreadOf(costs[index]!)
        return { what: `${line}, ${named[index]} sessions`, value: median, unit: 'µs', spread: [least, most], point: { line, sessions } }
      }),
    ]
  })
}
