/**
 * One node of a site: sessions over HTTP, from a memory of its own before a server that all share. Each answer is JSON: whose session it is, and how often
 * the server has been read. Tells its parent where it listens, and whether it hears of changes. Its argument: a NodeSettings, as JSON.
 */
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { Pool } from 'pg'
import { withSession } from '../../../src/adapters/node.ts'
import type { Store } from '../../../src/core/store.ts'
import { createSessions } from '../../../src/sessions.ts'
import { postgres } from '../../../src/stores/postgres.ts'
import { redis } from '../../../src/stores/redis.ts'
import { tiered } from '../../../src/stores/tiered.ts'
import { singles } from '../redis-clients.ts'
import { Watched } from '../watched.ts'

export interface NodeSettings {
  readonly kind: 'redis' | 'postgres'
  readonly url: string
  /** What its keys begin with in Redis. */
  readonly prefix: string
  /** ms */
  readonly staleness: number
  readonly channel: boolean
}

export type NodeMessage = { readonly url: string } | { readonly hears: boolean }

const { kind, url, prefix, staleness, channel } = JSON.parse(process.argv[2]!) as NodeSettings

const stores: Record<NodeSettings['kind'], () => Promise<Store>> = {
  redis: async () => redis((await singles['node-redis']!(url)).client, { prefix }),
  postgres: async () => postgres(new Pool({ connectionString: url, max: 5 })),
}

const tell = (message: NodeMessage) => process.send!(message)

const behind = new Watched(await stores[kind]())
behind.onSaid = () => tell({ hears: behind.isOpen })
const sessions = createSessions({ store: tiered({ next: behind, staleness, channel }), initial: () => ({}) })
const server = createServer(
  withSession(sessions, async (req, res, session) => {
    if (req.url === '/login') await session.login('ada')
    if (req.url === '/logout') await session.logout()
    res.end(JSON.stringify({ userId: session.userId, reads: behind.calls.get }))
  }),
)
server.listen(0, '127.0.0.1', () => tell({ url: `http://127.0.0.1:${(server.address() as AddressInfo).port}` }))
process.once('disconnect', () => process.exit())
