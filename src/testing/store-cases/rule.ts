import { strict as assert } from 'node:assert'
import { randomBytes } from 'node:crypto'
import type { Maybe, Removed, SessionRecord, Store, Touch } from '../../core/store.ts'

/** Sentences that hold for every store, each with what shows it on a fresh, empty one. */
export type Rules = Readonly<Record<string, (store: Store) => Promise<void>>>

// Far in the future, so that a store whose database expires records by its own clock keeps these for the test's `now`.
export const start = Date.UTC(2100, 0, 1)
export const minute = 60_000
export const hour = 60 * minute

export function newId(): string {
  return randomBytes(12).toString('base64url')
}

export function newRecord(fields: Partial<SessionRecord> = {}): SessionRecord {
  return {
    id: newId(),
    version: 1000,
    userId: null,
    createdAt: start,
    lastSeenAt: start,
    expiresAt: start + hour,
    head: 'head',
    data: '{"cart":[]}',
    ...fields,
  }
}

/** What the next `put` over a record would write. */
export function after(record: SessionRecord, fields: Partial<SessionRecord> = {}): SessionRecord {
  return { ...record, version: record.version + 1, ...fields }
}

export function touchOf({ id, userId, version, lastSeenAt, expiresAt }: SessionRecord, fields: Partial<Touch> = {}): Touch {
  return { id, userId, version, lastSeenAt: lastSeenAt + minute, expiresAt: expiresAt + minute, ...fields }
}

/** What a record is once `touchOf` with the same fields has landed on it. */
export function touched(record: SessionRecord, fields: Partial<Pick<Touch, 'lastSeenAt' | 'expiresAt'>> = {}): SessionRecord {
  return { ...record, lastSeenAt: record.lastSeenAt + minute, expiresAt: record.expiresAt + minute, ...fields }
}

export async function insert(store: Store, fields: Partial<SessionRecord> = {}): Promise<SessionRecord> {
  const record = newRecord(fields)
  assert.equal(await store.put(record, 0), true, 'a put with expected 0, where no record was, did not land')
  return record
}

export async function insertMany(store: Store, count: number, fields: (index: number) => Partial<SessionRecord>): Promise<SessionRecord[]> {
  return await Promise.all(Array.from({ length: count }, (_, index) => insert(store, fields(index))))
}

/** The newest record, whatever cache may stand in front. */
export async function read(store: Store, id: string): Promise<SessionRecord | null> {
  return await store.get(id, { fresh: true })
}

/** That the store has exactly this record; a store may answer any object that has its fields. */
export async function assertStored(store: Store, record: SessionRecord, message?: string): Promise<void> {
  assertSame(await read(store, record.id), record, message)
}

export function assertSame(actual: SessionRecord | null, expected: SessionRecord, message?: string): void {
  // In a long text, assert's comparison line by line would take minutes to say where it differs.
  if (actual !== null && expected.data.length > 10_000) {
    assert.ok(actual.data === expected.data, message ?? `data of ${expected.data.length} characters came back changed`)
    assert.deepEqual({ ...fieldsOf(actual), data: '' }, { ...fieldsOf(expected), data: '' }, message)
  } else {
    assert.deepEqual(actual && fieldsOf(actual), fieldsOf(expected), message)
  }
}

function fieldsOf({ id, version, userId, createdAt, lastSeenAt, expiresAt, head, data }: SessionRecord): SessionRecord {
  return { id, version, userId, createdAt, lastSeenAt, expiresAt, head, data }
}

export async function collect(records: AsyncIterable<SessionRecord>): Promise<SessionRecord[]> {
  const collected: SessionRecord[] = []
  for await (const record of records) collected.push(record)
  return collected
}

/** That a listing answers these records, each once, in any order. */
export async function assertListed(
  store: Store,
  userId: string | undefined,
  records: readonly SessionRecord[],
  message?: string,
): Promise<void> {
  const listed = await collect(store.list(userId))
  assert.deepEqual(idsOf(listed), idsOf(records), message ?? `list(${JSON.stringify(userId) ?? ''}) answered other sessions`)
  const byId = new Map(listed.map((record) => [record.id, record]))
  for (const record of records) assertSame(byId.get(record.id)!, record, message)
}

export function idsOf(items: readonly { readonly id: string }[]): string[] {
  return items.map(({ id }) => id).sort()
}

/** Sweeps until nothing more has expired. */
export async function sweepAll(store: Store, now: number, limit = 100): Promise<Removed[]> {
  const removed: Removed[] = []
  for (let batch = 0; batch < 1000; batch++) {
    const swept = await store.sweep(now, limit)
    removed.push(...swept.removed)
    if (!swept.more) return removed
  }
  return assert.fail('sweep still answered that there is more after 1000 batches')
}

/** That a sweep at `now` removes exactly these. */
export async function assertSwept(store: Store, now: number, records: readonly SessionRecord[], message?: string): Promise<void> {
  assert.deepEqual(idsOf(await sweepAll(store, now)), idsOf(records), message ?? 'a sweep removed other sessions than had expired')
}

/** Those of many puts at once that landed. */
export async function together(
  records: readonly SessionRecord[],
  put: (record: SessionRecord) => Maybe<boolean>,
): Promise<SessionRecord[]> {
  const answers = await Promise.all(records.map(async (record) => await put(record)))
  return records.filter((_, index) => answers[index])
}

/** Adds 1 to a session's data so many times, each time trying until it lands. */
export async function increment(store: Store, id: string, times: number): Promise<void> {
  let done = 0
  for (let tries = 0; done < times && tries < 2000; tries++) {
    const record = (await read(store, id))!
    if (await store.put(after(record, { data: `${Number(record.data) + 1}` }), record.version)) done++
  }
  assert.equal(done, times, 'a put over the version just read did not land, for 2000 tries')
}
