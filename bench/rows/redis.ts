import { contest } from '../measure/contest.ts'
import { withDatabase } from '../measure/databases.ts'
import { against } from '../measure/findings.ts'
import type { Row } from '../row.ts'

const bare = { name: 'bare node:http', program: 'node', library: 'bare', keeps: 'nothing' } as const

export const row: Row = {
  name: 'redis',
  title: 'node:http, Redis without a near-cache',
  method:
    'A node:http server that answers by one raw GET (R), or GET and SET (W), of a text as long as a session, without session code, by node-redis; ' +
    'with sojourn on `redis()`; and with express-session on connect-redis. 64 sessions take turns. Redis shares the core of the load generator.',
  async run(tell) {
    return await withDatabase('redis', tell, async (url) => {
      const on = { program: 'node', settings: { store: 'redis', url } }
      const raw = { ...on, name: 'raw GET, SET', library: 'raw', keeps: 'text' as const }
      const ours = { ...on, name: 'sojourn', library: 'sojourn' }
      const peer = { ...on, name: 'express-session + connect-redis', library: 'express-session' }
      const result = await contest({ entrants: [bare, raw, ours, peer], sessions: 64, tell })
      return [
        ...against(result, ours.name, raw.name, '× raw', { R: 0.95, W: 0.88 }),
        ...against(result, peer.name, raw.name, '× raw'),
        ...[raw, ours, peer].flatMap(({ name }) => against(result, name, bare.name, '× bare')),
      ]
    })
  },
}
