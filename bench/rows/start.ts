import { filledDisk } from '../measure/filled-disk.ts'
import { runTask } from '../measure/task.ts'
import type { Row } from '../row.ts'

const sessions = 10_000_000
const rounds = 15

interface Started {
  /** From the process's first line, in ms. */
  readonly start: number
}

export const row: Row = {
  name: 'start',
  title: 'How long it takes to start',
  method:
    `Fresh processes, ${rounds} of each kind in turns, medians: from the first line of the program to the end of \`createSessions()\`, the import included; the same with ` +
    `a disk store of ${sessions.toLocaleString('en')} sessions, to the end of its first read. Beside it, the whole life of such a process, and of one that does nothing.`,
  async run(tell) {
    const folder = await filledDisk(sessions, tell)
    const starts: number[] = []
    const opens: number[] = []
    const lives: number[] = []
    const floors: number[] = []
    for (let round = 0; round < rounds; round++) {
      floors.push((await timed('nothing', [])).life)
      const alone = await timed('start', [])
      starts.push(alone.start)
      lives.push(alone.life)
      opens.push((await timed('start', [folder])).start)
    }
    return [
      { what: 'import and createSessions()', value: median(starts), unit: 'ms', goal: { atMost: 15 }, spread: spread(starts) },
      {
        what: `the same on disk, and the first read of ${sessions.toLocaleString('en')}`,
        value: median(opens),
        unit: 'ms',
        spread: spread(opens),
      },
      {
        what: 'the process, over one that does nothing',
        value: median(lives) - median(floors),
        unit: 'ms',
        note: `${median(floors).toFixed(0)} ms for that one`,
      },
    ]
  },
}

async function timed(task: string, args: readonly string[]): Promise<{ start: number; life: number }> {
  const began = performance.now()
  const { start = 0 } = (await runTask(task, args)) as Partial<Started>
  return { start, life: performance.now() - began }
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)]!
}

function spread(values: readonly number[]): [number, number] {
  return [Math.min(...values), Math.max(...values)]
}
