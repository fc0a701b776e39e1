import { contest } from '../measure/contest.ts'
import { against, boundBy } from '../measure/findings.ts'
import type { Row } from '../row.ts'

const bare = { name: 'bare Express', program: 'express', library: 'bare', keeps: 'nothing' } as const
const ours = { name: 'sojourn', program: 'express', library: 'sojourn' } as const
const byHand = { name: 'by hand', program: 'express', library: 'by hand' } as const
const memory = { name: 'express-session', program: 'express', library: 'express-session' } as const
const memorystore = { ...memory, name: 'express-session + memorystore', settings: { store: 'memorystore' } } as const

export const goals = { R: 0.92, W: 0.88 }

export const row: Row = {
  name: 'express',
  title: 'Express 5, memory store',
  method:
    'An Express 5 application in production mode: bare, with `app.use(session(sessions))`, and with express-session; all by their defaults, in memory; and with the least of a session written out by hand, as in the row above.',
  async run(tell) {
    const peers = [memory, memorystore]
    const result = await contest({ entrants: [bare, ours, byHand, ...peers], tell })
    return [
      ...against(result, ours.name, bare.name, '× bare', goals, boundBy(byHand.name)),
      ...against(result, ours.name, byHand.name, '× by hand'),
      ...against(result, byHand.name, bare.name, '× bare'),
      ...peers.flatMap(({ name }) => against(result, name, bare.name, '× bare')),
    ]
  },
}

/** The same, without the peers: for `npm run bench:quick`. */
export async function quick(tell: (line: string) => void) {
  return against(await contest({ entrants: [bare, ours], tell }), ours.name, bare.name, '× bare', goals)
}
