import { randomBytes, randomInt } from 'node:crypto'
import { openSync, writeSync } from 'node:fs'
import type { SessionRecord } from '../../../src/core/store.ts'
import { disk } from '../../../src/stores/disk.ts'

// Works on a folder until it is killed. Notes in a file what it is about to do ("try") and what was acknowledged ("done"), one
// JSON array a line, each written before anything else happens.

const [, , folder, journal, shared, soon] = process.argv as [string, string, string, string, string, string]
const file = openSync(journal, 'a')
const ids = shared.split(',')
const store = disk(folder)
const start = Number(soon) - 1000
const own: string[] = []

function note(...line: unknown[]): void {
  writeSync(file, `${JSON.stringify(line)}\n`)
}

function recordOf(id: string, version: number, fields: Partial<SessionRecord> = {}): SessionRecord {
  const userId = [null, 'ada', 'alan'][randomInt(3)]!
  const data = 'x'.repeat(randomInt(10) === 0 ? randomInt(20_000) : randomInt(500))
  return {
    id,
    version,
    userId,
    createdAt: start,
    lastSeenAt: start,
    expiresAt: Number(soon) + 1e6 + randomInt(1e6),
    head: 'head',
    data,
    ...fields,
  }
}

/** One put over what is there, on an ID that all share. */
async function change(): Promise<void> {
  const id = ids[randomInt(ids.length)]!
  const expected = (await store.get(id))?.version ?? 0
  const record = recordOf(id, expected + 1 + randomInt(2 ** 20))
  note('try', 'put', id, expected, record.version)
  if (await store.put(record, expected)) note('done', 'put', id, expected, record.version)
}

async function touch(): Promise<void> {
  const batch = [0, 1, 2].map(() => ids[randomInt(ids.length)]!)
  const records = await Promise.all(batch.map(async (id) => await store.get(id)))
  const touches = records
    .filter((record) => record !== null)
    .map((record) => ({ ...record, lastSeenAt: start, expiresAt: record.expiresAt + randomInt(1000) }))
  await store.touch(touches)
  for (const { id, version, expiresAt } of touches) note('done', 'touch', id, version, expiresAt)
}

/** A session of its own; some expire soon, so that sweeps find them. */
async function insert(): Promise<void> {
  const id = randomBytes(12).toString('base64url')
  const sweepable = randomInt(3) === 0
  note('try', sweepable ? 'insertSweepable' : 'insert', id)
  if (!(await store.put(recordOf(id, 1, sweepable ? { expiresAt: Number(soon) - randomInt(1000) } : {}), 0))) return
  note('done', sweepable ? 'insertSweepable' : 'insert', id)
  if (!sweepable) own.push(id)
}

async function remove(): Promise<void> {
  const id = own.pop()
  if (id === undefined) return
  note('try', 'delete', id)
  if (await store.delete(id)) note('done', 'delete', id)
}

async function sweep(): Promise<void> {
  const { removed } = await store.sweep(Number(soon), 5)
  for (const { id } of removed) note('done', 'swept', id)
}

const verbs = [change, change, change, touch, insert, insert, insert, remove, sweep]
process.stdout.write('ready')
await Promise.all(
  Array.from({ length: 8 }, async () => {
    for (;;) await verbs[randomInt(verbs.length)]!()
  }),
)
