import { strict as assert } from 'node:assert'
import type { Maybe } from '../../core/store.ts'
import { after, assertListed, assertSame, assertStored, assertSwept, collect, hour, insert, newId, newRecord, read, start } from './rule.ts'
import type { Rules } from './rule.ts'

const texts: Readonly<Record<string, string>> = {
  'the empty string': '',
  'a space': ' ',
  'spaces and line ends around': ' \r\n\t x \n\r ',
  'quotes and backslashes': `'"\`\\'\\"\\\\%_;--/**/`,
  'every control character, NUL among them': Array.from({ length: 33 }, (_, code) => String.fromCharCode(code)).join('') + '\x7f',
  'NUL at both ends': '\0x\0',
  'Latin-1': 'é ÿ \u0080 \u00a0',
  'CJK, emoji and the last code point': '漢字 👩‍👩‍👧 \u{10ffff}',
  'line and paragraph separators': '{"a":"\u2028\u2029"}',
  'a byte order mark at the start': '\ufeff{}',
  'what normalisation would change': 'e\u0301 \u00e9 \u212b ﬁ',
  'what looks like a number': '007',
  'what looks like null': 'null',
  '1 MB of ASCII': 'x'.repeat(1_000_000),
  '1 MB of emoji': '👩'.repeat(250_000),
}

// Each of all these is another user than every other, whatever collation, pattern or separator a database knows.
const kindsOfUserIds: Readonly<Record<string, readonly string[]>> = {
  'case and accents': ['ada', 'Ada', 'ADA', 'adá', 'ada\u0301', 'i', 'I', 'İ', 'ß', 'ss', '👩', '👨'],
  'beginnings and ends': ['ad', 'adab', 'ada ', ' ada', 'ada\n', 'ada:1', 'ada/1', 'ada|1', 'ada,1', 'ada\uffff', '\uffff'],
  'patterns and quotes': ['ada%', 'ad_', '%', '_', '*', '?', '{ada}', '"', '\\', '..', "' OR 1=1 --"],
  'what is false or a name in some language': ['', '0', '1', '01', '1.0', 'null', 'undefined', '__proto__', 'constructor'],
  lengths: ['x'.repeat(254), 'x'.repeat(255), '漢'.repeat(255)],
}
const userIds = Object.values(kindsOfUserIds).flat()

export const roundTrip: Rules = {
  'an ID that was never put is answered with null': async (store) => {
    assert.equal(await store.get(newId()), null)
    assert.equal(await read(store, newId()), null)
    await insert(store)
    assert.equal(await read(store, newId()), null)
  },

  'a record comes back with every field as it was put': async (store) => {
    const record = await insert(store, {
      version: 48_213,
      userId: 'ada',
      createdAt: start + 1,
      lastSeenAt: start + 20_002,
      expiresAt: start + hour + 303,
      head: '{"h":["abc"]}',
      data: '{"theme":"dark"}',
    })
    assertSame(await store.get(record.id), record)
    await assertStored(store, record)
    await assertListed(store, undefined, [record])
    await assertListed(store, 'ada', [record])
  },

  'data of any kind comes back character by character': async (store) => {
    for (const [kind, data] of Object.entries(texts)) {
      const record = await insert(store, { data })
      await assertStored(store, record, `${kind} came back changed`)
      const changed = after(record, { data: `${data}${data}` })
      assert.equal(await store.put(changed, record.version), true)
      await assertStored(store, changed, `${kind}, twice, came back changed`)
      assert.equal(await store.put(after(changed, { data }), changed.version), true)
      await assertStored(store, after(changed, { data }), `${kind} came back changed when it was put over a longer one`)
    }
    const listed = (await collect(store.list())).map(({ data }) => data)
    assert.deepEqual(new Set(listed), new Set(Object.values(texts)))
  },

  'a head of any length and any printable ASCII comes back as it was put': async (store) => {
    const printable = Array.from({ length: 95 }, (_, index) => String.fromCharCode(32 + index)).join('')
    for (const head of ['', ' ', printable, printable.repeat(100)]) {
      await assertStored(store, await insert(store, { head }))
    }
  },

  'versions up to 2^53 - 1 are kept and compared exactly': async (store) => {
    const record = await insert(store, { version: Number.MAX_SAFE_INTEGER - 2 })
    await assertStored(store, record)
    assert.equal(await store.put({ ...record, version: Number.MAX_SAFE_INTEGER }, Number.MAX_SAFE_INTEGER - 1), false)
    const last = { ...record, version: Number.MAX_SAFE_INTEGER }
    assert.equal(await store.put(last, Number.MAX_SAFE_INTEGER - 2), true)
    await assertStored(store, last)
    await assertStored(store, await insert(store, { version: 1 }))
  },

  'times are kept to the millisecond, near and far': async (store) => {
    const record = await insert(store, { createdAt: 0, lastSeenAt: 1, expiresAt: Date.UTC(9999, 11, 31, 23, 59, 59, 999) })
    await assertStored(store, record)
    await assertSwept(store, record.expiresAt - 1, [])
    await assertSwept(store, record.expiresAt, [record])
  },

  'IDs that differ in the case of a letter are different sessions': async (store) => {
    const records = []
    for (const id of [
      'abcdefghijklmnop',
      'ABCDEFGHIJKLMNOP',
      'Abcdefghijklmnop',
      '----------------',
      '________________',
      '0000000000000000',
    ]) {
      records.push(await insert(store, { id, data: id }))
    }
    for (const record of records) await assertStored(store, record)
    assert.equal(await store.delete('abcdefghijklmnop'), true)
    assert.equal(await read(store, 'abcdefghijklmnop'), null)
    for (const record of records.slice(1)) await assertStored(store, record)
    await assertListed(store, undefined, records.slice(1))
  },

  'user IDs of any characters come back, and each is another user than all others': async (store) => {
    const records = []
    for (const userId of userIds) records.push(await insert(store, { userId }))
    const anonymous = await insert(store, { userId: null })
    for (const record of records) {
      await assertStored(store, record)
      await assertListed(store, record.userId!, [record])
    }
    await assertListed(store, undefined, [...records, anonymous])
    const removed = await store.sweep(start + hour, userIds.length + 1)
    assert.deepEqual(new Set(removed.removed.map(({ userId }) => userId)), new Set([...userIds, null]))
  },

  'a user ID with a NUL in it is a user of its own, or refused': async (store) => {
    const record = newRecord({ userId: 'ada\0' })
    const ada = await insert(store, { userId: 'ada' })
    const landed = await attempt(() => store.put(record, 0))
    await assertListed(store, 'ada', [ada])
    if (landed) await assertListed(store, 'ada\0', [record])
    else assert.equal(await read(store, record.id), null, 'a put was refused and yet landed')
  },
}

async function attempt(put: () => Maybe<boolean>): Promise<boolean> {
  try {
    return await put()
  } catch {
    return false
  }
}
