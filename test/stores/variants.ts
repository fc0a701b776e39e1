import { setImmediate as tick } from 'node:timers/promises'
import type { Removed, SessionRecord, Store, Touch } from '../../src/core/store.ts'
import { memory } from '../../src/stores/memory.ts'

/** A store's verbs as free functions, with the memory store's synchronous answers. */
export function parts(store: Store) {
  return {
    name: store.name,
    get: (id: string, options?: { readonly fresh?: boolean }) => store.get(id, options) as SessionRecord | null,
    put: (record: SessionRecord, expected: number) => store.put(record, expected) as boolean,
    touch: (batch: readonly Touch[]) => store.touch(batch) as void,
    delete: (id: string) => store.delete(id) as boolean,
    list: (userId?: string) => store.list(userId),
    sweep: (now: number, limit: number) => store.sweep(now, limit) as { removed: readonly Removed[]; more: boolean },
    close: () => store.close() as void,
  }
}

export type Verbs = ReturnType<typeof parts>

/** The same, each verb answering a little later, as a database would. */
export function slow(store: Store): Store {
  const verbs = parts(store)
  return {
    ...verbs,
    get: async (id) => (await later(), verbs.get(id)),
    put: async (record, expected) => (await later(), verbs.put(record, expected)),
    touch: async (batch) => (await later(), verbs.touch(batch)),
    delete: async (id) => (await later(), verbs.delete(id)),
    list: async function* (userId) {
      await later()
      for await (const record of verbs.list(userId)) yield record
    },
    sweep: async (now, limit) => (await later(), verbs.sweep(now, limit)),
    close: async () => (await later(), verbs.close()),
  }
}

async function later(): Promise<void> {
  for (let turns = Math.floor(Math.random() * 3); turns >= 0; turns--) await tick()
}

/** Several handles on one memory store; closing one closes nothing but itself. */
export function handles(over: (store: Store) => Partial<Store> = () => ({})): { open: () => Store; reopen: (handle: Store) => Store } {
  const shared = new WeakMap<Store, Store>()
  const handleOn = (store: Store): Store => {
    let closed = false
    const live = () => {
      if (closed) throw new Error('closed')
      return store as Verbs
    }
    const handle: Store = {
      name: store.name,
      get: (id) => live().get(id),
      put: (record, expected) => live().put(record, expected),
      touch: (batch) => live().touch(batch),
      delete: (id) => live().delete(id),
      list: (userId) => live().list(userId),
      sweep: (now, limit) => live().sweep(now, limit),
      close: () => void (closed = true),
      ...over(store),
    }
    shared.set(handle, store)
    return handle
  }
  return { open: () => handleOn(memory()), reopen: (handle: Store) => handleOn(shared.get(handle)!) }
}
