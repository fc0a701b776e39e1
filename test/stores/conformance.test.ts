import { describe, expect, test } from 'vitest'
import type { Maybe, Store } from '../../src/core/store.ts'
import { memory } from '../../src/stores/memory.ts'
import { storeCases } from '../../src/testing/store-cases.ts'

interface Row {
  readonly name: string
  readonly open: () => Maybe<Store>
  readonly reopen?: (store: Store) => Maybe<Store>
}

const stores: readonly Row[] = [{ name: 'memory', open: () => memory() }]

describe.each(stores)('the $name store', ({ open, reopen }) => {
  const cases = storeCases(open, reopen).map(({ name, run }) => [name, run] as const)
  test.each(cases)('%s', async (_, run) => {
    await expect(run()).resolves.toBeUndefined()
  })
})
