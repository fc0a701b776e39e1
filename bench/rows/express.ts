import { contest } from '../measure/contest.ts'
import { against } from '../measure/findings.ts'
import type { Row } from '../row.ts'

const bare = { name: 'bare Express', program: 'express', library: 'bare', keeps: 'nothing' } as const
const ours = { name: 'sojourn', program: 'express', library: 'sojourn' } as const
const memory = { name: 'express-session', program: 'express', library: 'express-session' } as const
const memorystore = { ...memory, name: 'express-session + memorystore', settings: { store: 'memorystore' } } as const

export const goals = { R: 0.92, W: 0.88 }

export const row: Row = {
  name: 'express',
  title: 'Express 5, memory store',
  method:
    'An Express 5 application in production mode: bare, with `app.use(session(sessions))`, and with express-session; all by their defaults, in memory.',
  async run(tell) {
    const peers = [memory, memorystore]
    const result = await contest({ entrants: [bare, ours, ...peers], tell })
    return [
      ...against(result, ours.name, bare.name, '× bare', goals),
      ...peers.flatMap(({ name }) => against(result, name, bare.name, '× bare')),
    ]
  },
}

/** The same, without the peers: for `npm run bench:quick`. */
export async function quick(tell: (line: string) => void) {
  return against(await contest({ entrants: [bare, ours], tell }), ours.name, bare.name, '× bare', goals)
}
