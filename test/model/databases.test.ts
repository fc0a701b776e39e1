/** The model-based test of model.test.ts over every database: real servers, the scheduler deciding when verbs start and answers come. */
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { startTimeout } from '../services/service.ts'
import { matrix, type Pair } from '../stores/matrix.ts'
import { everyProgramHolds, parameters } from './run.ts'

const programs = 40
const databases = Object.entries(matrix).filter(([name]) => name !== 'memory' && name !== 'disk')

describe.each(databases)('whatever browsers do at once, every promise holds over %s', (name, open) => {
  let pair: Pair
  beforeAll(async () => {
    pair = await open()
  }, startTimeout)
  afterAll(async () => await pair?.close())

  test(`in ${programs} random programs`, { timeout: 240_000 }, async () => {
    let ran = 0
    const property = everyProgramHolds(() => {
      ran++
      return { raw: pair.stores[0], scheduled: true }
    })
    await fc.assert(property, parameters(programs))
    expect(ran).toBeGreaterThanOrEqual(programs)
    console.info(`${ran} programs over ${name}`)
  })
})
