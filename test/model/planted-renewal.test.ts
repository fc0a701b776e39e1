/** A bug planted in the core's renewal: the model must find it within as many programs as it runs. */
import fc from 'fast-check'
import { expect, test, vi } from 'vitest'
import { memory } from '../../src/stores/memory.ts'
import { everyProgramHolds, parameters, scheduledRuns } from './run.ts'

/** One phase: the new secret is current as soon as it is given, and the old one is dead before the client can know. */
vi.mock(import('../../src/core/renewal.ts'), async (original) => ({
  ...(await original()),
  give: (state, hash, hint, now) => ({ next: { ...state, current: { hash, at: now, hint } }, unshown: false }),
}))

test('a renewal of one phase is found', { timeout: 120_000 }, async () => {
  const details = await fc.check(
    everyProgramHolds(() => ({ raw: memory(), scheduled: true })),
    { ...parameters(scheduledRuns), endOnFailure: true },
  )
  expect(details.failed, 'no program met the planted bug').toBe(true)
  console.info(`a renewal of one phase was found by program ${details.numRuns}: ${String(details.errorInstance)}`)
})
