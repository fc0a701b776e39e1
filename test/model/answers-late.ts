import { setImmediate as tick } from 'node:timers/promises'
import type { Maybe, Store } from '../../src/core/store.ts'

/**
 * A store that does a thing at once and says so some turns of the event loop later, as a server's answer comes after its commit:
 * meanwhile others see what was done. Lists are not late, so that they overtake.
 */
export function answersLate(store: Store): Store {
  let turns = 0
  const late = async <T>(done: Maybe<T>): Promise<T> => {
    turns = (turns * 5 + 3) % 7
    for (let turn = turns; turn > 0; turn--) await tick()
    return await done
  }
  return {
    name: store.name,
    get: (id, options) => late(store.get(id, options)),
    put: (record, expected) => late(store.put(record, expected)),
    touch: (batch) => late(store.touch(batch)),
    delete: (id) => late(store.delete(id)),
    list: (userId) => store.list(userId),
    sweep: (now, limit) => late(store.sweep(now, limit)),
    close: () => store.close(),
  }
}
