import { createConnection, createPool, type Pool, type PoolOptions } from 'mysql2/promise'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Store } from '../../src/core/store.ts'
import { mysql, type MysqlPool, schema } from '../../src/stores/mysql.ts'
import type { SqlStore } from '../../src/stores/sql.ts'
import { storeCases } from '../../src/testing/store-cases.ts'
import { type Server, service, shared, startTimeout } from '../services/service.ts'
import { keepsTheContract } from './contract.ts'
import { sqlCases } from './sql/cases.ts'
import { landsOnceAndSweepsOnce } from './sql/isolation.ts'
import { type Kit, newRecord, start, type Statement } from './sql/kit.ts'
import { serverCases } from './sql/server-cases.ts'

const server = await shared('mysql')
const pool = createPool({ uri: server.url, connectionLimit: 10 })
afterAll(async () => await pool.end())

let tables = 0
const newTable = () => `t${tables++}`
const tableOf = ({ name }: Store) => name.replace(/^.*:/, '')
const open = async () => {
  const store = mysql(pool, { table: newTable() })
  await store.createSchema()
  return store
}

describe(`the store: mysql, on ${server.version}`, () => {
  keepsTheContract('mysql', open, (store) => mysql(pool, { table: tableOf(store) }))
})

const sent: Statement[] = []
const thrown: Error[] = []

/** The pool, with a note of what goes through it. */
const watched: MysqlPool = {
  pool: {
    getConnection: (done) =>
      pool.pool.getConnection((error, connection) => {
        if (error !== null) return done(error, connection)
        const noted = (statement: Statement, answered: (error: Error | null, result: unknown) => void) => {
          sent.push(statement)
          return (failure: Error | null, result: unknown) => {
            if (failure !== null) thrown.push(failure)
            answered(failure, result)
          }
        }
        done(null, {
          config: connection.config,
          // With these options of the pool's, all statements are asked for by their text alone.
          query: (query, answered) => connection.query(query as string, noted({ sql: query as string, values: [] }, answered)),
          execute: (query, values, answered) =>
            connection.execute(query as string, values, noted({ sql: query as string, values }, answered)),
          release: () => connection.release(),
          destroy: () => connection.destroy(),
        })
      }),
  },
}

const ask = async (sql: string, values: readonly unknown[] = []) => {
  const [rows] = values.length === 0 ? await pool.query(sql) : await pool.execute(sql, values as string[])
  return rows as Record<string, unknown>[]
}

const kit: Kit = {
  kind: 'mysql',
  newTable,
  store: (table) => mysql(watched, { table }),
  ask,
  sent,
  thrown,
  async scanned({ sql, values }) {
    const rows = await ask(`EXPLAIN ${sql}`, values)
    // A list that came as a parameter is no table; a row of no table is what the optimizer saw through beforehand.
    const scans = rows.filter(({ table, key }) => table !== null && key === null && !['touch', 'due'].includes(table as string))
    return scans.map(({ table }) => table as string)
  },
  async fill(table, count, expiresAt) {
    const digits = (name: string) =>
      `(SELECT 0 AS d ${Array.from({ length: 9 }, (_, digit) => `UNION ALL SELECT ${digit + 1}`).join(' ')}) AS ${name}`
    await ask(`INSERT INTO ${table} SELECT SUBSTR(MD5(n), 1, 16), 1, IF(n % 2 = 0, CONCAT('user ', n DIV 4), NULL), n, n, ${expiresAt}, 'head', REPEAT('x', 300)
      FROM (SELECT a.d + 10 * b.d + 100 * c.d + 1000 * e.d + 10000 * f.d + 100000 * g.d AS n FROM ${['a', 'b', 'c', 'e', 'f', 'g'].map(digits).join(', ')}) AS numbers WHERE n < ${count}`)
    await ask(`ANALYZE TABLE ${table}`)
  },
}

describe('the store in MySQL', () => {
  sqlCases(kit)
})

describe('the server of MySQL', () => {
  let own: Server
  let ownPool: Pool
  beforeAll(async () => {
    own = await service('mysql')
    const root = await createConnection({ uri: own.url, multipleStatements: true })
    await root.query("CREATE DATABASE shop; CREATE USER shop IDENTIFIED BY 'a secret password'; GRANT ALL ON shop.* TO shop")
    await root.end()
    ownPool = createPool({ uri: own.url, user: 'shop', database: 'shop', password: 'a secret password', connectionLimit: 10 })
  }, startTimeout)
  afterAll(async () => {
    await ownPool.end()
    await own.stop()
  })
  serverCases(async () => ({
    server: own,
    store: mysql(ownPool, { table: newTable() }),
    connections: async () => {
      const [rows] = await ownPool.query('SHOW PROCESSLIST')
      return (rows as unknown[]).length
    },
  }))
})

describe('MySQL’s own ways', () => {
  const poolWith = async (options: PoolOptions, run: (store: SqlStore, other: Pool) => Promise<void>) => {
    const other = createPool({ uri: server.url, connectionLimit: 6, ...options })
    try {
      await run(mysql(other, { table: newTable() }), other)
    } finally {
      await other.end()
    }
  }

  const counting = /random history|a touch |of parallel|versions up to/
  const reading = /every field|data of any kind|user IDs of any|versions up to|tells the ID/

  test.each([
    ['changed rows are counted', { flags: ['-FOUND_ROWS'] }, counting],
    ['matched rows are counted', { flags: ['+FOUND_ROWS'] }, counting],
    ['numbers come as texts', { supportBigNumbers: true, bigNumberStrings: true }, reading],
    // Before the next: the driver keeps how it read the same columns with the same options.
    ['the application reads values in its own way', { typeCast: () => 'another' }, reading],
    ['rows come as arrays', { rowsAsArray: true, namedPlaceholders: true }, reading],
    ['rows come as a table’s', { nestTables: true }, reading],
    ['values come as they are', { typeCast: false }, reading],
    ['the connections’ character set is Latin-1', { charset: 'latin1_swedish_ci' }, reading],
  ] satisfies [string, PoolOptions, RegExp][])('the contract holds where %s', { timeout: 60_000 }, async (_, options, chosen) => {
    await poolWith(options, async (_, other) => {
      const openThere = async () => {
        const store = mysql(other, { table: newTable() })
        await store.createSchema()
        return store
      }
      const cases = storeCases(openThere).filter(({ name }) => chosen.test(name))
      expect(cases.length).toBeGreaterThan(4)
      for (const { run } of cases) await run()
    })
  })

  test.each(['READ UNCOMMITTED', 'READ COMMITTED', 'SERIALIZABLE'])(
    'of parallel puts one lands, and sweeps take each once, under %s',
    async (level) => {
      await poolWith({}, async (store, other) => {
        other.on('connection', (connection) => void connection.query(`SET SESSION TRANSACTION ISOLATION LEVEL ${level}`))
        await landsOnceAndSweepsOnce(store)
      })
    },
  )

  test('connections with autocommit off are refused, since no write of theirs would be seen', async () => {
    await poolWith({}, async (store, other) => {
      other.on('connection', (connection) => void connection.query('SET autocommit = 0'))
      await expect(store.createSchema()).rejects.toThrow(
        expect.objectContaining({ code: 'ERR_SOJOURN_OPTION', message: expect.stringMatching(/autocommit off/) }),
      )
    })
  })

  test('a record that is longer than the server takes is refused as such, and the connection goes on', async () => {
    const store = await open()
    const [[row]] = (await pool.query('SELECT @@max_allowed_packet AS longest')) as unknown as [[{ readonly longest: number }]]
    const record = newRecord({ data: 'x'.repeat(row.longest) })
    await expect(async () => await store.put(record, 0)).rejects.toThrow(expect.objectContaining({ code: 'ERR_SOJOURN_STORE_FULL' }))
    const shorter = { ...record, data: 'x'.repeat(row.longest - 10_000) }
    expect(await store.put(shorter, 0)).toBe(true)
    expect((await store.get(record.id))?.data).toHaveLength(row.longest - 10_000)
  })

  test('a server that takes no writes is told of as such', async () => {
    const store = await open()
    await poolWith({}, async (_, other) => {
      other.on('connection', (connection) => void connection.query('SET SESSION TRANSACTION READ ONLY'))
      const reader = mysql(other, { table: tableOf(store) })
      await expect(async () => await reader.put(newRecord(), 0)).rejects.toThrow(
        expect.objectContaining({ code: 'ERR_SOJOURN_STORE', message: expect.stringMatching(/takes no writes/) }),
      )
      expect(await reader.get('x')).toBeNull()
    })
  })

  test('a transaction that somebody left open on a connection of the pool takes no write of a session with it', async () => {
    await poolWith({ connectionLimit: 1 }, async (store, other) => {
      await store.createSchema()
      const record = newRecord()
      const leave = await other.getConnection()
      await leave.query('START TRANSACTION')
      leave.release()
      await expect(async () => await store.put(record, 0)).rejects.toThrow(
        expect.objectContaining({ code: 'ERR_SOJOURN_STORE', message: expect.stringMatching(/a transaction was open/) }),
      )
      expect(await store.get(record.id)).toBeNull()
      expect(await store.put(record, 0)).toBe(true)
      expect(await mysql(pool, { table: tableOf(store) }).get(record.id)).toEqual(record)
    })
  })

  test('a sweep leaves no transaction behind, whatever completion_type says', async () => {
    await poolWith({ connectionLimit: 1 }, async (store, other) => {
      other.on('connection', (connection) => void connection.query("SET completion_type = 'CHAIN'"))
      await store.createSchema()
      const [expired, record] = [newRecord({ expiresAt: start - 1 }), newRecord()]
      await store.put(expired, 0)
      expect((await store.sweep(start, 10)).removed).toHaveLength(1)
      expect(await store.put(record, 0)).toBe(true)
      expect(await mysql(pool, { table: tableOf(store) }).get(record.id)).toEqual(record)
    })
  })

  test('a row that somebody holds does not end a sweep early', async () => {
    const store = await open()
    const records = Array.from({ length: 30 }, (_, index) => newRecord({ expiresAt: start - 100 + index }))
    for (const record of records) await store.put(record, 0)
    const holder = await pool.getConnection()
    await holder.query('START TRANSACTION')
    await holder.query(`SELECT id FROM ${tableOf(store)} WHERE id = '${records[3]!.id}' FOR UPDATE`)
    const first = await store.sweep(start, 10)
    expect([first.removed.length, first.more]).toEqual([9, true])
    for (let more = true; more;) ({ more } = await store.sweep(start, 10))
    await holder.query('ROLLBACK')
    holder.release()
    expect((await store.sweep(start, 100)).removed.map(({ id }) => id)).toEqual([records[3]!.id])
  })

  test('a key of the application’s own that is met is no session that was there already', async () => {
    const store = await open()
    await pool.query(`ALTER TABLE ${tableOf(store)} ADD UNIQUE KEY mine (created_at)`)
    expect(await store.put(newRecord(), 0)).toBe(true)
    await expect(async () => await store.put(newRecord(), 0)).rejects.toThrow(expect.objectContaining({ code: 'ERR_SOJOURN_STORE' }))
  })

  test('the printed schema makes the table that the store expects', async () => {
    const table = newTable()
    for (const statement of schema({ table })
      .split(';\n')
      .filter((text) => text.trim() !== ''))
      await pool.query(statement)
    await mysql(pool, { table }).check()
  })

  test('the server’s clock is answered in ms, whatever time zone the connection has', async () => {
    await poolWith({}, async (store, other) => {
      other.on('connection', (connection) => void connection.query("SET time_zone = '+05:30'"))
      await store.createSchema()
      expect(Math.abs((await store.time!()) - Date.now())).toBeLessThan(5000)
    })
  })
})
