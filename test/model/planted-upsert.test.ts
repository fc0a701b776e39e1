/** A bug planted in the core's writing: the model must find it within as many programs as it runs. */
import fc from 'fast-check'
import { expect, test } from 'vitest'
import type { Store } from '../../src/core/store.ts'
import { memory } from '../../src/stores/memory.ts'
import { everyProgramHolds, parameters } from './run.ts'

/** Writes whatever stands there, a tombstone or nothing: what peers do, and what brings a logged-out session back. */
function upserting(store: Store): Store {
  return new Proxy(store, {
    get(target, name) {
      const verb: unknown = Reflect.get(target, name)
      if (name !== 'put') return typeof verb === 'function' ? verb.bind(target) : verb
      const put: Store['put'] = async (record, expected) => {
        if (await target.put(record, expected)) return true
        const stands = (await target.get(record.id))?.version ?? 0
        return await target.put({ ...record, version: Math.max(record.version, stands + 1) }, stands)
      }
      return put
    },
  })
}

test('a write that lands on whatever stands there is found', { timeout: 120_000 }, async () => {
  const details = await fc.check(
    everyProgramHolds(() => ({ raw: memory(), scheduled: true, plant: upserting })),
    { ...parameters(1500), endOnFailure: true },
  )
  expect(details.failed, 'no program met the planted bug').toBe(true)
  console.info(`an upsert was found by program ${details.numRuns}`)
})
