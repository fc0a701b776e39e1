import { filledDisk } from '../measure/filled-disk.ts'
import { runTask } from '../measure/task.ts'
import type { Finding, Row } from '../row.ts'

const few = 100_000
const many = 10_000_000
const rounds = 9

interface Cost {
  /** Microseconds. */
  readonly open: number
  readonly commit: number
}

export const row: Row = {
  name: 'growth',
  title: 'How the cost grows with the number of sessions',
  method:
    `One process with two managers, over a store of ${few.toLocaleString('en')} sessions and one of ${many.toLocaleString('en')}. In turns, ${rounds} rounds, 4,000 users spread ` +
    'among those come again: `open` of each one’s request, then `commit` of a change, one after the other. The figure is the median of the ratios ' +
    'within a round. The sessions on disk are written through lmdb itself, in order and in large transactions, for the sake of time; the users’ own are written by the manager.',
  async run(tell) {
    tell('  memory')
    const inMemory = (await runTask('growth', ['memory', String(few), String(many), String(rounds)])) as Cost[][]
    const folders = [await filledDisk(few, tell), await filledDisk(many, tell)]
    tell('  disk')
    const onDisk = (await runTask('growth', ['disk', ...folders, String(rounds)])) as Cost[][]
    return [...findings('memory', inMemory), ...findings('disk', onDisk)]
  },
}

function findings(where: string, results: readonly Cost[][]): Finding[] {
  return (['open', 'commit'] as const).map((what) => {
    const pairs = results.map(([small, large]) => [small![what], large![what]] as const)
    const ratios = pairs.map(([small, large]) => large / small).toSorted((a, b) => a - b)
    const [small, large] = [0, 1].map((side) => median(pairs.map((pair) => pair[side]!)).toFixed(1))
    return {
      what: `${where}: ${what}`,
      value: median(ratios),
      unit: `× that at ${few.toLocaleString('en')}`,
      goal: { atMost: 1.5 },
      spread: [ratios[0]!, ratios.at(-1)!],
      note: `${small} µs, and ${large} µs`,
    }
  })
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)]!
}
