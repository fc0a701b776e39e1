import { runTask } from '../measure/task.ts'
import type { Finding, Row } from '../row.ts'

const fillings = [
  { how: 'manager', sessions: 200_000, goal: 176 },
  { how: 'records', sessions: 1_000_000, goal: 144 },
  { how: 'records', sessions: 10_000_000, goal: 144 },
] as const

interface Filled {
  /** What a session takes, payload and all. */
  readonly bytes: number
  /** The encoded data and the user's ID. */
  readonly payload: number
  /** Characters of the head. */
  readonly head: number
  /** What the whole process takes of the machine, divided by the sessions. */
  readonly resident: number
  /** The put in which its thread ran longest, in ms: of those without a garbage collection, and of those with one. */
  readonly longest: number
  readonly longestCollected: number
  /** The same of what lies between two puts, in which the store does nothing. */
  readonly longestBetween: number
  /** How many took more than 5 ms, all counted: of their thread's running, and by the clock. */
  readonly over5: number
  readonly over5ByClock: number
}

export const row: Row = {
  name: 'memory',
  title: 'What a session takes in memory',
  method:
    'Each session is one user’s, logged in from a browser, never renewed. 200,000 are logged in by the manager; one million and ten are put into ' +
    'the store as records made after one of the manager’s, every key, hash and mark another. The heap and the buffers after a collection, over ' +
    'those before, less the payload, which is the encoded data and the user’s ID: what the core itself keeps in the head counts as overhead. ' +
    'The longest step is the put in which its thread ran longest while no garbage was collected. Where the clock has more, another thread or ' +
    'process had the core (V8’s compiler and collectors among them), which is told apart; what other guests of the host take can’t be told from running. So the ' +
    'longest of the steps between is told, too, in which the store does nothing: the making of a record, which takes some µs as a put does.',
  async run(tell) {
    const findings: Finding[] = []
    for (const { how, sessions, goal } of fillings) {
      const named = sessions.toLocaleString('en')
      tell(`  ${named} sessions`)
      const filled = (await runTask('session-memory', [how, String(sessions)], ['--expose-gc'])) as Filled
      findings.push({
        what: `${named} sessions`,
        value: filled.bytes - filled.payload,
        unit: 'bytes a session over payload',
        goal: { atMost: goal },
        note: `a payload of ${Math.round(filled.payload)}, a head of ${filled.head} characters; the process takes ${Math.round(filled.resident)} a session`,
      })
      if (how === 'records') {
        const note =
          `${filled.longestBetween.toFixed(1)} between two puts; with a collection in it ${filled.longestCollected.toFixed(1)}; ${filled.over5} of ${named} ran for more than 5 ms, ` +
          `${filled.over5ByClock} took more by the clock`
        findings.push({
          what: `${named} sessions: longest step of the store`,
          value: filled.longest,
          unit: 'ms',
          goal: { atMost: 5 },
          note,
        })
      }
    }
    return findings
  },
}
