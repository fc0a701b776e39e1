import { contest } from '../measure/contest.ts'
import { against } from '../measure/findings.ts'
import type { Row } from '../row.ts'

const bare = { name: 'bare node:http', program: 'node', library: 'bare', keeps: 'nothing' } as const
const ours = { name: 'sojourn', program: 'node', library: 'sojourn' } as const
const peer = { name: 'express-session', program: 'node', library: 'express-session' } as const

export const goals = { R: 0.85, W: 0.72 }

export const row: Row = {
  name: 'node-http',
  title: 'node:http, memory store',
  method:
    'A node:http server that answers 100 bytes: bare, with `withSession(sessions, …)`, and with express-session called as a function; ' +
    'both by their defaults, in memory. The bare server is sent the same request headers, the session cookie included.',
  async run(tell) {
    const result = await contest({ entrants: [bare, ours, peer], tell })
    return [...against(result, ours.name, bare.name, '× bare', goals), ...against(result, peer.name, bare.name, '× bare')]
  },
}

/** The same, without the peer: for `npm run bench:quick`. */
export async function quick(tell: (line: string) => void) {
  return against(await contest({ entrants: [bare, ours], tell }), ours.name, bare.name, '× bare', goals)
}
