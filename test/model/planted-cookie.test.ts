/** A bug planted in the core's opening: the model must find it within as many programs as it runs. */
import fc from 'fast-check'
import { expect, test, vi } from 'vitest'
import { memory } from '../../src/stores/memory.ts'
import { everyProgramHolds, parameters, scheduledRuns } from './run.ts'

/** A request that shows a tombstone's token counts as a new visitor's: what it writes sets a cookie over that of the login. */
vi.mock(import('../../src/core/open-session.ts'), async (original) => {
  const module = await original()
  class OpenSession<Data extends object> extends module.OpenSession<Data> {
    static override moved: typeof module.OpenSession.moved = (manager, view) => new module.OpenSession(manager, view)
  }
  return { ...module, OpenSession }
})

test('a cookie that is set on a tombstone is found', { timeout: 120_000 }, async () => {
  const details = await fc.check(
    everyProgramHolds(() => ({ raw: memory(), scheduled: true })),
    { ...parameters(scheduledRuns), endOnFailure: true },
  )
  expect(details.failed, 'no program met the planted bug').toBe(true)
  console.info(`a cookie on a tombstone was found by program ${details.numRuns}: ${String(details.errorInstance)}`)
})
