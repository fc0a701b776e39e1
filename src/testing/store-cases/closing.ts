import { strict as assert } from 'node:assert'
import type { Store } from '../../core/store.ts'
import { after, assertListed, assertStored, assertSwept, collect, hour, insert, newRecord, read, start, touchOf } from './rule.ts'

/** Verbs fail once the store is closed. Closes it. */
export async function verbsFailAfterClose(store: Store): Promise<void> {
  const record = await insert(store, { userId: 'ada' })
  const listing = store.list()[Symbol.asyncIterator]()
  assert.equal((await listing.next()).done, false)
  await listing.return?.()
  await store.close()
  const verbs: Readonly<Record<string, () => unknown>> = {
    get: () => store.get(record.id),
    'fresh get': () => read(store, record.id),
    put: () => store.put(after(record), record.version),
    'put of a new record': () => store.put(newRecord(), 0),
    touch: () => store.touch([touchOf(record)]),
    delete: () => store.delete(record.id),
    list: () => collect(store.list()),
    'list of a user': () => collect(store.list('ada')),
    sweep: () => store.sweep(start + hour, 10),
  }
  for (const [verb, call] of Object.entries(verbs)) {
    await assert.rejects(async () => await call(), Error, `${verb} did not fail after close`)
  }
}

/** Closing one handle leaves the other at work. Closes both. */
export async function oneHandleCloses(one: Store, other: Store): Promise<void> {
  try {
    const record = await insert(one)
    await one.close()
    await assertStored(other, record)
    const next = after(record)
    assert.equal(await other.put(next, record.version), true)
    await assertStored(other, next)
    await assertListed(other, undefined, [next])
    await assertSwept(other, start + hour, [next])
  } finally {
    await other.close()
  }
}
