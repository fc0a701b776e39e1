import { expect } from 'vitest'
import type { SqlStore } from '../../../src/stores/sql.ts'
import { after, hour, newRecord, start } from './kit.ts'

/** What must hold under each isolation level: of parallel puts one lands, touches that cross get on, and sweeps take each record once. */
export async function landsOnceAndSweepsOnce(store: SqlStore): Promise<void> {
  await store.createSchema()
  const records = Array.from({ length: 30 }, () => newRecord({ userId: 'ada' }))
  for (const record of records) expect(await store.put(record, 0)).toBe(true)
  for (const record of records.slice(0, 5)) {
    const landed = await Promise.all(
      Array.from({ length: 12 }, async (_, index) => await store.put(after(record, { data: `${index}` }), record.version)),
    )
    expect(landed.filter(Boolean)).toHaveLength(1)
  }
  await Promise.all(
    Array.from({ length: 4 }, async (_, index) => {
      const batch = records.map((record) => ({ ...record, expiresAt: record.expiresAt + 1 + index }))
      await store.touch(index % 2 ? batch : batch.toReversed())
    }),
  )
  const removed: string[] = []
  while (removed.length < 30) {
    const batches = await Promise.all([1, 2, 3].map(async () => await store.sweep(start + 2 * hour, 4)))
    removed.push(...batches.flatMap((batch) => batch.removed.map(({ id }) => id)))
  }
  expect(removed.sort()).toEqual(records.map(({ id }) => id).sort())
}
