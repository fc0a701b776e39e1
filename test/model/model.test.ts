/**
 * Random programs: one to three browsers with a cookie jar each, several requests in flight, answers that come late, in another
 * order or never, on two nodes that share one store, against a simple model (model.ts) of what has been acknowledged. fast-check's
 * scheduler decides the order of all that can overlap: requests, handlers' steps, store verbs, their answers, the way back.
 *
 * What must hold, whatever happens; failures bear these numbers:
 *
 * 0. Nothing fails that nobody asked to fail: no error but that of a session that ended or moved, no call without an end.
 * 1. No lost write. Each acknowledged `update` counts exactly once, each acknowledged push and flash message is there exactly once
 *    (or was taken), in its session and in those that logins carried it to. Of several values for one field an acknowledged one
 *    stands, never an earlier one over a later one; two that could not know of each other are reported as a conflict. What was
 *    refused or thrown away is nowhere.
 * 2. No resurrection. After an acknowledged logout, `end` or `endUser` no request that is sent later is served the session, by
 *    whatever token; the store has a tombstone or nothing; nothing lands over a tombstone; writes of requests in flight are refused.
 *    A logout ends what logins of the same user had moved the session to. (Expiry is no end: a write that set out before it may land.)
 * 3. No false logout. While each message of a browser takes less than half the grace, the session of the token in its jar is
 *    served until it is ended, moved or expired, also after lost answers; nothing is refused while the session lives, nothing is
 *    suspected, no cookie is taken back, and no session ends that nobody asked to end.
 * 4. A login gives a new session, and the old token never reads anything again. On a tombstone only a login sets a cookie, and a
 *    write is told ERR_SOJOURN_MOVED. Nothing crosses from one user or one browser to another.
 * 5. Nobody expires early, nobody is served after expiry (idle timeout and slice, absolute timeout).
 * 6. A write never inserts: records come from creations and logins alone, and each ID is inserted once.
 * 7. `created` or `loggedIn` is told once of each session, `ended` once of each that was ended, `expired` once of each live record
 *    that a sweep took, and neither of any other.
 * 8. No record and no event ever holds a secret.
 * 9. `listByUser` lists exactly the user's live sessions.
 */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Store } from '../../src/core/store.ts'
import { disk } from '../../src/stores/disk.ts'
import { memory } from '../../src/stores/memory.ts'
import { suiteRan } from '../services/service.ts'
import { answersLate } from './answers-late.ts'
import { everyProgramHolds, parameters, scheduledRuns } from './run.ts'
import { type Situation, situations, type StoreUnderTest } from './world.ts'

/** Runs the programs and tells how many, and what they met. */
async function run(runs: number, store: () => Omit<StoreUnderTest, 'reached'>): Promise<Map<Situation, number>> {
  const reached = new Map<Situation, number>()
  let programs = 0
  const property = everyProgramHolds(() => {
    programs++
    return { ...store(), reached }
  })
  await fc.assert(property, parameters(runs))
  console.info(`${programs} programs; ${situations.map((situation) => `${situation}: ${reached.get(situation) ?? 0}`).join(', ')}`)
  return reached
}

describe('whatever browsers do at once, every promise holds', { timeout: 300_000 }, () => {
  test('over the memory store, each of whose verbs the scheduler starts and answers', async () => {
    const reached = await run(scheduledRuns, () => ({ raw: memory(), scheduled: true }))
    for (const situation of situations) expect(reached.get(situation) ?? 0, situation).toBeGreaterThan(0)
    await suiteRan('model', 'memory')
  })

  test('over the memory store as it is, answering at once', async () => {
    await run(1000, () => ({ raw: memory(), scheduled: false }))
  })

  test('over one that does things at once and answers later, so that others see them first', async () => {
    await run(1500, () => ({ raw: answersLate(memory()), scheduled: true, readsLater: true }))
  })

  const [first, second] = ['0123456789abcdef'.repeat(4), 'fedcba9876543210'.repeat(4)]

  test.each<[name: string, bind: 'server' | 'client', keys: readonly [string[], string[]]]>([
    ["by the server's keys", 'server', [[first], [first]]],
    ["bound to the client's secret", 'client', [[first], [first]]],
    [
      "by the server's keys, in the middle of a rotation",
      'server',
      [
        [first, second],
        [second, first],
      ],
    ],
    [
      "bound to the client's secret, in the middle of a rotation",
      'client',
      [
        [first, second],
        [second, first],
      ],
    ],
  ])('over the memory store, encrypted %s', async (_name, bind, [one, other]) => {
    const encryption = [
      { keys: one, bind },
      { keys: other, bind },
    ] as const
    await run(400, () => ({ raw: memory(), scheduled: true, encryption }))
  })

  describe('over the disk store', () => {
    let folder: string
    let raw: Store

    beforeAll(async () => {
      folder = await mkdtemp(join(tmpdir(), 'sojourn-model-'))
      raw = disk(folder)
    })
    afterAll(async () => {
      await raw.close()
      await rm(folder, { recursive: true })
    })

    // One environment for all of them: each program has IDs of its own, and leaves nothing behind.
    test('each of whose verbs the scheduler starts and answers', async () => {
      await run(800, () => ({ raw, scheduled: true }))
      await suiteRan('model', 'disk')
    })
  })
})
