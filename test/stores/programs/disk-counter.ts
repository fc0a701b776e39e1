import { disk } from '../../../src/stores/disk.ts'

// Adds 1 to the number in one session so many times, by compare-and-swap, four at once.

const [, , folder, id, times] = process.argv as [string, string, string, string, string]
const store = disk(folder)

async function increment(): Promise<void> {
  for (;;) {
    const record = (await store.get(id, { fresh: true }))!
    const next = { ...record, version: record.version + 1, data: String(Number(record.data) + 1), expiresAt: record.expiresAt + 1 }
    if (await store.put(next, record.version)) return
  }
}

let left = Number(times)
await Promise.all(
  Array.from({ length: 4 }, async () => {
    while (left-- > 0) await increment()
  }),
)
await store.close()
