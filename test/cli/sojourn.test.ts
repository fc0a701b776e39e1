import { execFile } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import Database from 'better-sqlite3'
import { MongoClient } from 'mongodb'
import { createConnection, createPool } from 'mysql2/promise'
import { Pool } from 'pg'
import { beforeAll, describe, expect, test } from 'vitest'
import { buildIfNeeded, root } from '../../scripts/setup.mjs'
import { mongodb } from '../../src/stores/mongodb.ts'
import { mysql } from '../../src/stores/mysql.ts'
import { postgres } from '../../src/stores/postgres.ts'
import { sqlite } from '../../src/stores/sqlite.ts'
import { shared, startTimeout } from '../services/service.ts'

interface Outcome {
  readonly code: number
  readonly stdout: string
  readonly stderr: string
}

const { bin } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { readonly bin: { readonly sojourn: string } }

/** The command as npm installs it. */
function sojourn(...args: string[]): Promise<Outcome> {
  return new Promise((resolve) => {
    execFile(process.execPath, [join(root, bin.sojourn), ...args], (error, stdout, stderr) => {
      resolve({ code: typeof error?.code === 'number' ? error.code : 0, stdout, stderr })
    })
  })
}

async function printed(...args: string[]): Promise<string> {
  const { code, stdout, stderr } = await sojourn('schema', ...args)
  expect([code, stderr]).toEqual([0, ''])
  return stdout
}

beforeAll(buildIfNeeded)

describe('what `sojourn schema` prints, run by hand, is what the store wants', { timeout: startTimeout }, () => {
  test('in SQLite', async () => {
    const db = new Database(':memory:')
    db.exec(await printed('sqlite', '--table', 'visits'))
    await sqlite(db, { table: 'visits' }).check()
    db.close()
  })

  test('in PostgreSQL, in a schema of its own', async () => {
    const { url } = await shared('postgres')
    const pool = new Pool({ connectionString: url })
    await pool.query('CREATE SCHEMA shop')
    await pool.query(await printed('postgres', '--table', 'visits', '--schema', 'shop'))
    await postgres(pool, { table: 'visits', schema: 'shop' }).check()
    await pool.end()
  })

  test.each(['mysql', 'mariadb'])('in MySQL, asked for as %s', async (kind) => {
    const { url } = await shared('mysql')
    const connection = await createConnection({ uri: url, multipleStatements: true })
    await connection.query(await printed(kind))
    await connection.end()
    const pool = createPool(url)
    await mysql(pool).check()
    await pool.end()
  })

  test('in MongoDB', async () => {
    const { url, name } = await shared('mongodb-races')
    const client = new MongoClient(url)
    const db = client.db(name)
    // mongosh is no part of the tests: its one call that is printed is the driver's as well.
    const call = /^db\.getCollection\('visits'\)\.createIndex\((\{.*?\}), (\{.*?\})\)$/
    for (const line of (await printed('mongodb', '--collection', 'visits')).trimEnd().split('\n')) {
      const [, keys, options] = call.exec(line)!
      await db.collection('visits').createIndex(JSON.parse(keys!), JSON.parse(options!))
    }
    expect(await mongodb(db, { collection: 'visits' }).get('x')).toBeNull()
    await client.close()
  })
})

test.each([
  [['schema', 'redis'], /There is no schema of 'redis'/],
  [['schema', 'constructor'], /There is no schema of 'constructor'/],
  [['schema'], /Not understood: schema/],
  [['schema', 'sqlite', 'more'], /Not understood/],
  [['drop', 'sqlite'], /Not understood/],
  [['schema', 'sqlite', '--schema', 'shop'], /The schema of sqlite has no --schema/],
  [['schema', 'sqlite', '--drop'], /--drop/],
  [['schema', 'sqlite', '--table'], /--table/],
  [['schema', 'postgres', '--table', 'a"; DROP TABLE users; --'], /The option table is/],
  [['schema', 'mongodb', '--collection', "a').drop();('"], /collection is/],
] as const)('%j is refused with the reason and the usage, and nothing is printed', async (args, reason) => {
  const { code, stdout, stderr } = await sojourn(...args)
  expect([code, stdout]).toEqual([2, ''])
  expect(stderr).toMatch(reason)
  expect(stderr).toContain('sojourn schema postgres')
  expect(stderr).not.toMatch(/^\s+at /m)
})

test.each([[[]], [['--help']], [['schema', '-h']]])('%j prints the usage', async (args) => {
  expect(await sojourn(...args)).toMatchObject({
    code: 0,
    stdout: expect.stringContaining('sojourn schema postgres') as string,
    stderr: '',
  })
})
