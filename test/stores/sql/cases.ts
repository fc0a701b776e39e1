import { expect, test } from 'vitest'
import type { Removed } from '../../../src/core/store.ts'
import { after, collect, hour, type Kit, newRecord, start } from './kit.ts'

const hostile = [
  '',
  'a b',
  "sessions'; DROP TABLE users; --",
  'sessions"',
  'sessions`',
  '`',
  'a.b',
  'a-b',
  'a\0b',
  'ab\n',
  '1a',
  'é',
  'x'.repeat(49),
  'sqlite_master',
  'pg_class',
]

/** What holds for the store of every SQL database. */
// A million for the figures of the docs.
const sweepRows = Number(process.env.SWEEP_ROWS ?? 100_000)

export function sqlCases(kit: Kit): void {
  const create = async () => {
    const store = kit.store(kit.newTable())
    await store.createSchema()
    return store
  }
  const formatError = (message: RegExp) =>
    expect.objectContaining({ code: 'ERR_SOJOURN_STORE_FORMAT', message: expect.stringMatching(message) })

  test.each(hostile)('the table name %j is refused', (table) => {
    expect(() => kit.store(table)).toThrow(expect.objectContaining({ code: 'ERR_SOJOURN_OPTION' }))
  })

  test('without its table each verb fails with the mend, and works once the table is there', async () => {
    const store = kit.store(kit.newTable())
    const mend = formatError(/is not there\. Call `await store\.createSchema\(\)`/)
    const record = newRecord({ userId: 'ada' })
    const touch = { ...record, lastSeenAt: start + 1, expiresAt: start + 2 * hour }
    await expect(async () => await store.check()).rejects.toThrow(mend)
    await expect(async () => await store.get(record.id)).rejects.toThrow(mend)
    await expect(async () => await store.put(record, 0)).rejects.toThrow(mend)
    await expect(async () => await store.touch([touch])).rejects.toThrow(mend)
    await expect(async () => await store.delete(record.id)).rejects.toThrow(mend)
    await expect(async () => await collect(store.list())).rejects.toThrow(mend)
    await expect(async () => await store.sweep(start, 10)).rejects.toThrow(mend)
    await store.createSchema()
    await store.createSchema()
    expect(await store.put(record, 0)).toBe(true)
    expect(await store.get(record.id)).toEqual(record)
  })

  test('a table that is dropped while the store works is told of with the mend', async () => {
    const table = kit.newTable()
    const store = kit.store(table)
    await store.createSchema()
    await kit.ask(`DROP TABLE ${table}`)
    await expect(async () => await store.get('x')).rejects.toThrow(formatError(/createSchema/))
    await store.createSchema()
    expect(await store.get('x')).toBeNull()
  })

  test('a table that lacks a column, has another type or no index is told of by what is amiss', async () => {
    const tables = [kit.newTable(), kit.newTable(), kit.newTable()] as const
    await kit.ask(`CREATE TABLE ${tables[0]} (id INT PRIMARY KEY, name INT)`)
    await expect(kit.store(tables[0]).check()).rejects.toThrow(formatError(/must be|has no column/))
    await kit.store(tables[1]).createSchema()
    await kit.ask(`ALTER TABLE ${tables[1]} RENAME COLUMN last_seen_at TO seen`)
    await expect(kit.store(tables[1]).check()).rejects.toThrow(formatError(/has no column last_seen_at/))
    await kit.store(tables[2]).createSchema()
    await kit.ask(`DROP INDEX ${tables[2]}_expiry${kit.kind === 'mysql' ? ` ON ${tables[2]}` : ''}`)
    await expect(kit.store(tables[2]).check()).rejects.toThrow(formatError(/no index that begins with expires_at/))
  })

  test('columns of the application’s own do not disturb', async () => {
    const table = kit.newTable()
    await kit.store(table).createSchema()
    await kit.ask(`ALTER TABLE ${table} ADD COLUMN note INT`)
    const store = kit.store(table)
    const record = newRecord()
    expect(await store.put(record, 0)).toBe(true)
    expect(await store.put(after(record), record.version)).toBe(true)
    expect(await store.get(record.id)).toEqual(after(record))
  })

  test('several that create the schema at the same moment all succeed', async () => {
    const table = kit.newTable()
    await Promise.all(Array.from({ length: 8 }, async () => await kit.store(table).createSchema()))
    expect(await kit.store(table).get('x')).toBeNull()
  })

  test('a user ID that can’t be kept is refused by put with one clear error, and nothing is stored', async () => {
    const store = await create()
    for (const userId of ['ada\ud800', '\udc00', 'x'.repeat(1025), '漢'.repeat(342)]) {
      const record = newRecord({ userId })
      await expect(async () => await store.put(record, 0)).rejects.toThrow(
        expect.objectContaining({ code: 'ERR_SOJOURN_OPTION', message: expect.stringMatching(/user ID of session/) }),
      )
      expect(await store.get(record.id)).toBeNull()
      expect(await collect(store.list(userId))).toEqual([])
    }
    const longest = newRecord({ userId: 'x'.repeat(1024) })
    expect(await store.put(longest, 0)).toBe(true)
    expect(await collect(store.list(longest.userId!))).toEqual([longest])
  })

  test('two tables in one database see nothing of each other', async () => {
    const [one, other] = [await create(), await create()]
    const record = newRecord({ userId: 'ada' })
    expect(await one.put(record, 0)).toBe(true)
    expect(await other.get(record.id)).toBe(null)
    expect(await other.put({ ...record, version: record.version + 1 }, record.version)).toBe(false)
    expect(await other.delete(record.id)).toBe(false)
    expect(await collect(other.list('ada'))).toEqual([])
    expect(await collect(other.list())).toEqual([])
    expect(await other.sweep(record.expiresAt, 10)).toEqual({ removed: [], more: false })
    expect(await one.get(record.id)).toEqual(record)
  })

  test('hostile data come back character by character', async () => {
    const store = await create()
    const texts = [
      JSON.stringify({ 'a.b': 1, $set: 2, '\0': '\0', '': '' }),
      `'"\`; DROP TABLE users; -- \\' \\" \\0 %s %n ? $1 :name @x {{x}}`,
      '\0\u0001\u001a\u007f\u0080\ufeff\uffff\u{10ffff}👩‍👩‍👧',
      '\ufeff',
      '漢'.repeat(350_000),
    ]
    for (const data of texts) {
      const record = newRecord({ data, userId: data.slice(0, 200), head: `'"\\;--?$1` })
      expect(await store.put(record, 0)).toBe(true)
      expect((await store.get(record.id))?.data === data).toBe(true)
      expect((await collect(store.list(record.userId!))).some((listed) => listed.data === data && listed.userId === record.userId)).toBe(
        true,
      )
    }
  })

  test('a page of a list is small where the records are large', async () => {
    const store = await create()
    for (let index = 0; index < 40; index++)
      await store.put(newRecord({ userId: 'ada', data: 'x'.repeat(400_000), createdAt: start + (index % 3) }), 0)
    kit.sent.length = 0
    expect(await collect(store.list('ada'))).toHaveLength(40)
    expect(await collect(store.list())).toHaveLength(40)
    const limits = kit.sent.map(({ sql }) => Number(/LIMIT (\d+)/.exec(sql)![1]))
    expect(Math.max(...limits)).toBe(16)
    expect(Math.min(...limits)).toBe(4)
  })

  test('each verb is one statement, and each statement uses an index', { timeout: 120_000 }, async () => {
    const table = kit.newTable()
    const store = kit.store(table)
    await store.createSchema()
    await kit.fill(table, 20_000, `${start} + n * 1000`)
    const record = newRecord({ userId: 'ada' })
    const touches = Array.from({ length: 50 }, () => ({ ...newRecord(), lastSeenAt: start + 1 }))
    const verbs: Readonly<Record<string, readonly [statements: number, verb: () => unknown]>> = {
      insert: [1, () => store.put(record, 0)],
      put: [1, () => store.put(after(record), record.version)],
      get: [1, () => store.get(record.id)],
      touch: [1, () => store.touch([...touches, { ...after(record), lastSeenAt: start + 1, expiresAt: start + 2 * hour }])],
      'list of a user': [1, () => collect(store.list('ada'))],
      'first page of the list': [1, () => store.list()[Symbol.asyncIterator]().next()],
      delete: [1, () => store.delete(record.id)],
      // Which in MySQL is a search, and a transaction of two statements.
      sweep: [kit.kind === 'mysql' ? 5 : 1, () => store.sweep(start + 3_000_000, 200)],
      'sweep without work': [1, () => store.sweep(start - 1, 200)],
    }
    await store.get('x')
    // What finds a scan, found one.
    expect(await kit.scanned({ sql: `SELECT id FROM ${table} WHERE head = 'x'`, values: [] })).toHaveLength(1)
    for (const [name, [statements, verb]] of Object.entries(verbs)) {
      kit.sent.length = 0
      await verb()
      const sent = [...kit.sent]
      expect(sent, name).toHaveLength(statements)
      for (const statement of sent) {
        if (!/^(?:SELECT|UPDATE|DELETE|WITH)/.test(statement.sql)) continue
        expect(await kit.scanned(statement), `${name}: ${statement.sql}`).toEqual([])
      }
    }
  })

  test('touches of the same sessions in batches that cross never wait for each other in a ring', async () => {
    const store = await create()
    const records = Array.from({ length: 200 }, () => newRecord())
    await Promise.all(records.map(async (record) => await store.put(record, 0)))
    kit.thrown.length = 0
    await Promise.all(
      Array.from({ length: 40 }, async (_, round) => {
        const [lastSeenAt, expiresAt] = [start + round, start + hour + 1 + round]
        const batch = records.map(({ id, userId, version }) => ({ id, userId, version, lastSeenAt, expiresAt }))
        await store.touch(round % 2 ? batch : batch.toReversed())
      }),
    )
    expect(kit.thrown).toEqual([])
    for (const { expiresAt } of await collect(store.list())) expect(expiresAt).toBe(start + hour + 40)
  })

  test(`a sweep of a tenth of ${sweepRows} sessions and writers do not disturb each other`, { timeout: 900_000 }, async () => {
    const table = kit.newTable()
    const store = kit.store(table)
    await store.createSchema()
    await kit.fill(table, sweepRows, `CASE WHEN n % 10 = 3 THEN ${start} - n ELSE ${start} + ${hour} + n END`)
    const ids = (await kit.ask(`SELECT id FROM ${table} WHERE expires_at <= ${start}`)).map(({ id }) => String(id))
    const live = (await kit.ask(`SELECT id FROM ${table} WHERE expires_at > ${start} ORDER BY id LIMIT 5000`)).map(({ id }) => String(id))
    expect(ids).toHaveLength(sweepRows / 10)

    kit.sent.length = 0
    kit.thrown.length = 0
    const sweep = { goesOn: true }
    const removed: Removed[] = []
    const batches: number[] = []
    const saved = new Set<string>()
    const counts = { puts: 0, touches: 0, inserts: 0 }
    const random = <T>(items: readonly T[]) => items.at(Math.floor(Math.random() * items.length)) as T
    // A synchronous store leaves the others their turn here.
    const turn = async () => await new Promise((resolve) => setImmediate(resolve))

    const sweeper = async () => {
      for (let more = true; more || removed.length + saved.size < ids.length; await turn()) {
        const began = performance.now()
        const swept = await store.sweep(start, 200)
        batches.push(performance.now() - began)
        expect(swept.removed.length).toBeLessThanOrEqual(200)
        removed.push(...swept.removed)
        ;({ more } = swept)
      }
    }
    const putter = async () => {
      for (; sweep.goesOn; await turn()) {
        const expired = Math.random() < 0.2
        const record = await store.get(expired ? random(ids) : random(live))
        if (record === null) continue
        const landed = await store.put(
          after(record, { expiresAt: start + 2 * hour, userId: random(['ada', 'alan', null]) }),
          record.version,
        )
        if (landed) counts.puts++
        if (landed && expired) saved.add(record.id)
      }
    }
    const toucher = async () => {
      for (; sweep.goesOn; await turn()) {
        const batch = Array.from({ length: 100 }, () => ({
          id: random(live),
          userId: null,
          version: 1,
          lastSeenAt: start,
          expiresAt: start + 3 * hour + Math.floor(Math.random() * hour),
        }))
        await store.touch(batch)
        counts.touches += batch.length
      }
    }
    const inserter = async () => {
      for (; sweep.goesOn; await turn()) {
        const record = newRecord({ userId: 'ada', expiresAt: start + 1 })
        expect(await store.put(record, 0)).toBe(true)
        if (Math.random() < 0.5) expect(await store.delete(record.id)).toBe(true)
        counts.inserts++
      }
    }

    const began = performance.now()
    const writers = Promise.all([putter(), putter(), toucher(), toucher(), inserter()])
    await Promise.all([sweeper(), sweeper()]).finally(() => (sweep.goesOn = false))
    await writers
    const seconds = (performance.now() - began) / 1000
    batches.sort((one, other) => one - other)
    const [median, longest] = [batches.at(batches.length >> 1)!, batches.at(-1)!].map((ms) => `${ms.toFixed(0)} ms`)
    const batch = `median batch ${median}, longest ${longest}`
    console.info(`${kit.kind}: swept ${removed.length} of ${sweepRows} in ${seconds.toFixed(1)} s, ${batch}, beside`, counts)

    expect(kit.thrown).toEqual([])
    expect(new Set(removed.map(({ id }) => id)).size).toBe(removed.length)
    expect(removed.filter(({ id }) => saved.has(id))).toEqual([])
    expect(removed.length + saved.size).toBe(ids.length)
    expect(await store.sweep(start, 200)).toEqual({ removed: [], more: false })
  })
}
