import { strict as assert } from 'node:assert'
import { randomInt } from 'node:crypto'
import type { Maybe, Store } from '../core/store.ts'
import { againstAModel } from './store-cases/against-a-model.ts'
import { oneHandleCloses, verbsFailAfterClose } from './store-cases/closing.ts'
import { listing } from './store-cases/listing.ts'
import { roundTrip } from './store-cases/round-trip.ts'
import type { Rules } from './store-cases/rule.ts'
import { sweeping } from './store-cases/sweeping.ts'
import { touching } from './store-cases/touching.ts'
import { twoHandles } from './store-cases/two-handles.ts'
import { writing } from './store-cases/writing.ts'

/** One sentence of the store contract, and what shows that it holds. */
export interface StoreCase {
  readonly name: string
  /** Rejects, with an assertion's message, if the sentence does not hold. Opens a store of its own and closes it. */
  readonly run: () => Promise<void>
}

/**
 * The contract of `Store` as test cases, for any test runner:
 *
 *     for (const { name, run } of storeCases(() => myStore())) test(name, run)
 *
 * Times are of the year 2100, so that a database's own expiry does not meddle.
 *
 * @param open makes a fresh, empty store; called once for each case.
 * @param reopen makes another handle on the same data, for a store that several handles or processes can have open at once;
 *   adds the cases about that.
 * @param seed of the randomised case: another each time unless it is given. A failure names it.
 */
export function storeCases(open: () => Maybe<Store>, reopen?: (store: Store) => Maybe<Store>, seed = randomInt(2 ** 31)): StoreCase[] {
  const rules: Rules = {
    ...roundTrip,
    ...writing,
    ...touching,
    ...sweeping,
    ...listing,
    'a long random history leaves what a simple model of a store says': async (store) => await againstAModel(store, seed),
    'a store has a name for messages': async (store) => assert.match(store.name, /\S/),
  }
  const cases: StoreCase[] = []
  for (const [name, holds] of Object.entries(rules)) {
    cases.push({
      name,
      run: async () => {
        const store = await open()
        await closing([store], async () => await holds(store))
      },
    })
  }
  cases.push({ name: 'after close every verb fails', run: async () => await verbsFailAfterClose(await open()) })
  if (reopen === undefined) return cases

  const handles = async () => {
    const one = await open()
    return [one, await reopen(one)] as const
  }
  for (const [name, holds] of Object.entries(twoHandles)) {
    cases.push({
      name,
      run: async () => {
        const [one, other] = await handles()
        await closing([one, other], async () => await holds(one, other))
      },
    })
  }
  cases.push({ name: 'closing one handle leaves the other at work', run: async () => await oneHandleCloses(...(await handles())) })
  return cases
}

async function closing(stores: readonly Store[], run: () => Promise<void>): Promise<void> {
  try {
    await run()
  } finally {
    for (const store of stores) await store.close()
  }
}
