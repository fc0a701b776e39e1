import { withFolder } from '../measure/folder.ts'
import { Server } from '../measure/server.ts'
import { Visitor } from '../measure/visitor.ts'
import type { Finding, Row } from '../row.ts'

const reads = 1000

export const row: Row = {
  name: 'calls',
  title: 'What 1,000 reads ask of the store',
  method: `One visitor's session is read ${reads.toLocaleString('en')} times over HTTP, right after it began, and the calls that arrive at the store are counted; with a near-cache, those at the store behind it.`,
  async run() {
    return await withFolder(async (folder) => {
      const ours = await callsOf('sojourn', { store: 'memory' })
      const near = await callsOf('sojourn', { store: 'disk', folder, near: true })
      const peer = await callsOf('express-session', { store: 'memory' })
      return [
        finding('sojourn: reads', ours['get']!),
        finding('sojourn: writes', sum(ours, ['put', 'touch', 'delete']), 0),
        finding('sojourn with a near-cache: reads', near['get']!, 0),
        finding('sojourn with a near-cache: writes', sum(near, ['put', 'touch', 'delete']), 0),
        finding('express-session: reads', peer['get']!),
        finding('express-session: writes', sum(peer, ['set', 'touch', 'destroy'])),
      ]
    })
  },
}

type Counts = Readonly<Record<string, number>>

async function callsOf(library: string, settings: Record<string, unknown>): Promise<Counts> {
  const server = await Server.start({ program: 'node', settings: { library, ...settings, counted: true } })
  try {
    const visitor = new Visitor(server.origin)
    await visitor.get('/create')
    // A near-cache may read what it has not read yet.
    await visitor.get('/read')
    const before = (await server.ask('counts')) as Counts
    for (let read = 0; read < reads; read++) await visitor.get('/read')
    const after = (await server.ask('counts')) as Counts
    visitor.leave()
    return Object.fromEntries(Object.entries(after).map(([verb, count]) => [verb, count - before[verb]!]))
  } finally {
    await server.stop()
  }
}

const sum = (counts: Counts, verbs: readonly string[]) => verbs.reduce((total, verb) => total + counts[verb]!, 0)

const finding = (what: string, value: number, atMost?: number): Finding => ({
  what,
  value,
  unit: 'calls',
  ...(atMost !== undefined && { goal: { atMost } }),
})
