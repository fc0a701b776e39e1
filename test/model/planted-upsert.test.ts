/** A bug planted in the core's writing: the model must find it within as many programs as it runs. */
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { isTombstone } from '../../src/core/head.ts'
import type { Store } from '../../src/core/store.ts'
import { memory } from '../../src/stores/memory.ts'
import { everyProgramHolds, parameters, scheduledRuns } from './run.ts'

/** Writes where the session is gone too, over a tombstone or nothing: what peers do, and what brings a logged-out session back. */
function upserting(store: Store): Store {
  return {
    ...store,
    put: async (record, expected) => {
      if (await store.put(record, expected)) return true
      const stored = await store.get(record.id)
      if (stored !== null && !isTombstone(stored.head)) return false
      const over = stored?.version ?? 0
      return await store.put({ ...record, version: Math.max(record.version, over + 1) }, over)
    },
  }
}

test('a write that lands where its session is gone is found', { timeout: 120_000 }, async () => {
  const details = await fc.check(
    everyProgramHolds(() => ({ raw: memory(), scheduled: true, plant: upserting })),
    { ...parameters(scheduledRuns), endOnFailure: true },
  )
  expect(details.failed, 'no program met the planted bug').toBe(true)
  console.info(`an upsert was found by program ${details.numRuns}: ${String(details.errorInstance)}`)
})
