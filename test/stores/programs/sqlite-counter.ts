import { randomBytes } from 'node:crypto'
import Database from 'better-sqlite3'
import { sqlite } from '../../../src/stores/sqlite.ts'

// Adds 1 to a session so many times, beside others who do the same, inserts sessions of its own, touches all, and sweeps.

const [, , file, id, times] = process.argv as [string, string, string, string, string]
const store = sqlite(new Database(file))
await store.createSchema()
const soon = Date.UTC(2100, 0, 1)
let [inserted, swept] = [0, 0]
for (let done = 0; done < Number(times);) {
  const record = (await store.get(id))!
  if (await store.put({ ...record, version: record.version + 1, data: `${Number(record.data) + 1}` }, record.version)) done++
  const own = { ...record, id: randomBytes(12).toString('base64url'), userId: 'ada', version: 1, expiresAt: soon, data: 'x'.repeat(1000) }
  if (await store.put(own, 0)) inserted++
  await store.touch([{ ...record, version: record.version + 1, lastSeenAt: soon, expiresAt: record.expiresAt + 1 }])
  if (done % 20 === 0) swept += (await store.sweep(soon, 50)).removed.length
}
process.stdout.write(JSON.stringify({ inserted, swept }))
