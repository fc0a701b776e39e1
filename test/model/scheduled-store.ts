import type fc from 'fast-check'
import type { SessionRecord, Store } from '../../src/core/store.ts'
import type { World } from './world.ts'

/**
 * A store whose verbs the scheduler starts, and whose answers it delivers, when it likes. What happens between the two is the
 * store's own: the memory store is done at once, lmdb works on for a while.
 */
export function scheduledStore(store: Store, scheduler: fc.Scheduler, world: World): Store {
  const scheduled = async <T>(label: string, work: () => T): Promise<Awaited<T>> => {
    const over = world.verbBegins()
    try {
      await scheduler.schedule(Promise.resolve(), label)
      const answer = (async () => await work())()
      // The scheduler writes down what its tasks bring, so it is given nothing to bring.
      const answered = answer.then(
        () => {},
        () => {},
      )
      await scheduler.schedule(answered, `${label} answers`)
      return await answer
    } finally {
      over()
    }
  }
  const called = (id: string): string => world.called(id)

  return {
    name: store.name,
    caches: store.caches,
    get: (id, options) => scheduled(`get ${called(id)}`, () => store.get(id, options)),
    put: (record, expected) => scheduled(`put ${called(record.id)}`, () => store.put(record, expected)),
    touch: (batch) => scheduled(`touch ${batch.map(({ id }) => called(id)).join(' ')}`, () => store.touch(batch)),
    delete: (id) => scheduled(`delete ${called(id)}`, () => store.delete(id)),
    sweep: (now, limit) => scheduled('sweep', () => store.sweep(now, limit)),
    list: async function* (userId): AsyncGenerator<SessionRecord> {
      await scheduled('list', () => {})
      for await (const record of store.list(userId)) {
        yield record
        await scheduled('list goes on', () => {})
      }
    },
    close: () => store.close(),
  }
}
