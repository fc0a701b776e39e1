import { describe, expect, test } from 'vitest'
import type { Store } from '../../src/core/store.ts'
import { memory } from '../../src/stores/memory.ts'
import { storeCases, type StoreCase } from '../../src/testing/store-cases.ts'
import { plantedBugs } from './planted-bugs.ts'
import { handles, parts, slow } from './variants.ts'

async function failuresOf(cases: readonly StoreCase[]): Promise<string[]> {
  const failures: string[] = []
  for (const { name, run } of cases) {
    try {
      await run()
    } catch {
      failures.push(name)
    }
  }
  return failures
}

describe('a bug in a store is found by its cases', () => {
  const bugs = plantedBugs.map((planted) => [planted.bug, planted.foundBy, planted] as const)
  test.each(bugs)('%s (found by: %s)', async (_, foundBy, { open, reopen }) => {
    expect(await failuresOf(storeCases(open, reopen))).toContain(foundBy)
  })

  const sound: { store: string; open: () => Store; reopen?: (store: Store) => Store }[] = [
    { store: 'the memory store', open: () => memory() },
    { store: 'the same through free functions', open: () => parts(memory()) },
    { store: 'a store that answers later', open: () => slow(memory()) },
    { store: 'a store with several handles', ...handles() },
  ]
  test.each(sound)('where there is no bug none is found: $store', async ({ open, reopen }) => {
    expect(await failuresOf(storeCases(open, reopen))).toEqual([])
  })
})
