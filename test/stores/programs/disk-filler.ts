import { randomBytes } from 'node:crypto'
import type { SessionRecord } from '../../../src/core/store.ts'
import { disk } from '../../../src/stores/disk.ts'

// Fills a folder until the system gives it no more, then ends, touches, deletes and sweeps, and fills again. Says what came of
// it as JSON. Run with a limit on the size of files.

const [, , folder] = process.argv as [string, string, string]
const store = disk(folder)
const start = Date.UTC(2026, 0, 1)
const records: SessionRecord[] = []
const errors: { code: unknown; message: string }[] = []
let unhandled = 0
process.on('unhandledRejection', () => unhandled++)

async function attempt<T>(work: () => T | Promise<T>): Promise<T | null> {
  try {
    return await work()
  } catch (error) {
    errors.push({ code: (error as { code?: unknown }).code, message: (error as Error).message })
    return null
  }
}

async function insert(size: number): Promise<boolean> {
  const id = randomBytes(12).toString('base64url')
  const expiresAt = start + (records.length % 2) * 1e6
  const record = { id, version: 1, userId: 'ada', createdAt: start, lastSeenAt: start, expiresAt, head: 'head', data: 'x'.repeat(size) }
  const landed = (await attempt(() => store.put(record, 0))) === true
  if (landed) records.push(record)
  return landed
}

async function fill(size: number): Promise<number> {
  const before = records.length
  for (let landed = true; landed;) landed = (await Promise.all(Array.from({ length: 16 }, () => insert(size)))).every(Boolean)
  return records.length - before
}

async function count(chosen: readonly SessionRecord[], work: (record: SessionRecord) => unknown): Promise<number> {
  const answers = await Promise.all(chosen.map((record) => attempt(() => work(record))))
  return answers.filter(Boolean).length
}

const filled = await fill(1000)
const codes = [...new Set(errors.map(({ code }) => code))]
const huge = await insert(50_000_000)
const kept = await count(records, async ({ id }) => (await store.get(id, { fresh: true })) !== null)
errors.length = 0
const ended = await count(records.slice(0, 100), (record) => store.put({ ...record, version: 2, userId: null, data: '' }, 1))
const touched = await count(records.slice(100, 200), async (record) => {
  await store.touch([{ ...record, lastSeenAt: start - 1, expiresAt: start + 2e6 }])
  return (await store.get(record.id, { fresh: true }))?.expiresAt === start + 2e6
})
const deleted = await count(records.slice(200, 300), (record) => store.delete(record.id))
let swept = 0
for (let more = true; more;) {
  const batch = await attempt(() => store.sweep(start, 200))
  swept += batch?.removed.length ?? 0
  more = batch?.more ?? false
}
const failedLater = [...errors]
const refilled = await fill(1000)
await store.close()
process.stdout.write(JSON.stringify({ filled, codes, huge, kept, ended, touched, deleted, swept, failedLater, refilled, unhandled }))
