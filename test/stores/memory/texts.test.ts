import { describe, expect, test } from 'vitest'
import type { SessionRecord, Store, Swept } from '../../../src/core/store.ts'
import { memory } from '../../../src/stores/memory.ts'
import { after, collect, newId, newRecord, start, touchOf } from '../../../src/testing/store-cases/rule.ts'

/** Enough others in use that a record is no more among those kept as objects, and must come from its bytes. */
function cool(store: Store): void {
  for (let index = 0; index < 200; index++) {
    const other = newRecord({ userId: 'cooling' })
    void store.put(other, 0)
    void store.get(other.id)
  }
}

function bytesStore(): Store {
  // Of 1 MB, 32 KB are for objects: some seventy records.
  return memory({ maxBytes: '1 MB' })
}

function roundTrip(fields: Partial<SessionRecord>): void {
  const store = bytesStore()
  const record = newRecord(fields)
  expect(store.put(record, 0)).toBe(true)
  cool(store)
  expect(store.get(record.id)).toEqual(record)
  void store.close()
}

const texts: readonly (readonly [string, string])[] = [
  ['nothing', ''],
  ['one byte for each character', 'é ÿ \u0080\u00ff'],
  ['every Latin-1 character', Array.from({ length: 256 }, (_, code) => String.fromCharCode(code)).join('')],
  ['one character beyond', `${'x'.repeat(300)}漢`],
  ['a lone high surrogate', 'a\ud800b'],
  ['a lone low surrogate at the end', `${'x'.repeat(100)}\udfff`],
  ['surrogates in the wrong order', '\udc00\ud800'],
  ['lone surrogates among many', `${'漢'.repeat(100)}\ud800${'👩'.repeat(50)}`],
  ['mostly ASCII with an emoji', `${'{"name":"ada"}'.repeat(20)}👩`],
  ['NUL everywhere', '\0'.repeat(100)],
  ['a byte order mark', '\ufeff\ufeffx'],
]

describe.each(texts)('%s', (_, text) => {
  test('comes back from its bytes as data', () => roundTrip({ data: text }))
  test('comes back as a user’s ID', () => roundTrip({ userId: text }))
  test('comes back as a head', () => roundTrip({ head: text }))
  test('comes back as an ID', () => roundTrip({ id: `${text}!`, userId: 'ada', data: text }))

  test('is one user, who can be listed', async () => {
    const store = bytesStore()
    const records = [newRecord({ userId: text }), newRecord({ userId: text }), newRecord({ userId: `${text}.` })]
    for (const record of records) void store.put(record, 0)
    expect((await collect(store.list(text))).map(({ id }) => id).sort()).toEqual([records[0]!.id, records[1]!.id].sort())
  })
})

describe('heads', () => {
  const key = 'Zm9vYmFyYmF6cXV4Zm9vYg'
  const heads: readonly string[] = [
    `v${key}${'A'.repeat(43)}0mwozrfjz{"d":"Firefox on Linux","h":"BT8NfU","w":"...1n5rsD"}`,
    `v${key}${'_'.repeat(43)}0mwozrfjz{"d":"Firefox on Linux","h":"abcdef","w":"Ab-_09xyz"}`,
    `v${key}`,
    key.slice(0, 6),
    key.slice(0, 5),
    'Firefox',
    'firefox',
    'Abcdef1',
    'x'.repeat(127),
    '7'.repeat(127),
    '7'.repeat(128),
    '7'.repeat(300),
    '7'.repeat(499),
    `${'7'.repeat(499)}.8`,
    `{"${'7'.repeat(8)}":"${'8'.repeat(9)}","${'9'.repeat(10)}"}`,
    '7777777é7777777',
    '7777777漢7777777',
    '\x7f777777',
    '\x80777777',
  ]

  test('of one shape or of many, met once or often, come back as they were', () => {
    const store = memory({ maxBytes: '4 MB' })
    const records: SessionRecord[] = []
    for (let round = 0; round < 4; round++)
      for (const head of heads) records.push(newRecord({ head, userId: round % 2 ? 'ada' : null, data: 'x'.repeat(round) }))
    for (const record of records) expect(store.put(record, 0)).toBe(true)
    cool(store)
    for (const record of records) expect(store.get(record.id)).toEqual(record)
  })

  test('of more shapes than have a number come back as they were, when old shapes went too', async () => {
    const store = memory({ maxBytes: '8 MB' })
    for (let round = 0; round < 3; round++) {
      const records: SessionRecord[] = []
      for (let shape = 0; shape < 400; shape++) {
        const name = `{"${'abc'.repeat(1 + (shape % 20))}":${shape}.${round},"h":`
        for (let copy = 0; copy < 3; copy++) records.push(newRecord({ head: `${newId()}${name}"${newId()}"}` }))
      }
      for (const record of records) void store.put(record, 0)
      for (const record of records) expect(store.get(record.id)).toEqual(record)
      for (const record of records.slice(100)) void store.delete(record.id)
      for (const record of records.slice(0, 100)) expect(store.get(record.id)).toEqual(record)
      await store.sweep(start + 1e9, 1000)
    }
  })

  test('are told as they were by a sweep and when given up', () => {
    const store = memory({ maxSessions: 20 })
    const told: string[] = []
    store.onEvicted = ({ id, userId, head }) => told.push(`${id} ${userId} ${head}`)
    const records = [...heads, ...heads].map((head, index) => newRecord({ head, userId: index % 2 ? `user ${index}` : null }))
    for (const record of records) void store.put(record, 0)
    const swept = store.sweep(start + 1e9, 100) as Swept
    for (const { id, userId, head } of swept.removed) told.push(`${id} ${userId} ${head}`)
    expect(told.sort()).toEqual(records.map(({ id, userId, head }) => `${id} ${userId} ${head}`).sort())
  })
})

describe('IDs of another shape', () => {
  const ids = [
    '',
    'a',
    'ada',
    'x'.repeat(15),
    'x'.repeat(17),
    'xxxxxxxxxxxxxxx!',
    'x'.repeat(3000),
    '漢'.repeat(16),
    'AAAAAAAAAAAAAAAA',
    '\ud800'.repeat(16),
  ]

  test('are sessions like any other: found, changed, touched, listed, swept', async () => {
    const store = memory({ maxBytes: '4 MB' })
    let records = ids.map((id, index) => newRecord({ id, userId: index % 2 ? 'ada' : null, data: id }))
    for (const record of records) expect(store.put(record, 0)).toBe(true)
    for (const record of records) expect(store.get(record.id)).toEqual(record)
    records = records.map((record) => after(record, { data: `${record.data}${'y'.repeat(50)}` }))
    for (const record of records) expect(store.put(record, record.version - 1)).toBe(true)
    void store.touch(records.map((record) => touchOf(record)))
    for (const { id, data } of records) expect(store.get(id)).toMatchObject({ id, data })
    expect((await collect(store.list())).map(({ id }) => id).sort()).toEqual([...ids].sort())
    const { removed } = await store.sweep(start + 1e9, 100)
    expect(removed.map(({ id }) => id).sort()).toEqual([...ids].sort())
    for (const id of ids) expect(store.get(id)).toBeNull()
  })
})

describe('times', () => {
  test.each([
    ['before the epoch', -5, -3, -1],
    ['in fractions', start + 0.5, start + 0.75, start + 1.25],
    ['that go back', start, start - 10, start - 20],
    ['far apart', 0, 1, Date.UTC(9999, 0, 1)],
    ['further than dates', 0, 1, 2 ** 50],
    ['at the bound of what is kept in words', 2 ** 45 - 1, 2 ** 45 + 2 ** 32 - 2, 2 ** 45 + 2 ** 32 - 2],
    ['just past it', 2 ** 45, 2 ** 45, 2 ** 45],
    ['a span just past it', 5, 5 + 2 ** 32, 5 + 2 ** 32],
  ])('%s come back, are touched and expire as any', async (_, createdAt, lastSeenAt, expiresAt) => {
    for (const userId of [null, 'ada']) {
      const store = bytesStore()
      const record = newRecord({ createdAt, lastSeenAt, expiresAt, userId })
      void store.put(record, 0)
      cool(store)
      expect(store.get(record.id)).toEqual(record)
      void store.touch([touchOf(record, { lastSeenAt: expiresAt - 1, expiresAt: expiresAt + 10 })])
      const touched = { ...record, lastSeenAt: expiresAt - 1, expiresAt: expiresAt + 10 }
      expect(store.get(record.id)).toEqual(touched)
      cool(store)
      expect(store.get(record.id)).toEqual(touched)
      const found = async (now: number) => {
        const { removed } = await store.sweep(now, 1000)
        return removed.some(({ id }) => id === record.id)
      }
      expect(await found(expiresAt + 9)).toBe(false)
      expect(await found(expiresAt + 10)).toBe(true)
    }
  })

  test('that a touch brings out of what is kept in words come back', () => {
    const store = bytesStore()
    const record = newRecord({ userId: 'ada', data: 'x'.repeat(500) })
    void store.put(record, 0)
    const times = { lastSeenAt: start + 1, expiresAt: start + 2 ** 40 }
    void store.touch([touchOf(record, times)])
    cool(store)
    expect(store.get(record.id)).toEqual({ ...record, ...times })
  })
})

test('a record in use is the same object at each get, until it is written or touched', () => {
  const store = memory()
  const record = newRecord()
  void store.put(record, 0)
  const got = store.get(record.id)
  expect(got).toEqual(record)
  expect(store.get(record.id)).toBe(got)
  void store.touch([touchOf(record)])
  const touched = store.get(record.id)
  expect(touched).not.toBe(got)
  expect(store.get(record.id)).toBe(touched)
  const next = after(record, { data: 'next' })
  void store.put(next, record.version)
  expect(store.get(record.id)).toBe(next)
})

test('a flood of sessions that come once does not cost one in use its object', () => {
  const store = bytesStore()
  const record = newRecord()
  void store.put(record, 0)
  const got = store.get(record.id)
  for (let index = 0; index < 500; index++) void store.put(newRecord(), 0)
  expect(store.get(record.id)).toBe(got)
})

test('data of megabytes come back, grow, shrink, and leave their room', () => {
  const store = memory({ maxBytes: '40 MB' })
  for (let round = 0; round < 5; round++) {
    let record = newRecord({ userId: 'ada' })
    void store.put(record, 0)
    for (const data of ['x'.repeat(3_000_000), '漢'.repeat(1_000_000), 'short', `\ud800${'y'.repeat(2_000_000)}`, '', 'z'.repeat(1_012)]) {
      const next = after(record, { data })
      expect(store.put(next, record.version)).toBe(true)
      record = next
      const found = store.get(record.id) as SessionRecord
      expect(found.data === data).toBe(true)
      expect(found.userId).toBe('ada')
    }
    for (let index = 0; index < 8; index++) void store.put(newRecord({ data: 'x'.repeat(3_000_000) }), 0)
  }
})

test('every length of data comes back, in the first block and over several', () => {
  for (const maxBytes of [50_000, '16 MB']) {
    const store = memory({ maxBytes })
    const records: SessionRecord[] = []
    for (let length = 0; length < 4_500; length += length < 1100 ? 1 : 37) {
      const record = newRecord({ data: 'x'.repeat(length), userId: length % 2 ? 'ada' : null })
      void store.put(record, 0)
      records.push(record)
    }
    // A store so small gave most of them up; none may come back as another.
    for (const record of records) if (maxBytes === '16 MB' || store.get(record.id) !== null) expect(store.get(record.id)).toEqual(record)
  }
})
