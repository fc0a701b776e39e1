import { contest } from '../measure/contest.ts'
import { against, boundBy } from '../measure/findings.ts'
import type { Row } from '../row.ts'

const bare = { name: 'bare Fastify', program: 'fastify', library: 'bare', keeps: 'nothing' } as const
const ours = { name: 'sojourn', program: 'fastify', library: 'sojourn' } as const
const byHand = { name: 'by hand', program: 'fastify', library: 'by hand' } as const
const stored = { name: '@fastify/session', program: 'fastify', library: '@fastify/session' } as const
const sealed = { name: '@fastify/secure-session', program: 'fastify', library: '@fastify/secure-session', keeps: 'client' } as const

export const row: Row = {
  name: 'fastify',
  title: 'Fastify 5, memory store',
  method:
    'A Fastify 5 application: bare, with `app.register(session, { sessions })`, with @fastify/session in memory, and with ' +
    '@fastify/secure-session, which keeps the session in its cookie; and with the least of a session written out by hand, as in the first row.',
  async run(tell) {
    const peers = [stored, sealed]
    const result = await contest({ entrants: [bare, ours, byHand, ...peers], tell })
    return [
      ...against(result, ours.name, bare.name, '× bare', { R: 0.8, W: 0.68 }, boundBy(byHand.name)),
      ...against(result, ours.name, byHand.name, '× by hand'),
      ...against(result, byHand.name, bare.name, '× bare'),
      ...peers.flatMap(({ name }) => against(result, name, bare.name, '× bare')),
    ]
  },
}
