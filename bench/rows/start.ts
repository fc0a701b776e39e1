import { filledDisk } from '../measure/filled-disk.ts'
import { pairedRatio, spreadOf } from '../measure/statistics.ts'
import { runTask } from '../measure/task.ts'
import type { Finding, Row } from '../row.ts'

const few = 100_000
const many = 10_000_000
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
    `a disk store of ${few.toLocaleString('en')} and of ${many.toLocaleString('en')} sessions, to the end of its first read: what scanned them would take the longer the more ` +
    'there are. Beside it, what Node takes for its own modules that are needed and V8 to compile the files, none of which runs; the whole life of such a process, and of one that does nothing.',
  async run(tell) {
    const folders = [await filledDisk(few, tell), await filledDisk(many, tell)] as const
    const times = {
      nothing: [] as number[],
      compiled: [] as number[],
      alone: [] as number[],
      life: [] as number[],
      few: [] as number[],
      many: [] as number[],
    }
    for (let round = 0; round < rounds; round++) {
      times.nothing.push((await timed('nothing', [])).life)
      times.compiled.push((await timed('compile', [], ['--experimental-vm-modules', '--no-warnings'])).start)
      const { start, life } = await timed('start', [])
      times.alone.push(start)
      times.life.push(life)
      times.few.push((await timed('start', [folders[0]])).start)
      times.many.push((await timed('start', [folders[1]])).start)
    }
    const floor = spreadOf(times.nothing).median
    const compiled = inMs('Node’s own modules, and V8’s compiling', times.compiled)
    const growth = pairedRatio(times.many, times.few)
    return [
      {
        ...inMs('import and createSessions()', times.alone),
        goal: { atMost: 15 },
        bound: { value: compiled.value!, of: 'compiling alone' },
      },
      compiled,
      inMs(`the same on disk, and the first read of ${few.toLocaleString('en')}`, times.few),
      inMs(`the same on disk, and the first read of ${many.toLocaleString('en')}`, times.many),
      {
        what: `that of ${many.toLocaleString('en')}`,
        value: growth.median,
        unit: `× that of ${few.toLocaleString('en')}`,
        goal: { atMost: 1.5 },
        spread: [growth.least, growth.most],
      },
      {
        what: 'the process, over one that does nothing',
        value: spreadOf(times.life).median - floor,
        unit: 'ms',
        note: `${floor.toFixed(0)} ms for that one`,
      },
    ]
  },
}

async function timed(task: string, args: readonly string[], nodeOptions: readonly string[] = []): Promise<{ start: number; life: number }> {
  const began = performance.now()
  const { start = 0 } = (await runTask(task, args, nodeOptions)) as Partial<Started>
  return { start, life: performance.now() - began }
}

function inMs(what: string, times: readonly number[]): Finding {
  const { median, least, most } = spreadOf(times)
  return { what, value: median, unit: 'ms', spread: [least, most] }
}
