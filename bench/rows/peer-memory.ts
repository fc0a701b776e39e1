import { runTask } from '../measure/task.ts'
import type { Row } from '../row.ts'

const sessions = 200_000

interface Filled {
  /** What a session takes, payload and all. */
  readonly bytes: number
  readonly payload: number
  /** How long collecting the expired ones holds up everything else. */
  readonly ms: number
  readonly left: number
}

export const row: Row = {
  name: 'peer-memory',
  title: 'What the peers’ memory stores take',
  method:
    `The heap and the buffers of a process that holds ${sessions.toLocaleString('en')} sessions, after a collection, over those before it; then a tenth has ` +
    'expired, and the store is asked to remove it, which MemoryStore does when all sessions are listed, and memorystore in its `prune()`.',
  async run(tell) {
    const findings = []
    for (const library of ['express-session MemoryStore', 'memorystore']) {
      tell(`  ${library}`)
      const { bytes, payload, ms, left } = (await runTask('peer-memory', [library, String(sessions)], ['--expose-gc'])) as Filled
      if (left !== sessions * 0.9) throw new Error(`${library} kept ${left} sessions where ${sessions * 0.9} had not expired.`)
      findings.push(
        {
          what: `${library}: memory`,
          value: bytes - payload,
          unit: 'bytes a session over payload',
          note: `${Math.round(bytes)} with a payload of ${Math.round(payload)}`,
        },
        { what: `${library}: sweep`, value: ms, unit: 'ms without an answer' },
      )
    }
    return findings
  },
}
