import { randomBytes } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { open } from 'lmdb'
import { afterEach, expect } from 'vitest'
import type { SessionRecord } from '../../src/core/store.ts'
import { expiryKey, userKey } from '../../src/stores/disk/keys.ts'
import { decode, isRecord } from '../../src/stores/disk/record.ts'

const folders: string[] = []

afterEach(() => {
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true, force: true })
})

/** A new folder, removed after the test. */
export function newFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'sojourn-disk-'))
  folders.push(folder)
  return folder
}

export const start = Date.UTC(2026, 0, 1)

export function newRecord(fields: Partial<SessionRecord> = {}): SessionRecord {
  return {
    id: randomBytes(12).toString('base64url'),
    version: 1,
    userId: 'ada',
    createdAt: start,
    lastSeenAt: start,
    expiresAt: start + 60_000,
    head: 'head',
    data: '{}',
    ...fields,
  }
}

/** What lies in a store's folder, read by lmdb alone. */
export interface Contents {
  readonly records: ReadonlyMap<string, SessionRecord>
  readonly expiry: readonly string[]
  readonly users: readonly string[]
}

export async function contentsOf(folder: string): Promise<Contents> {
  const root = open<Buffer, string>({ path: folder, noSubdir: false })
  const sessions = root.openDB<Buffer, string>('sessions', { encoding: 'binary', useVersions: true })
  const index = (name: string) => root.openDB<Buffer, Buffer>(name, { encoding: 'binary', keyEncoding: 'binary' })
  const keysOf = (name: string) => [...index(name).getKeys()].map((key) => key.toString('hex'))
  try {
    const records = new Map<string, SessionRecord>()
    for (const { key, value } of sessions.getRange({})) {
      expect(isRecord(value), `the record ${key} is damaged`).toBe(true)
      records.set(key, decode(key, value))
    }
    return { records, expiry: keysOf('expiry'), users: keysOf('users') }
  } finally {
    await root.close()
  }
}

/** Reads all there is, and sees that each record has its two index entries, and that there are no others. */
export async function agreeingContentsOf(folder: string): Promise<ReadonlyMap<string, SessionRecord>> {
  const { records, expiry, users } = await contentsOf(folder)
  const all = [...records.values()]
  expect(expiry).toEqual(all.map(({ expiresAt, id }) => expiryKey(expiresAt, id).toString('hex')).sort())
  expect(users).toEqual(all.flatMap(({ userId, id }) => (userId === null ? [] : [userKey(userId, id).toString('hex')])).sort())
  return records
}
