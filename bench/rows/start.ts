import { filledDisk } from '../measure/filled-disk.ts'
import { pairedRatio, spreadOf } from '../measure/statistics.ts'
import { runTask } from '../measure/task.ts'
import type { Finding, Row } from '../row.ts'

const few = 100_000
const many = 10_000_000
const rounds = 15

/** Those that a server may have instead. */
const beside = ['sojourn', 'express-session', 'cookie-session', '@fastify/session', 'iron-session'] as const

/** In ms. */
interface Started {
  /** What was started, the import counted in. */
  readonly start: number
  /** The part of it until all was imported: of sojourn, or of Node's own modules alone. */
  readonly import: number
  /** A second `createSessions()`. */
  readonly again: number
  /** The whole process, from its first instruction to its end. */
  readonly life: number
}

export const row: Row = {
  name: 'start',
  title: 'How long it takes to start',
  method:
    `Fresh processes, ${rounds} of each kind in turns, medians: from the first line of the program to the end of \`createSessions()\`, the import included; the same with ` +
    `a disk store of ${few.toLocaleString('en')} and of ${many.toLocaleString('en')} sessions, to the end of its first read: what scanned them would take the longer the more ` +
    'there are. Then what the first consists of; what Node takes for its own modules, and V8 to compile sojourn’s files, is measured in a process in which none of these runs. Then the ' +
    'libraries beside one another, in processes that have node:http by then: import, and the call that makes the middleware, where it needs no application. Last the whole ' +
    'life of such a process, over one that does nothing.',
  async run(tell) {
    const folders = [await filledDisk(few, tell), await filledDisk(many, tell)] as const
    const nothing: Started[] = []
    const compiled: Started[] = []
    const alone: Started[] = []
    const onFew: Started[] = []
    const onMany: Started[] = []
    const libraries = new Map<string, Started[]>(beside.map((library) => [library, []]))
    for (let round = 0; round < rounds; round++) {
      nothing.push(await started('nothing', []))
      compiled.push(await started('compile', [], ['--experimental-vm-modules', '--no-warnings']))
      alone.push(await started('start', []))
      onFew.push(await started('start', [folders[0]]))
      onMany.push(await started('start', [folders[1]]))
      for (const [library, all] of libraries) all.push(await started('start-beside', [library]))
    }
    const startOf = ({ start }: Started) => start
    const compiling = inMs('Node’s own modules, and V8’s compiling', compiled, startOf)
    const growth = pairedRatio(onMany.map(startOf), onFew.map(startOf))
    const loaded = alone.map((one, round) => one.import - compiled[round]!.start)
    return [
      {
        ...inMs('import and createSessions()', alone, startOf),
        goal: { atMost: 15 },
        bound: { value: compiling.value!, of: 'compiling alone' },
      },
      inMs(`the same on disk, and the first read of ${few.toLocaleString('en')}`, onFew, startOf),
      inMs(`the same on disk, and the first read of ${many.toLocaleString('en')}`, onMany, startOf),
      {
        what: `that of ${many.toLocaleString('en')}`,
        value: growth.median,
        unit: `× that of ${few.toLocaleString('en')}`,
        goal: { atMost: 1.5 },
        spread: [growth.least, growth.most],
      },
      compiling,
      inMs('of that, Node’s own modules', compiled, (one) => one.import),
      inMs('finding, reading and running the files', loaded, (ms) => ms, 'what is left of the import'),
      inMs(
        'createSessions()',
        alone,
        (one) => one.start - one.import,
        `${spreadOf(alone.map(({ again }) => again)).median.toFixed(2)} when called a second time: the first has V8 compile what it calls`,
      ),
      ...Array.from(libraries, ([library, all]) => inMs(`${library}, where node:http is there`, all, startOf)),
      {
        what: 'the process, over one that does nothing',
        value: medianLife(alone) - medianLife(nothing),
        unit: 'ms',
        note: `${medianLife(nothing).toFixed(0)} ms for that one`,
      },
    ]
  },
}

async function started(task: string, args: readonly string[], nodeOptions: readonly string[] = []): Promise<Started> {
  const began = performance.now()
  const told = (await runTask(task, args, nodeOptions)) as Omit<Started, 'life'>
  return { ...told, life: performance.now() - began }
}

function medianLife(all: readonly Started[]): number {
  return spreadOf(all.map(({ life }) => life)).median
}

function inMs<One>(what: string, all: readonly One[], of: (one: One) => number, note?: string): Finding {
  const { median, least, most } = spreadOf(all.map(of))
  return { what, value: median, unit: 'ms', spread: [least, most], ...(note !== undefined && { note }) }
}
