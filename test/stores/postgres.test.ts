import { inspect } from 'node:util'
import { Pool, type PoolConfig, type QueryConfig } from 'pg'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Store } from '../../src/core/store.ts'
import { postgres, type PostgresPool, schema } from '../../src/stores/postgres.ts'
import type { SqlStore } from '../../src/stores/sql.ts'
import { type Server, service, shared, startTimeout } from '../services/service.ts'
import { keepsTheContract } from './contract.ts'
import { sqlCases } from './sql/cases.ts'
import { landsOnceAndSweepsOnce } from './sql/isolation.ts'
import { collect, hour, type Kit, newRecord, start, type Statement } from './sql/kit.ts'
import { serverCases } from './sql/server-cases.ts'

const server = await shared('postgres')
const pool = new Pool({ connectionString: server.url, max: 10 })
afterAll(async () => await pool.end())

let tables = 0
const newTable = () => `t${tables++}`
const tableOf = ({ name }: Store) => name.replace(/^.*:/, '')
const open = async () => {
  const store = postgres(pool, { table: newTable() })
  await store.createSchema()
  return store
}

describe(`the store: postgres, on ${server.version}`, () => {
  keepsTheContract('postgres', open, (store) => postgres(pool, { table: tableOf(store) }))
})

const sent: Statement[] = []
const thrown: Error[] = []

/** The pool, with a note of what goes through it. */
const watched: PostgresPool = {
  connect: (done) =>
    pool.connect((error, client) => {
      if (client === undefined) return done(error, client)
      done(undefined, {
        query(query, answered) {
          sent.push({ sql: query.text, values: query.values ?? [] })
          client.query(query as unknown as QueryConfig, (failure: Error | null, result) => {
            if (failure) thrown.push(failure)
            answered(failure, result)
          })
        },
        on: client.on.bind(client),
        off: (event, listener) => client.off(event, listener),
        release: (broken) => client.release(broken),
      })
    }),
  on: (event, listener) => pool.on(event, listener),
  off: (event, listener) => pool.off(event, listener),
}

interface Plan {
  readonly 'Node Type': string
  readonly 'Relation Name'?: string
  readonly Plans?: readonly Plan[]
}

const scansOf = (plan: Plan): string[] => [
  ...(plan['Node Type'] === 'Seq Scan' ? [plan['Relation Name']!] : []),
  ...(plan.Plans ?? []).flatMap(scansOf),
]

const literal = (value: unknown) =>
  typeof value === 'number'
    ? String(value)
    : value instanceof Uint8Array
      ? `'\\x${Buffer.from(value).toString('hex')}'`
      : `'${String(value)}'`

const kit: Kit = {
  kind: 'postgres',
  newTable,
  store: (table) => postgres(watched, { table }),
  ask: async (sql) => (await pool.query<Record<string, unknown>>(sql)).rows,
  sent,
  thrown,
  async scanned({ sql, values }) {
    const client = await pool.connect()
    try {
      // The plan that a prepared statement has once it stops looking at the parameters.
      await client.query('SET plan_cache_mode = force_generic_plan')
      await client.query(`PREPARE statement AS ${sql}`)
      const parameters = values.length === 0 ? '' : `(${values.map(literal).join(', ')})`
      const { rows } = await client.query(`EXPLAIN (FORMAT JSON) EXECUTE statement ${parameters}`)
      return scansOf(rows[0]['QUERY PLAN'][0].Plan)
    } finally {
      client.release(true)
    }
  },
  async fill(table, count, expiresAt) {
    await pool.query(`INSERT INTO ${table} SELECT substr(md5(n::text), 1, 16), 1, CASE WHEN n % 2 = 0 THEN ('user ' || n / 4)::bytea END, n, n, ${expiresAt},
      'head', repeat('x', 300)::bytea FROM generate_series(0, ${count - 1}) AS n`)
    await pool.query(`ANALYZE ${table}`)
  },
}

describe('the store in PostgreSQL', () => {
  sqlCases(kit)
})

describe('the server of PostgreSQL', () => {
  let own: Server
  let ownPool: Pool
  beforeAll(async () => {
    own = await service('postgres')
    ownPool = new Pool({ connectionString: own.url, password: 'a secret password', max: 10 })
  }, startTimeout)
  afterAll(async () => {
    await ownPool.end()
    await own.stop()
  })
  serverCases(async () => ({
    server: own,
    store: postgres(ownPool, { table: newTable() }),
    connections: async () => {
      const { rows } = await ownPool.query("SELECT pid FROM pg_stat_activity WHERE backend_type = 'client backend'")
      return rows.length
    },
  }))
})

describe('PostgreSQL’s own ways', () => {
  const poolWith = async (options: string, run: (store: SqlStore, other: Pool) => Promise<void>) => {
    const other = new Pool({ connectionString: server.url, max: 6, options })
    try {
      await run(postgres(other, { table: newTable() }), other)
    } finally {
      await other.end()
    }
  }

  test.each(['read committed', 'repeatable read', 'serializable'])(
    'of parallel puts one lands, and sweeps take each once, under %s',
    { timeout: 60_000 },
    async (level) => {
      await poolWith(`-c default_transaction_isolation=${level.replace(' ', '\\ ')}`, async (store) => {
        await landsOnceAndSweepsOnce(store)
      })
    },
  )

  test('data come back character by character where the server writes bytes in the old way', async () => {
    await poolWith('-c bytea_output=escape', async (store) => {
      await store.createSchema()
      const record = newRecord({ userId: 'a\\b漢\0', data: "\0\\'\u{10ffff}\\000" })
      expect(await store.put(record, 0)).toBe(true)
      expect(await store.get(record.id)).toEqual(record)
    })
  })

  test('a pool whose values come in binary, which pg reads wrong, is refused', async () => {
    const own: PoolConfig & { readonly binary: boolean } = { connectionString: server.url, max: 1, binary: true }
    const other = new Pool(own)
    await expect(postgres(other, { table: newTable() }).createSchema()).rejects.toMatchObject({ code: 'ERR_SOJOURN_OPTION' })
    await other.end()
  })

  test('records come back as they are where the application has parsers of its own', async () => {
    const own = { getTypeParser: () => (value: unknown) => `mine: ${String(value)}` }
    const other = new Pool({ connectionString: server.url, max: 2, types: own })
    const store = postgres(other, { table: newTable() })
    await store.createSchema()
    const record = newRecord({ userId: 'a\\b漢\0', data: '{"cart":["tea"]}', version: 2 ** 52 + 1 })
    expect(await store.put(record, 0)).toBe(true)
    expect(await store.get(record.id)).toEqual(record)
    expect(await collect(store.list(record.userId!))).toEqual([record])
    expect(Math.abs((await store.time!()) - Date.now())).toBeLessThan(5000)
    expect((await store.sweep(record.expiresAt, 10)).removed).toEqual([{ id: record.id, userId: record.userId, head: record.head }])
    await other.end()
  })

  test.each(['BEGIN', 'BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT 1', 'BEGIN; SELECT 1/0'])(
    'a transaction that somebody left open on a connection of the pool takes no verb with it: %s',
    async (left) => {
      const other = new Pool({ connectionString: server.url, max: 1 })
      const store = postgres(other, { table: newTable() })
      await store.createSchema()
      const leave = await other.connect()
      await leave.query(left).catch(() => {})
      leave.release()
      const record = newRecord()
      expect(await store.put(record, 0)).toBe(true)
      expect(await postgres(pool, { table: tableOf(store) }).get(record.id)).toEqual(record)
      await other.end()
    },
  )

  test('an error tells nothing of the row that broke a rule of the application’s own', async () => {
    const store = await open()
    await pool.query(`ALTER TABLE ${tableOf(store)} ADD CHECK (last_seen_at < 0), ADD UNIQUE (created_at)`)
    const record = newRecord({ userId: 'countess', head: 'h:A HASH', data: 'tea and biscuits' })
    const hex = (text: string) => Buffer.from(text).toString('hex')
    for (const lastSeenAt of [start, -1, -1]) {
      const one = { ...record, ...newRecord(), userId: 'countess', head: record.head, data: record.data, lastSeenAt }
      const error: unknown = await (async () => await store.put(one, 0))().catch((thrown: unknown) => thrown)
      if (error === true) continue
      expect(error).toMatchObject({ code: 'ERR_SOJOURN_STORE' })
      const told = inspect(error, { depth: 9, showHidden: true })
      for (const secret of ['A HASH', 'countess', hex('countess'), 'biscuits', hex('biscuits')]) expect(told).not.toContain(secret)
    }
  })

  test('a server that takes no writes is told of as such', async () => {
    const store = await open()
    await poolWith('-c default_transaction_read_only=on', async (_, other) => {
      const reader = postgres(other, { table: tableOf(store) })
      await expect(async () => await reader.put(newRecord(), 0)).rejects.toThrow(
        expect.objectContaining({ code: 'ERR_SOJOURN_STORE', message: expect.stringMatching(/takes no writes/) }),
      )
      expect(await reader.get('x')).toBeNull()
    })
  })

  test('a table in a schema of its own, with a capital in its name', async () => {
    await pool.query('CREATE SCHEMA "Shop"')
    const store = postgres(pool, { table: 'Sessions', schema: 'Shop' })
    await expect(store.check()).rejects.toThrow(/is not there/)
    await store.createSchema()
    const record = newRecord()
    expect(await store.put(record, 0)).toBe(true)
    expect((await pool.query('SELECT id FROM "Shop"."Sessions"')).rows).toEqual([{ id: record.id }])
    expect(() => postgres(pool, { schema: 'a"b' })).toThrow(expect.objectContaining({ code: 'ERR_SOJOURN_OPTION' }))
    await expect(postgres(pool, { schema: 'absent' }).createSchema()).rejects.toThrow(
      expect.objectContaining({ code: 'ERR_SOJOURN_STORE_FORMAT' }),
    )
  })

  test('a user who may only read and write the table does, and createSchema finds that all is there', async () => {
    const store = await open()
    const table = tableOf(store)
    await pool.query(`CREATE ROLE clerk_${table} LOGIN; GRANT SELECT, INSERT, UPDATE, DELETE ON ${table} TO clerk_${table}`)
    const url = new URL(server.url)
    const clerk = new Pool({ host: url.hostname, port: Number(url.port), database: url.pathname.slice(1), user: `clerk_${table}` })
    try {
      const theirs = postgres(clerk, { table })
      await theirs.createSchema()
      const record = newRecord({ userId: 'ada' })
      expect(await theirs.put(record, 0)).toBe(true)
      await theirs.touch([{ ...record, expiresAt: start + 2 * hour }])
      expect((await theirs.sweep(start + 3 * hour, 10)).removed).toHaveLength(1)
      await expect(postgres(clerk, { table: newTable() }).createSchema()).rejects.toThrow(
        expect.objectContaining({ code: 'ERR_SOJOURN_STORE', message: expect.stringMatching(/permission denied/) }),
      )
    } finally {
      await clerk.end()
    }
  })

  test('the printed schema makes the table that the store expects', async () => {
    const table = newTable()
    await pool.query(schema({ table }))
    await postgres(pool, { table }).check()
  })

  test('the server’s clock is answered in ms', async () => {
    expect(Math.abs((await (await open()).time!()) - Date.now())).toBeLessThan(5000)
  })
})
