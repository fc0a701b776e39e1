// express-session with each store that people put behind it.
import session from 'express-session'
import { clients } from './clients.mjs'
import { counted } from './counted.mjs'

/** @param {{ store?: string, url?: string, folder?: string, counted?: boolean }} settings */
export async function expressSession({ store = 'memory', url, folder, counted: isCounted = false }) {
  const opened = await storeOf(store, url, folder)
  const kept = isCounted ? counted(opened, ['get', 'set', 'touch', 'destroy']) : opened
  return session({
    secret: 'a secret of the benchmark',
    resave: false,
    saveUninitialized: false,
    store: kept,
  })
}

async function storeOf(store, url, folder) {
  if (store === 'memory') return new session.MemoryStore()
  if (store === 'memorystore') {
    const MemoryStore = (await import('memorystore')).default(session)
    return new MemoryStore({ checkPeriod: 86_400_000 })
  }
  if (store === 'file') {
    const FileStore = (await import('session-file-store')).default(session)
    return new FileStore({ path: folder, logFn: () => {} })
  }
  const client = await clients[store](url)
  if (store === 'redis') {
    const { RedisStore } = await import('connect-redis')
    return new RedisStore({ client })
  }
  if (store === 'mysql') {
    const MysqlStore = (await import('express-mysql-session')).default(session)
    const made = new MysqlStore({}, client)
    await made.onReady()
    return made
  }
  if (store === 'postgres') {
    const PostgresStore = (await import('connect-pg-simple')).default(session)
    return new PostgresStore({ pool: client, createTableIfMissing: true })
  }
  if (store === 'mongodb') {
    const { MongoStore } = await import('connect-mongo')
    return MongoStore.create({ client, dbName: 'bench', collectionName: 'express_sessions' })
  }
  throw new Error(`express-session has no store '${store}' here.`)
}
