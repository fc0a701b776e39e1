import { runTask } from '../measure/task.ts'
import type { Row } from '../row.ts'

const sessions = 1_000_000

interface Swept {
  readonly removed: number
  /** How late timers of a millisecond were, and how long a turn of the event loop took, in ms. */
  readonly timer99: number
  readonly turn99: number
  readonly longest: number
  /** For how long its thread ran in a turn, and the processor time of the whole, in ms. */
  readonly running99: number
  readonly runningMost: number
  readonly cpu: number
  /** The same without a sweep. */
  readonly idle99: number
  readonly idleLongest: number
}

export const row: Row = {
  name: 'sweep',
  title: 'What a sweep does to the event loop',
  method:
    `${sessions.toLocaleString('en')} sessions in memory, a tenth of which has expired. The manager’s sweeper removes those in its own batches, with room for ` +
    'requests between them. Two measures of how late the event loop is meanwhile: a timer of one millisecond (`monitorEventLoopDelay`, less that ' +
    'millisecond), and the time from one turn to the next. The same with nothing to sweep shows what the machine adds.',
  async run(tell) {
    tell(`  ${sessions.toLocaleString('en')} sessions`)
    const { removed, timer99, turn99, longest, running99, runningMost, cpu, idle99, idleLongest } = (await runTask('sweep', [
      String(sessions),
    ])) as Swept
    if (removed < 0.09 * sessions || removed > 0.11 * sessions)
      throw new Error(`${removed} were swept, where a tenth of ${sessions} had expired.`)
    return [
      { what: 'delay of a timer, p99', value: timer99, unit: 'ms', goal: { atMost: 5 }, note: `${idle99.toFixed(2)} without a sweep` },
      { what: 'turn of the event loop, p99', value: turn99, unit: 'ms', goal: { atMost: 5 } },
      { what: 'turn of the event loop, longest', value: longest, unit: 'ms', note: `${idleLongest.toFixed(2)} without a sweep` },
      {
        what: 'running in a turn, p99',
        value: running99,
        unit: 'ms',
        note: `${runningMost.toFixed(2)} at most; without the time in which another thread or process had the core`,
      },
      {
        what: 'processor time',
        value: (cpu * 1000) / removed,
        unit: 'µs a swept session',
        note: `${removed.toLocaleString('en')} swept, the turns counted in`,
      },
    ]
  },
}
