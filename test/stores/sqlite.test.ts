import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { setTimeout } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import Database from 'better-sqlite3'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Store } from '../../src/core/store.ts'
import { schema, sqlite, type SqliteDatabase } from '../../src/stores/sqlite.ts'
import { ranOn } from '../services/service.ts'
import { keepsTheContract } from './contract.ts'
import { sqlCases } from './sql/cases.ts'
import { collect, type Kit, newRecord, start, type Statement } from './sql/kit.ts'

interface Driver {
  readonly name: string
  readonly open: (path: string) => SqliteDatabase & { close(): void }
}

const drivers: Driver[] = [{ name: 'better-sqlite3', open: (path) => new Database(path) }]
// Absent on Node 20, and from its types.
const builtin = process.getBuiltinModule?.('node:sqlite') as
  | { readonly DatabaseSync: new (path: string) => ReturnType<Driver['open']> }
  | undefined
if (builtin !== undefined) drivers.push({ name: 'node:sqlite', open: (path) => new builtin.DatabaseSync(path) })

const folder = mkdtempSync(join(tmpdir(), 'sojourn-sqlite-'))
afterAll(() => rmSync(folder, { recursive: true }))
let files = 0
const newFile = () => join(folder, `${files++}.db`)

describe.each(drivers.map((driver) => [driver.name, driver] as const))('SQLite by %s', (name, { open: connect }) => {
  const { version } = connect(':memory:').prepare('SELECT sqlite_version() AS version').all()[0] as { readonly version: string }
  beforeAll(async () => await ranOn('sqlite', `SQLite ${version} by ${name}`))
  const paths = new WeakMap<Store, string>()
  const storeOf = (path: string) => {
    const db = connect(path)
    const store = sqlite(db, {}, () => db.close())
    paths.set(store, path)
    return store
  }
  const open = async () => {
    const store = storeOf(newFile())
    await store.createSchema()
    return store
  }

  keepsTheContract('sqlite', open, (store) => storeOf(paths.get(store)!))

  const db = connect(newFile())
  afterAll(() => db.close())
  const sent: Statement[] = []
  const thrown: Error[] = []
  let tables = 0

  const noted = <T>(statement: Statement, work: () => T): T => {
    sent.push(statement)
    try {
      return work()
    } catch (error) {
      thrown.push(error as Error)
      throw error
    }
  }
  /** The connection, with a note of what goes through it. */
  const watched: SqliteDatabase = {
    exec: (sql) => db.exec(sql),
    prepare(sql) {
      const statement = db.prepare(sql)
      return {
        all: (...values) => noted({ sql, values }, () => statement.all(...values)),
        run: (...values) => noted({ sql, values }, () => statement.run(...values)),
      }
    },
  }

  const kit: Kit = {
    kind: 'sqlite',
    newTable: () => `t${tables++}`,
    store: (table) => sqlite(watched, { table }),
    async ask(sql) {
      if (!sql.startsWith('SELECT')) return (db.exec(sql), [])
      return db.prepare(sql).all() as Record<string, unknown>[]
    },
    sent,
    thrown,
    async scanned({ sql, values }) {
      const rows = db.prepare(`EXPLAIN QUERY PLAN ${sql}`).all(...(values as string[])) as { readonly detail: string }[]
      return rows.map(({ detail }) => detail).filter((detail) => /^SCAN (?!json_each)/.test(detail))
    },
    async fill(table, count, expiresAt) {
      db.exec(`WITH RECURSIVE numbers (n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM numbers WHERE n < ${count - 1})
        INSERT INTO ${table} SELECT printf('%016x', n * 2654435761 % 4294967296), 1, CASE WHEN n % 2 = 0 THEN 'user ' || n / 4 END, n, n, ${expiresAt}, 'head', printf('%300s', n) FROM numbers`)
      db.exec('ANALYZE')
    },
  }
  describe('the store in SQLite', () => {
    sqlCases(kit)
  })
})

describe('SQLite’s own ways', () => {
  const connect = drivers.at(-1)!.open

  test('four processes on one file lose no change, and sweep each session once', { timeout: 120_000 }, async () => {
    const file = newFile()
    const store = sqlite(connect(file))
    const program = fileURLToPath(new URL('programs/sqlite-counter.ts', import.meta.url))
    const record = newRecord({ data: '0' })
    await store.createSchema()
    await store.put(record, 0)
    const counts = await Promise.all(
      Array.from({ length: 4 }, async () => {
        const child = spawn(process.execPath, ['--import', 'tsx', program, file, record.id, '200'], {
          stdio: ['ignore', 'pipe', 'inherit'],
        })
        const [output] = await Promise.all([text(child.stdout), once(child, 'exit')])
        return JSON.parse(output) as { readonly inserted: number; readonly swept: number }
      }),
    )
    expect((await store.get(record.id))?.data).toBe('800')
    const left = await collect(store.list('ada'))
    const balance = counts.reduce((sum, { inserted, swept }) => sum + inserted - swept, 0)
    expect(balance).toBe(left.length)
    expect(await store.sweep(start, 10_000)).toMatchObject({ removed: { length: left.length } })
  })

  test('processes that create the schema of a new file at the same moment all succeed', { timeout: 60_000 }, async () => {
    const files = newFile()
    mkdirSync(files)
    // Many files, for it is a matter of microseconds.
    const program = `import Database from 'better-sqlite3'
      import { sqlite } from ${JSON.stringify(new URL('../../src/stores/sqlite.ts', import.meta.url).href)}
      for (let round = 0; round < 150; round++) {
        const moment = Number(process.argv[2]) + round * 40
        if (Date.now() > moment) continue // Too late for the race.
        while (Date.now() < moment);
        const db = new Database(process.argv[1] + '/' + round)
        await sqlite(db).createSchema()
        db.close()
      }`
    const moment = String(Date.now() + 4000)
    const ends = await Promise.all(
      Array.from({ length: 4 }, async () => {
        const child = spawn(process.execPath, ['--import', 'tsx', '--input-type=module', '-e', program, files, moment], {
          stdio: ['ignore', 'inherit', 'inherit'],
        })
        return (await once(child, 'exit'))[0]
      }),
    )
    expect(ends).toEqual([0, 0, 0, 0])
  })

  test('a killed process loses nothing that it acknowledged', { timeout: 60_000 }, async () => {
    const file = newFile()
    const told = `${file}.acknowledged`
    // Into a file: a pipe whose reader is slow for a moment would refuse it.
    const program = `import { openSync, writeSync } from 'node:fs'
      import { randomBytes } from 'node:crypto'
      import Database from 'better-sqlite3'
      import { sqlite } from ${JSON.stringify(new URL('../../src/stores/sqlite.ts', import.meta.url).href)}
      const store = sqlite(new Database(process.argv[1]))
      await store.createSchema()
      const told = openSync(process.argv[2], 'a')
      for (;;) {
        const id = randomBytes(12).toString('base64url')
        store.put({ id, version: 1, userId: null, createdAt: 1, lastSeenAt: 1, expiresAt: ${start}, head: '', data: '' }, 0)
        writeSync(told, id + '\\n')
      }`
    const child = spawn(process.execPath, ['--import', 'tsx', '--input-type=module', '-e', program, file, told], {
      stdio: ['ignore', 'inherit', 'inherit'],
    })
    const ended = once(child, 'exit')
    const acknowledged = () => (existsSync(told) ? readFileSync(told, 'utf8').split('\n').slice(0, -1) : [])
    await expect.poll(() => acknowledged().length, { timeout: 30_000 }).toBeGreaterThan(100)
    await setTimeout(300)
    child.kill('SIGKILL')
    expect(await ended).toEqual([null, 'SIGKILL'])
    const store = sqlite(connect(file))
    const stored = new Set((await collect(store.list())).map(({ id }) => id))
    expect(acknowledged().filter((id) => !stored.has(id))).toEqual([])
  })

  test('what waits for a lock too long is told of, and the store goes on', async () => {
    const file = newFile()
    const [db, other] = [connect(file), connect(file)]
    const store = sqlite(db)
    await store.createSchema()
    db.exec('PRAGMA busy_timeout = 50')
    other.exec('BEGIN IMMEDIATE')
    expect(() => store.put(newRecord(), 0)).toThrow(
      expect.objectContaining({ code: 'ERR_SOJOURN_STORE', message: expect.stringMatching(/locked/) }),
    )
    expect(store.get('x')).toBeNull()
    other.exec('ROLLBACK')
    expect(store.put(newRecord(), 0)).toBe(true)
  })

  test('a connection without patience is given some, and write-ahead logging is on', async () => {
    const db = connect(newFile())
    db.exec('PRAGMA busy_timeout = 0')
    await sqlite(db).createSchema()
    expect(db.prepare('PRAGMA busy_timeout').all()).toEqual([{ timeout: 2000 }])
    expect(db.prepare('PRAGMA journal_mode').all()).toEqual([{ journal_mode: 'wal' }])
  })

  test('a schema that can’t be created leaves no transaction open, and the file to others', async () => {
    const file = newFile()
    const [db, other] = [connect(file), connect(file)]
    db.exec('CREATE VIEW sojourn_sessions_expiry AS SELECT 1')
    db.exec('CREATE TABLE sojourn_sessions_user (a)')
    await expect(sqlite(db).createSchema()).rejects.toMatchObject({ name: 'SojournError' })
    expect(
      (db as { inTransaction?: boolean; isTransaction?: boolean }).inTransaction ?? (db as { isTransaction?: boolean }).isTransaction,
    ).toBe(false)
    other.exec('PRAGMA busy_timeout = 50')
    other.exec('CREATE TABLE mine (a)')
  })

  test('a table that takes different users for the same is refused', async () => {
    const db = connect(newFile())
    db.exec(schema().replace('user_id TEXT', 'user_id TEXT COLLATE NOCASE'))
    await expect(sqlite(db).check()).rejects.toMatchObject({ code: 'ERR_SOJOURN_STORE_FORMAT' })
  })

  test('a write within the application’s open transaction is refused, for it may be rolled back', async () => {
    const db = connect(newFile())
    const store = sqlite(db)
    await store.createSchema()
    db.exec('BEGIN')
    expect(() => store.put(newRecord(), 0)).toThrow(/transaction is open/)
    db.exec('COMMIT')
    expect(store.put(newRecord(), 0)).toBe(true)
  })

  test('a full disk is told of as such, and nothing that was acknowledged is lost', async () => {
    const db = connect(newFile())
    const store = sqlite(db)
    await store.createSchema()
    db.exec('PRAGMA max_page_count = 60')
    const landed: string[] = []
    const fill = () => {
      for (;;) {
        const record = newRecord({ data: 'x'.repeat(5000) })
        if (store.put(record, 0) === true) landed.push(record.id)
      }
    }
    expect(fill).toThrow(expect.objectContaining({ code: 'ERR_SOJOURN_STORE_FULL' }))
    expect(landed.length).toBeGreaterThan(10)
    expect((await collect(store.list())).map(({ id }) => id).sort()).toEqual(landed.sort())
  })

  test('the printed schema makes the table that the store expects', async () => {
    const db = connect(newFile())
    db.exec(schema({ table: 'visits' }))
    await sqlite(db, { table: 'visits' }).check()
  })
})
