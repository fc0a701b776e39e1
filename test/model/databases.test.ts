/** The model-based test of model.test.ts over every database: real servers, the scheduler deciding when verbs start and answers come. */
import { randomBytes } from 'node:crypto'
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { isPromise } from '../../src/core/routine.ts'
import type { Store } from '../../src/core/store.ts'
import { startTimeout, suiteRan } from '../services/service.ts'
import { matrix, type Pair } from '../stores/matrix.ts'
import { everyProgramHolds, parameters } from './run.ts'
import type { StoreUnderTest } from './world.ts'

const programs = 400
const databases = Object.entries(matrix).filter(([name]) => !/^(?:memory|disk)/.test(name))

/** One store by two clients in turn, as two processes have it. */
function inTurn([one, other]: readonly [Store, Store]): Store {
  let turn = 0
  const next = () => (turn++ % 2 === 0 ? one : other)
  return {
    name: one.name,
    caches: one.caches,
    get: (id, options) => next().get(id, options),
    put: (record, expected) => next().put(record, expected),
    touch: (batch) => next().touch(batch),
    delete: (id) => next().delete(id),
    list: (userId) => next().list(userId),
    sweep: (now, limit) => next().sweep(now, limit),
    close: () => {},
  }
}

describe.each(databases)('whatever browsers do at once, every promise holds over %s', (name, open) => {
  let pair: Pair
  beforeAll(async () => {
    pair = await open()
  }, startTimeout)
  afterAll(async () => await pair?.close())

  const run = async (runs: number, encryption?: StoreUnderTest['encryption']) => {
    const raw = inTurn(pair.stores)
    const readsLater = isPromise(raw.get('x'))
    let ran = 0
    const property = everyProgramHolds(() => {
      ran++
      return { raw, readsLater, scheduled: true, encryption }
    })
    await fc.assert(property, parameters(runs))
    expect(ran).toBeGreaterThanOrEqual(runs)
  }

  test(`in ${programs} random programs, by two clients in turn`, { timeout: 600_000 }, async () => {
    await run(programs)
    await suiteRan('model', name)
  })

  test(`in ${programs / 4} with encryption, in the middle of a change of keys`, { timeout: 600_000 }, async () => {
    const [one, other] = [randomBytes(32), randomBytes(32)]
    await run(programs / 4, [
      { keys: [one, other], bind: 'client' },
      { keys: [other, one], bind: 'client' },
    ])
  })
})
