import { disk } from '../../../src/stores/disk.ts'

// Adds 1 to the number in one session so many times, by compare-and-swap: four at once on one handle, or, as a "visitor", one
// after another, each on a handle that is opened for it and closed again.

const [, , folder, id, times, visitor] = process.argv as [string, string, string, string, string, string?]

async function increment(store: ReturnType<typeof disk>): Promise<void> {
  for (;;) {
    const record = (await store.get(id, { fresh: true }))!
    const next = { ...record, version: record.version + 1, data: String(Number(record.data) + 1), expiresAt: record.expiresAt + 1 }
    if (await store.put(next, record.version)) return
  }
}

let left = Number(times)
if (visitor === undefined) {
  const store = disk(folder)
  const worker = async () => {
    while (left-- > 0) await increment(store)
  }
  await Promise.all([worker(), worker(), worker(), worker()])
  await store.close()
} else {
  while (left-- > 0) {
    const store = disk(folder)
    await increment(store)
    await store.close()
  }
}
