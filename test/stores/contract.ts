import { afterAll, expect, test } from 'vitest'
import type { Maybe, Store } from '../../src/core/store.ts'
import { storeCases } from '../../src/testing/store-cases.ts'
import { suiteRan } from '../services/service.ts'

/** The contract's cases, each a test, in the `describe` that calls it. */
export function keepsTheContract(name: string, open: () => Maybe<Store>, reopen?: (store: Store) => Maybe<Store>): void {
  const cases = storeCases(open, reopen).map(({ name, run }) => [name, run] as const)
  test.each(cases)('%s', async (_, run) => {
    await expect(run()).resolves.toBeUndefined()
  })
  afterAll(async () => await suiteRan('contract', name))
}
