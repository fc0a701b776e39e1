import { setTimeout as sleep } from 'node:timers/promises'
import type { Maybe, SessionRecord, Store } from '../../src/core/store.ts'
import { memory } from '../../src/stores/memory.ts'

/** A memory store that tells what it has acknowledged, that may answer later, and that may refuse to write. */
export interface WatchedStore extends Store {
  /** Each record as it was last acknowledged to the core. */
  readonly acknowledged: Map<string, SessionRecord>
  /** While true, each put fails. */
  broken: boolean
}

/** @param delay what each verb takes, in ms; 0: it answers at once, without a promise */
export function watchedStore(delay: number): WatchedStore {
  const inner = memory()
  const acknowledged = new Map<string, SessionRecord>()
  const answer = <T>(verb: () => Maybe<T>): Maybe<T> => (delay === 0 ? verb() : sleep(delay).then(verb))

  function put(this: WatchedStore, record: SessionRecord, expected: number): boolean {
    if (this.broken) throw new Error('the disk is on fire')
    return inner.put(record, expected) as boolean
  }
  const acknowledge = (landed: boolean, record: SessionRecord): boolean => {
    if (landed) acknowledged.set(record.id, record)
    return landed
  }

  return {
    name: 'watched',
    acknowledged,
    broken: false,
    get: (id) => answer(() => inner.get(id)),
    put(record, expected) {
      if (delay === 0) return acknowledge(put.call(this, record, expected), record)
      // Landed halfway, acknowledged at the end: an answer that goes out between the two has not waited.
      const landing = sleep(delay / 2).then(() => put.call(this, record, expected))
      return landing.then((landed) => sleep(delay / 2).then(() => acknowledge(landed, record)))
    },
    touch: (batch) => answer(() => inner.touch(batch)),
    delete: (id) => answer(() => inner.delete(id)),
    list: (userId) => inner.list(userId),
    sweep: (now, limit) => answer(() => inner.sweep(now, limit)),
    close: () => inner.close(),
  }
}
