import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import Module from 'node:module'
import { join, relative } from 'node:path'
import { open } from 'lmdb'
import { describe, expect, test, vi } from 'vitest'
import { SojournError, type SojournErrorCode } from '../../src/core/errors.ts'
import type { SessionRecord, Store } from '../../src/core/store.ts'
import { disk } from '../../src/stores/disk.ts'
import { agreeingContentsOf, contentsOf, newFolder, newRecord, start } from './disk-folder.ts'

const fresh = { fresh: true }

function thrownBy(work: () => unknown): unknown {
  try {
    work()
  } catch (error) {
    return error
  }
  return null
}

async function failureOf(verb: () => unknown): Promise<unknown> {
  try {
    await verb()
  } catch (error) {
    return error
  }
  return null
}

function coded(code: SojournErrorCode): SojournError {
  return expect.objectContaining({ name: 'SojournError', code }) as SojournError
}

async function insertMany(store: Store, count: number, fields: (index: number) => Partial<SessionRecord> = () => ({})) {
  const records = Array.from({ length: count }, (_, index) => newRecord(fields(index)))
  const landed = await Promise.all(records.map(async (record) => await store.put(record, 0)))
  expect(landed.every(Boolean)).toBe(true)
  return records
}

/** Inserts until no more fits. */
async function fill(store: Store, fields: () => Partial<SessionRecord> = () => ({})) {
  const records: SessionRecord[] = []
  let error: unknown = null
  const insertUntilFull = async () => {
    while (error === null) {
      const record = newRecord(fields())
      try {
        await store.put(record, 0)
        records.push(record)
      } catch (cause) {
        error = cause
      }
    }
  }
  await Promise.all(Array.from({ length: 8 }, insertUntilFull))
  return { records, error }
}

describe('durability', () => {
  test('everything that was acknowledged is there after a restart', async () => {
    const folder = newFolder()
    const store = disk(folder)
    const [kept, touched, ended, deleted] = await insertMany(store, 4, (index) => ({ data: `漢字 ${index}`, userId: `user ${index % 2}` }))
    await store.touch([{ ...touched!, lastSeenAt: start + 1, expiresAt: start + 90_000 }])
    const tombstone = { ...ended!, version: 2, userId: null, data: '' }
    await store.put(tombstone, 1)
    await store.delete(deleted!.id)
    await store.close()

    const again = disk(folder)
    expect(again.get(kept!.id)).toEqual(kept)
    expect(again.get(touched!.id)).toEqual({ ...touched, lastSeenAt: start + 1, expiresAt: start + 90_000 })
    expect(again.get(ended!.id)).toEqual(tombstone)
    expect(again.get(deleted!.id)).toBe(null)
    await again.close()
    expect((await agreeingContentsOf(folder)).size).toBe(3)
  })

  test('a flushed write is in the state that lmdb would go back to after a power failure', async () => {
    const folder = newFolder()
    const store = disk(folder, { durability: 'flushed' })
    const root = open({ path: folder, noSubdir: false })
    // lmdb keeps the header of the last flushed commit in the middle of the first page; its number is 152 bytes in.
    const flushed = () => {
      const file = readFileSync(join(folder, 'data.mdb'))
      return Number(file.readBigUInt64LE(file.readUInt32LE(48) / 2 + 152))
    }
    const record = newRecord()
    for (let version = 1; version <= 30; version++) {
      expect(await store.put({ ...record, version }, version - 1)).toBe(true)
      root.resetReadTxn()
      expect(flushed()).toBe((root.getStats() as { lastTxnId: number }).lastTxnId)
    }
    await root.close()
    await store.close()
  })

  test('a committed write is acknowledged when other handles see it', async () => {
    const folder = newFolder()
    const [one, other] = [disk(folder), disk(folder)]
    const record = newRecord()
    for (let version = 1; version <= 50; version++) {
      await one.put({ ...record, version }, version - 1)
      expect(other.get(record.id, fresh)).toEqual({ ...record, version })
    }
    await one.close()
    await other.close()
  })
})

describe('a folder', () => {
  test('is made for its owner alone, with all its files', async () => {
    const folder = join(newFolder(), 'a.folder', 'below')
    const store = disk(folder)
    await store.put(newRecord(), 0)
    const modeOf = (file: string) => (statSync(join(folder, file)).mode & 0o777).toString(8)
    const files = ['data.mdb', 'gate.mdb', 'gate.mdb-lock', 'lock.mdb']
    expect([modeOf('..'), modeOf('.'), ...files.map(modeOf)]).toEqual(['700', '700', '600', '600', '600', '600'])
    expect(readdirSync(folder).filter((file) => !file.endsWith('.sock'))).toEqual(files)
    await store.close()
  })

  test('is all that the store makes, reads or removes, whatever an ID or a user is called', async () => {
    const above = newFolder()
    const folder = join(above, 'sessions')
    writeFileSync(join(above, 'victim'), 'as it was')
    const store = disk(folder)
    await store.put(newRecord(), 0)
    const below = () => readdirSync(folder).filter((file) => !file.endsWith('.sock'))
    const files = below()
    for (const name of [
      '../victim',
      '../../escaped',
      join(above, 'victim'),
      'a/b',
      '..',
      '.',
      'data.mdb',
      'victim\0.json',
      '%2e%2e%2fvictim',
    ]) {
      expect(store.get(name)).toBe(null)
      const record = newRecord({ id: name, userId: name })
      await failureOf(async () => await store.put(record, 0)) // A store may refuse such an ID, or keep it.
      await failureOf(async () => await store.put({ ...record, version: 2 }, 1))
      for await (const { userId } of store.list(name)) expect(userId).toBe(name)
      await failureOf(async () => await store.delete(name))
    }
    expect([readdirSync(above).toSorted(), below()]).toEqual([['sessions', 'victim'], files])
    expect(readFileSync(join(above, 'victim'), 'utf8')).toBe('as it was')
    await store.close()
  })

  test('is one, opened twice in a process, by whatever path', async () => {
    const folder = newFolder()
    const one = disk(folder)
    const other = disk(`./${relative(process.cwd(), folder)}/`)
    expect(other.name).toBe(one.name)
    const record = newRecord()
    await one.put(record, 0)
    expect(other.get(record.id, fresh)).toEqual(record)
    expect(await other.put({ ...record, version: 2 }, 1)).toBe(true)
    expect(await one.put({ ...record, version: 3 }, 1)).toBe(false)
    await one.close()
    expect(await other.put({ ...record, version: 4 }, 2)).toBe(true)
    await other.close()
    expect((await agreeingContentsOf(folder)).get(record.id)?.version).toBe(4)
  })

  test('that is a file, or lies below one, is refused with its path and a mend', () => {
    const file = join(newFolder(), 'file')
    writeFileSync(file, 'text')
    for (const path of [file, join(file, 'below')]) {
      const error = thrownBy(() => disk(path))
      expect(error).toEqual(coded('ERR_SOJOURN_STORE'))
      expect((error as Error).message).toContain(path)
      expect((error as Error).message).toContain('name another')
    }
    expect(readFileSync(file, 'utf8')).toBe('text')
  })

  test.each([
    ['text', () => Buffer.from('no database at all\n'.repeat(1000))],
    ['a few bytes', () => Buffer.from('x')],
    ['zeros', () => Buffer.alloc(65_536)],
    ['the header of an older lmdb', () => olderHeader()],
  ])('in which data.mdb is %s is refused, and left as it was', (_, bytesOf) => {
    const folder = newFolder()
    const file = join(folder, 'data.mdb')
    const bytes = bytesOf()
    writeFileSync(file, bytes)
    const error = thrownBy(() => disk(folder))
    expect(error).toEqual(coded('ERR_SOJOURN_STORE_FORMAT'))
    expect((error as Error).message).toContain(file)
    expect(readFileSync(file).equals(bytes)).toBe(true)
  })

  test.each(['data.mdb', 'lock.mdb'])('in which %s is a folder is refused', (name) => {
    const folder = newFolder()
    mkdirSync(join(folder, name))
    expect(thrownBy(() => disk(folder))).toEqual(coded('ERR_SOJOURN_STORE_FORMAT'))
  })

  test('that holds another program’s lmdb environment is refused, and left as it was', async () => {
    const folder = newFolder()
    const root = open<string, string>({ path: folder, noSubdir: false })
    await root.put('theirs', 'data')
    const theirs = root.openDB<string, string>('sessions', {})
    await theirs.put('a', 'b')
    expect(thrownBy(() => disk(folder))).toEqual(coded('ERR_SOJOURN_STORE_FORMAT'))
    expect([...root.getKeys()]).toEqual(['sessions', 'theirs'])
    expect(theirs.get('a')).toBe('b')
    await root.close()
  })

  test('of a newer format is refused, and says what to do', async () => {
    const folder = newFolder()
    await disk(folder).close()
    const root = open({ path: folder, noSubdir: false })
    await root.openDB<number, string>('sojourn-disk', { encoding: 'json' }).put('version', 2)
    const error = thrownBy(() => disk(folder))
    expect(error).toEqual(coded('ERR_SOJOURN_STORE_FORMAT'))
    expect((error as Error).message).toContain('Upgrade sojourn')
    await root.close()
  })
})

describe('options', () => {
  test('that are none are refused', () => {
    const folder = join(newFolder(), 'never')
    const wrong = [
      () => disk(''),
      () => disk(undefined as unknown as string),
      () => disk(folder, { durability: 'sometimes' as 'flushed' }),
      () => disk(folder, { maxBytes: 'much' }),
      () => disk(folder, { maxBytes: 0 }),
    ]
    for (const work of wrong) expect(thrownBy(work)).toEqual(coded('ERR_SOJOURN_OPTION'))
    expect(existsSync(folder)).toBe(false)
  })

  test('without the package lmdb the error says how to install it', () => {
    const absent = Object.assign(new Error(`Cannot find module 'lmdb'`), { code: 'MODULE_NOT_FOUND' })
    const loader = Module as unknown as { _load: (request: string, ...rest: unknown[]) => unknown }
    const load = vi.spyOn(loader, '_load').mockImplementation(() => {
      throw absent
    })
    const error = thrownBy(() => disk(newFolder()))
    load.mockRestore()
    expect(error).toEqual(coded('ERR_SOJOURN_OPTION'))
    expect((error as Error).message).toContain('npm install lmdb')
    expect((error as Error).cause).toBe(absent)
  })
})

describe('the indexes', () => {
  test('agree with the records after any mix of writes at once', async () => {
    const folder = newFolder()
    const [one, other] = [disk(folder), disk(folder)]
    const ids = (await insertMany(one, 20)).map(({ id }) => id)
    const below = (bound: number) => Math.floor(Math.random() * bound)
    const step = async (store: Store) => {
      const id = ids[below(ids.length)]!
      const record = await store.get(id)
      const expiresAt = start + below(100_000)
      if (record === null) return await store.put(newRecord({ id, expiresAt }), 0)
      const userId = [null, 'ada', 'alan', '', 'x'.repeat(3000)][below(5)]!
      const kind = below(10)
      if (kind < 5) return await store.put({ ...record, version: record.version + 1 + below(3), userId, expiresAt }, record.version)
      if (kind < 8) return await store.touch([{ ...record, lastSeenAt: start, expiresAt: record.expiresAt + below(1000) }])
      if (kind < 9) return await store.delete(id)
      return await store.sweep(start + below(20_000), 3)
    }
    const worker = async (store: Store) => {
      for (let done = 0; done < 150; done++) await step(store)
    }
    await Promise.all([one, other, one, other, one, other].map(worker))
    await agreeingContentsOf(folder)
    await one.close()
    await other.close()
  })

  test('hold users of any name apart, in any order', async () => {
    const store = disk(newFolder())
    const users = ['', 'a', 'a\0', '\0a', 'A', 'é', '漢', 'a'.repeat(1978), 'a'.repeat(1979), 'a'.repeat(100_000), '__proto__']
    const records = await insertMany(store, users.length, (index) => ({ userId: users[index]! }))
    for (const record of records) {
      const listed: SessionRecord[] = []
      for await (const one of store.list(record.userId!)) listed.push(one)
      expect(listed).toEqual([record])
    }
    await store.close()
  })

  test('have times of any size and sign in their order', async () => {
    const store = disk(newFolder())
    const times = [-1e15, -2.5, -1, -0, 1e-3, 1, 255, 256, 65_536, 2 ** 32, 1.7e12, 2 ** 53]
    const records = await insertMany(store, times.length, (index) => ({ expiresAt: times[(index * 5) % times.length]! }))
    const swept: string[] = []
    for (const time of times) swept.push(...(await store.sweep(time, 10)).removed.map(({ id }) => id))
    const inOrder = records.toSorted((one, other) => one.expiresAt - other.expiresAt)
    expect(swept).toEqual(inOrder.map(({ id }) => id))
    await store.close()
  })
})

describe('a sweep', () => {
  test('costs by what has expired, not by what is stored', async () => {
    const folder = newFolder()
    const store = disk(folder) as Store & { readonly rowsVisited: number }
    await insertMany(store, 2000, (index) => ({ expiresAt: start + (index < 130 ? index : 1e9 + index) }))
    expect(await store.sweep(start - 1, 50)).toEqual({ removed: [], more: false })
    expect(store.rowsVisited).toBe(0)
    const batches = [await store.sweep(start + 1000, 50), await store.sweep(start + 1000, 50), await store.sweep(start + 1000, 50)]
    expect(batches.map(({ removed, more }) => [removed.length, more])).toEqual([
      [50, true],
      [50, true],
      [30, false],
    ])
    // One row beyond each limit tells whether there is more.
    expect(store.rowsVisited).toBe(130 + 2)
    await store.close()
    expect((await agreeingContentsOf(folder)).size).toBe(1870)
  })

  test('leaves the event loop free between its rows', async () => {
    const store = disk(newFolder())
    await insertMany(store, 500)
    let turns = 0
    let sweeping = true
    const count = () => {
      turns++
      if (sweeping) setImmediate(count)
    }
    setImmediate(count)
    expect((await store.sweep(start + 1e9, 500)).removed.length).toBe(500)
    sweeping = false
    expect(turns).toBeGreaterThanOrEqual(5)
    await store.close()
  })

  test('passes over what a damaged file may hold: rows of no record, and records that are none', async () => {
    const folder = newFolder()
    const store = disk(folder)
    const records = await insertMany(store, 3)
    const root = open<Buffer, string>({ path: folder, noSubdir: false })
    const sessions = root.openDB<Buffer, string>('sessions', { encoding: 'binary', useVersions: true })
    const expiry = root.openDB<Buffer, Buffer>('expiry', { encoding: 'binary', keyEncoding: 'binary' })
    await sessions.put(records[0]!.id, Buffer.from('damaged'), 1)
    await sessions.remove(records[1]!.id)
    await expiry.put(Buffer.concat([Buffer.alloc(8, 0x81), Buffer.from(records[2]!.id)]), Buffer.alloc(0))
    const { removed, more } = await store.sweep(start + 1e9, 10)
    expect(removed.map(({ id }) => id)).toEqual([records[2]!.id])
    expect(more).toBe(false)
    expect((await contentsOf(folder)).expiry).toEqual([])
    expect((await contentsOf(folder)).records.size).toBe(0)
    await root.close()
    await store.close()
  })
})

describe('a listing', () => {
  test('holds no read transaction between its records', async () => {
    const folder = newFolder()
    const store = disk(folder)
    await insertMany(store, 250)
    const root = open({ path: folder, noSubdir: false })
    const readers = () => root.readerList().match(/^ *\d+ [0-9a-f]+ \d+$/gm)?.length ?? 0
    let seen = 0
    for await (const _ of store.list('ada')) {
      if (++seen % 50 !== 0) continue
      await new Promise((resolve) => setTimeout(resolve, 5))
      expect(readers()).toBe(0)
      if (seen === 200) break
    }
    await root.close()
    await store.close()
  })
})

describe('a record that can’t be read', () => {
  test.each([
    ['no bytes', () => Buffer.alloc(0)],
    ['text', () => Buffer.from('{"some":"json"}')],
    ['a cut record', (bytes: Buffer) => bytes.subarray(0, -1)],
    ['another layout', (bytes: Buffer) => Buffer.from(bytes).fill(9, 0, 1)],
    ['a length beyond the end', (bytes: Buffer) => Buffer.from(bytes).fill(0xee, 8, 12)],
    ['a stamp that is not lmdb’s', (bytes: Buffer) => Buffer.from(bytes).fill(0x11, 16, 24)],
  ])('(%s) is an error that names it, for all but the removal', async (kind, damage) => {
    const folder = newFolder()
    const store = disk(folder)
    const [record, sound] = await insertMany(store, 2)
    const root = open<Buffer, string>({ path: folder, noSubdir: false })
    const sessions = root.openDB<Buffer, string>('sessions', { encoding: 'binary', useVersions: true })
    await sessions.put(record!.id, damage(sessions.get(record!.id)!), 7)
    const attempts: (() => unknown)[] = [
      () => store.put({ ...record!, version: 2 }, 1),
      () => store.touch([{ ...record!, lastSeenAt: start, expiresAt: start + 1e9 }]),
    ]
    if (!kind.startsWith('a stamp')) attempts.push(() => store.get(record!.id, fresh))
    for (const attempt of attempts) {
      const error = await failureOf(attempt)
      expect(error).toEqual(coded('ERR_SOJOURN_STORE_FORMAT'))
      expect((error as Error).message).toContain(record!.id)
    }
    expect(store.get(sound!.id, fresh)).toEqual(sound)
    if (!kind.startsWith('a stamp')) {
      expect(await store.delete(record!.id)).toBe(true)
      expect(store.get(record!.id, fresh)).toBe(null)
    }
    await root.close()
    await store.close()
  })
})

describe('a store that is full', () => {
  test('refuses what brings more, keeps all it acknowledged, and lets through what ends, touches and removes', async () => {
    const folder = newFolder()
    const store = disk(folder, { maxBytes: '1 MB' })
    const { records, error } = await fill(store, () => ({ data: 'x'.repeat(500) }))
    expect(error).toEqual(coded('ERR_SOJOURN_STORE_FULL'))
    expect((error as Error).message).toContain('maxBytes')
    expect(records.length).toBeGreaterThan(500)
    const [ended, touched, deleted, shrunk, grown] = records
    const tombstone = { ...ended!, version: 2, userId: null, data: '', head: 'h'.repeat(300) }
    expect(await store.put(tombstone, 1)).toBe(true)
    await store.touch([{ ...touched!, lastSeenAt: start + 1, expiresAt: start + 1e9 }])
    expect(store.get(touched!.id, fresh)).toMatchObject({ expiresAt: start + 1e9 })
    expect(await failureOf(() => store.put({ ...grown!, version: 2, data: 'x'.repeat(100_000) }, 1))).toEqual(
      coded('ERR_SOJOURN_STORE_FULL'),
    )
    expect(await store.delete(deleted!.id)).toBe(true)
    // What another write has overtaken is not refused for want of room.
    expect(store.get(shrunk!.id)).toEqual(shrunk)
    expect(await store.put({ ...shrunk!, version: 2, data: '' }, 1)).toBe(true)
    expect(await store.put({ ...shrunk!, version: 3, data: 'x'.repeat(100_000) }, 1)).toBe(false)
    for (const record of records.slice(4)) expect(store.get(record.id)).toEqual(record)
    await store.close()
    expect((await agreeingContentsOf(folder)).size).toBe(records.length - 1)
  })

  test('has room again after each sweep, wherever the removed lay, and its file stays near the bound', async () => {
    const folder = newFolder()
    const store = disk(folder, { maxBytes: '2 MB' })
    let turn = 0
    const { records } = await fill(store, () => ({ data: 'x'.repeat(200), expiresAt: start + (turn++ % 10) }))
    let count = records.length
    for (let round = 0; round < 10; round++) {
      for (let more = true; more;) {
        const batch = await store.sweep(start + round, 500)
        count -= batch.removed.length
        more = batch.more
      }
      const { records: again } = await fill(store, () => ({ data: 'x'.repeat(200), expiresAt: start + round + 10 }))
      count += again.length
    }
    expect(count).toBeGreaterThan(records.length * 0.7)
    // Half as large again, and what is kept ahead of it.
    expect(statSync(join(folder, 'data.mdb')).size).toBeLessThan(3e6 + 8e6)
    await store.close()
    expect((await agreeingContentsOf(folder)).size).toBe(count)
  })
})

describe('close', () => {
  test('waits for what is under way, can be called again, and makes every verb fail', async () => {
    const folder = newFolder()
    const store = disk(folder)
    const records = Array.from({ length: 100 }, () => newRecord())
    const puts = records.map(async (record) => await store.put(record, 0))
    const listing = store.list()[Symbol.asyncIterator]()
    await Promise.all([store.close(), store.close()])
    expect((await Promise.all(puts)).every(Boolean)).toBe(true)
    await store.close()
    const record = records[0]!
    const verbs: (() => unknown)[] = [
      () => store.get(record.id),
      () => store.get(record.id, fresh),
      () => store.put({ ...record, version: 2 }, 1),
      () => store.touch([record]),
      () => store.delete(record.id),
      () => store.sweep(start, 10),
      () => listing.next(),
    ]
    for (const verb of verbs) expect(await failureOf(verb)).toEqual(coded('ERR_SOJOURN_CLOSED'))
    expect((await agreeingContentsOf(folder)).size).toBe(100)
  })
})

test('a record of many megabytes goes in and comes out', async () => {
  const store = disk(newFolder())
  for (const megabytes of [1, 15, 17, 40]) {
    const record = newRecord({ data: '漢'.repeat((megabytes * 1e6) / 3), userId: null })
    expect(await store.put(record, 0)).toBe(true)
    expect((await store.get(record.id, fresh))?.data === record.data).toBe(true)
    await store.touch([{ ...record, lastSeenAt: start + 1, expiresAt: start + 1e9 }])
    expect((await store.get(record.id, fresh))?.data === record.data).toBe(true)
  }
  await store.close()
})

function olderHeader(): Buffer {
  const bytes = Buffer.alloc(32_768)
  bytes.writeUInt32LE(0xbeefc0de, 16)
  bytes.writeUInt32LE(1, 20)
  return bytes
}
