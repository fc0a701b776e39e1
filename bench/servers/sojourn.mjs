// Sojourn's own sessions, on the store that the settings name.
import { randomBytes } from 'node:crypto'
import { createSessions } from '../../dist/index.js'
import { sealed } from '../../dist/sealed.js'
import { clients } from './clients.mjs'
import { counted } from './counted.mjs'
import { initial } from './work.mjs'

/** @param {{ library: string, store?: string, url?: string, folder?: string, near?: boolean, counted?: boolean }} settings */
export async function sojournSessions({ library, store = 'memory', url, folder, near = false, counted: isCounted = false }) {
  if (library === 'sealed') return sealed({ keys: [randomBytes(32)], initial })
  const opened = await openStore(store, url, folder)
  const kept = isCounted ? counted(opened, ['get', 'put', 'touch', 'delete']) : opened
  return createSessions({ store: near ? await tiered(kept) : kept, initial })
}

async function openStore(store, url, folder) {
  if (store === 'memory') return (await import('../../dist/stores/memory.js')).memory()
  if (store === 'disk') return (await import('../../dist/stores/disk.js')).disk(folder)
  const client = await clients[store](url)
  if (store === 'redis') return (await import('../../dist/stores/redis.js')).redis(client)
  const made =
    store === 'mysql'
      ? (await import('../../dist/stores/mysql.js')).mysql(client)
      : store === 'postgres'
        ? (await import('../../dist/stores/postgres.js')).postgres(client)
        : (await import('../../dist/stores/mongodb.js')).mongodb(client.db('bench'))
  await made.createSchema()
  return made
}

async function tiered(next) {
  const { tiered } = await import('../../dist/stores/tiered.js')
  return tiered({ memory: { maxBytes: '64 MB' }, next })
}
