import { settings } from '../measure/settings.ts'
import { spreadOf } from '../measure/statistics.ts'
import { runTask } from '../measure/task.ts'
import type { Finding, Row } from '../row.ts'

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
    'millisecond), and the time from one turn to the next. The same with nothing to sweep shows what the machine adds. Medians of the rounds, each a process of its own.',
  async run(tell) {
    const all: Swept[] = []
    for (let round = 1; round <= settings.rounds; round++) {
      tell(`  round ${round} of ${settings.rounds}: ${sessions.toLocaleString('en')} sessions`)
      all.push(await sweep())
    }
    const median = (of: (swept: Swept) => number) => spreadOf(all.map(of)).median
    const inMs = (what: string, of: (swept: Swept) => number, note?: string): Finding => {
      const { median: value, least, most } = spreadOf(all.map(of))
      return { what, value, unit: 'ms', spread: [least, most], ...(note !== undefined && { note }) }
    }
    const without = (of: (swept: Swept) => number) => `${median(of).toFixed(2)} without a sweep`
    const goal = { atMost: 5 }
    return [
      {
        ...inMs(
          'delay of a timer, p99',
          ({ timer99 }) => timer99,
          without(({ idle99 }) => idle99),
        ),
        goal,
      },
      { ...inMs('turn of the event loop, p99', ({ turn99 }) => turn99), goal },
      inMs(
        'turn of the event loop, longest',
        ({ longest }) => longest,
        without(({ idleLongest }) => idleLongest),
      ),
      inMs(
        'running in a turn, p99',
        ({ running99 }) => running99,
        `${spreadOf(all.map(({ runningMost }) => runningMost)).most.toFixed(2)} at most; without the time in which another thread or process had the core`,
      ),
      {
        what: 'processor time',
        value: median(({ cpu, removed }) => (cpu * 1000) / removed),
        unit: 'µs a swept session',
        note: `${median(({ removed }) => removed).toLocaleString('en')} swept, the turns counted in`,
      },
    ]
  },
}

async function sweep(): Promise<Swept> {
  const swept = (await runTask('sweep', [String(sessions)])) as Swept
  const { removed } = swept
  if (removed < 0.09 * sessions || removed > 0.11 * sessions)
    throw new Error(`${removed} were swept, where a tenth of ${sessions} had expired.`)
  return swept
}
