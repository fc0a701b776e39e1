import { mkdirSync } from 'node:fs'
import { dirname, resolve } from 'node:path'
import { SojournError } from '../../core/errors.ts'
import type { Store } from '../../core/store.ts'
import { mysql } from '../mysql.ts'
import { postgres } from '../postgres.ts'
import { sqlite, type SqliteDatabase } from '../sqlite.ts'
import { connectLimit, driver, isAbsent, ready } from './driver.ts'
import { reading, serverUrl, takeParameter } from './url.ts'

const mysqlForm = 'mysql://user:password@host:3306/database?table=sessions'
const postgresForm = 'postgres://user:password@host:5432/database?table=sessions'

export async function openMysql(text: string): Promise<Store> {
  const { createPool } = await driver('mysql2', () => import('mysql2/promise'))
  const { url, value: table } = takeParameter(text, 'table')
  // What the URL itself says counts.
  const limit = url.includes('connectTimeout=') ? {} : { connectTimeout: connectLimit }
  const pool = reading(mysqlForm, () => createPool({ uri: serverUrl(url), ...limit }))
  const store = mysql(pool, table === undefined ? {} : { table }, () => pool.end())
  return await ready(store, () => store.createSchema())
}

export async function openPostgres(text: string): Promise<Store> {
  const { default: pg } = await driver('pg', () => import('pg'))
  const { url: rest, value: table } = takeParameter(text, 'table')
  const { url, value: schema } = takeParameter(rest, 'schema')
  const pool = reading(postgresForm, () => {
    // The pool reads its URL when it first connects, and shows it in the error; a client reads it at once.
    void new pg.Client({ connectionString: url })
    return new pg.Pool({ connectionString: url, connectionTimeoutMillis: connectLimit })
  })
  const names = { ...(table !== undefined && { table }), ...(schema !== undefined && { schema }) }
  const store = postgres(pool, names, () => pool.end())
  return await ready(store, () => store.createSchema())
}

interface Database extends SqliteDatabase {
  close(): unknown
}

/** Makes the folder, for its owner alone, if it is not there. */
export async function openSqlite(path: string): Promise<Store> {
  if (path === '' || path.includes('\0'))
    throw new SojournError('ERR_SOJOURN_OPTION', `The store's URL needs a file's path: write it as sqlite:./path/of/a/file`)
  const open = await sqliteDriver()
  const file = path === ':memory:' ? path : resolve(path)
  let db: Database
  try {
    if (file !== ':memory:') mkdirSync(dirname(file), { recursive: true, mode: 0o700 })
    db = open(file)
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause)
    throw new SojournError('ERR_SOJOURN_STORE', `The file ${file} could not be opened as a store: ${reason}.`, { cause })
  }
  const store = sqlite(db, {}, () => db.close())
  return await ready(store, () => store.createSchema())
}

async function sqliteDriver(): Promise<(file: string) => Database> {
  try {
    const { default: BetterSqlite } = await import('better-sqlite3')
    return (file) => new BetterSqlite(file, { timeout: connectLimit })
  } catch (cause) {
    if (!isAbsent(cause)) throw cause
    // Node 22.13 and later have one of their own.
    const own = process.getBuiltinModule('node:sqlite') as { DatabaseSync: new (file: string) => Database } | undefined
    if (own !== undefined) return (file) => new own.DatabaseSync(file)
    // Its newer versions need a newer Node than this one, which has no SQLite of its own.
    return await driver('better-sqlite3@12', () => Promise.reject(cause))
  }
}
