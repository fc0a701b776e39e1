import { setImmediate as tick, setTimeout as sleep } from 'node:timers/promises'
import type { Removed, SessionRecord, Store, Touch } from '../../src/core/store.ts'
import { memory } from '../../src/stores/memory.ts'
import { handles, parts, type Verbs } from './variants.ts'

export interface PlantedBug {
  readonly bug: string
  /** The sentence that shows it. */
  readonly foundBy: string
  readonly open: () => Store
  readonly reopen?: (store: Store) => Store
}

/** A memory store in which some verbs are others. */
function planted(bug: string, foundBy: string, verbs: (store: Verbs) => Partial<Store>): PlantedBug {
  return {
    bug,
    foundBy,
    open: () => {
      const store = parts(memory())
      return { ...store, ...verbs(store) }
    },
  }
}

/** Writes without asking, which no verb of a store does. */
function overwrite(store: Verbs, record: SessionRecord): boolean {
  store.delete(record.id)
  return store.put(record, 0)
}

const told = ({ id, userId, head }: SessionRecord): Removed => ({ id, userId, head })

/** Sweeps by an index of its own, which says when what was last put or touched expires. */
function sweepByIndex(store: Verbs, minds: { touch: boolean; later: boolean; earlier: boolean }, pause?: () => Promise<void>) {
  const expiries = new Map<string, number>()
  const move = (id: string, to: number) => {
    const from = expiries.get(id)
    if (from === undefined || (to > from ? minds.later : minds.earlier)) expiries.set(id, to)
  }
  return {
    put: (record: SessionRecord, expected: number) => {
      const landed = store.put(record, expected)
      if (landed && expected === 0) expiries.delete(record.id)
      if (landed) move(record.id, record.expiresAt)
      return landed
    },
    touch: (batch: readonly Touch[]) => {
      store.touch(batch)
      if (minds.touch) for (const { id } of batch) move(id, store.get(id)?.expiresAt ?? 0)
    },
    sweep: async (now: number, limit: number) => {
      const due = [...expiries].filter(([, expiresAt]) => expiresAt <= now).sort(([, a], [, b]) => a - b)
      await pause?.()
      const removed: Removed[] = []
      for (const [id] of due.slice(0, limit)) {
        const record = store.get(id)
        expiries.delete(id)
        if (record !== null && store.delete(id)) removed.push(told(record))
      }
      return { removed, more: due.length > limit }
    },
  }
}

const everything = { touch: true, later: true, earlier: true }

export const plantedBugs: readonly PlantedBug[] = [
  planted('a write that inserts', 'put never inserts unless expected is 0', (store) => ({
    put: (record, expected) => store.put(record, store.get(record.id) === null ? 0 : expected),
  })),
  planted('a touch that creates', 'a touch never creates', (store) => ({
    touch: (batch) => {
      store.touch(batch)
      for (const touch of batch) store.put({ ...touch, version: touch.version || 1, createdAt: touch.lastSeenAt, head: '', data: '' }, 0)
    },
  })),
  planted('a touch that shortens', 'a touch never shortens, and one that does not lengthen changes nothing', (store) => ({
    touch: (batch) => {
      for (const { id, version, lastSeenAt, expiresAt } of batch) {
        const record = store.get(id)
        if (record?.version === version && record.expiresAt > lastSeenAt) overwrite(store, { ...record, lastSeenAt, expiresAt })
      }
    },
  })),
  planted('a sweep without recheck: by an index that no touch moves', 'a sweep spares what was touched until its new time', (store) =>
    sweepByIndex(store, { ...everything, touch: false }),
  ),
  planted(
    'a sweep without recheck: by an index that only moves earlier',
    'a sweep goes by the time that the last put gave, be it later or earlier',
    (store) => sweepByIndex(store, { ...everything, later: false }),
  ),
  planted(
    'a sweep without recheck: what it has looked up it removes, a moment later',
    'what is put while a sweep runs is either swept or there, and its put answers which',
    (store) => sweepByIndex(store, everything, async () => await sleep(1)),
  ),
  planted(
    'a sweep without recheck: a touch comes in between',
    'what is touched while a sweep runs is either swept or there with its new time',
    (store) => sweepByIndex(store, everything, async () => await sleep(1)),
  ),
  planted('a list that ignores the user', 'list with a user answers that user’s records, all of them, and no others', (store) => ({
    list: () => store.list(),
  })),
  planted('a put that is not atomic', 'of parallel puts from one version exactly one lands', (store) => ({
    put: async (record, expected) => {
      const stored = store.get(record.id)?.version ?? 0
      await tick()
      return stored === expected && record.version > expected && overwrite(store, record)
    },
  })),

  planted('an insert that overwrites', 'put with expected 0 inserts where nothing is, and only once', (store) => ({
    put: (record, expected) => (expected === 0 ? overwrite(store, record) : store.put(record, expected)),
  })),
  planted('a put that takes any version', 'put answers false where the stored version is another than expected', (store) => ({
    put: (record, expected) => store.put(record, expected && (store.get(record.id)?.version ?? expected)),
  })),
  planted('a put that takes a lower version', 'put answers false unless the version becomes greater', (store) => ({
    put: (record, expected) =>
      expected !== 0 && store.get(record.id)?.version === expected ? overwrite(store, record) : store.put(record, expected),
  })),
  planted(
    'a put that moves the expiry before it compares',
    'a put that did not land changes nothing: not the record, not its expiry, not its user',
    (store) => ({
      put: (record, expected) => {
        const landed = store.put(record, expected)
        const stored = store.get(record.id)
        if (!landed && stored !== null) overwrite(store, { ...stored, expiresAt: record.expiresAt })
        return landed
      },
    }),
  ),
  planted('a put that forgets an earlier expiry', 'a sweep goes by the time that the last put gave, be it later or earlier', (store) =>
    sweepByIndex(store, { ...everything, earlier: false }),
  ),
  planted('a put that revives what was deleted while it ran', 'a slow write cannot bring back what was deleted meanwhile', (store) => ({
    put: async (record, expected) => {
      if (expected === 0) return store.put(record, 0)
      if (store.get(record.id)?.version !== expected || record.version <= expected) return false
      await tick()
      return store.get(record.id) === null ? store.put(record, 0) : store.put(record, expected)
    },
  })),
  planted('a touch that makes a new version', 'a put from the version that was read lands after a touch', (store) => ({
    touch: (batch) => {
      for (const { id, version, lastSeenAt, expiresAt } of batch) {
        const record = store.get(id)
        if (record?.version !== version || record.expiresAt <= lastSeenAt || record.expiresAt >= expiresAt) continue
        store.put({ ...record, version: version + 1, lastSeenAt, expiresAt }, version)
      }
    },
  })),
  planted('a touch that revives what had expired', 'a touch does not land on a record that had expired when it was used', (store) => ({
    touch: (batch) => store.touch(batch.map((touch) => Object.assign({}, touch, { lastSeenAt: 0 }))),
  })),
  planted('a touch that lands on any version', 'a touch lands on its own version alone', (store) => ({
    touch: (batch) => store.touch(batch.map((touch) => Object.assign({}, touch, { version: store.get(touch.id)?.version ?? 0 }))),
  })),
  planted('a batch that fails as one', 'in a batch each touch lands or not for itself', (store) => ({
    touch: (batch) => {
      if (batch.every(({ id, version }) => store.get(id)?.version === version)) store.touch(batch)
    },
  })),
  planted('a sweep that is a millisecond early', 'a sweep removes what expires at its now or earlier, to the millisecond', (store) => ({
    sweep: (now, limit) => store.sweep(now + 1, limit),
  })),
  planted('a sweep that is a millisecond late', 'a sweep removes what expires at its now or earlier, to the millisecond', (store) => ({
    sweep: (now, limit) => store.sweep(now - 1, limit),
  })),
  planted(
    'a sweep that knows no limit',
    'a sweep removes no more than its limit, and says that there is more until all is removed',
    (store) => ({ sweep: (now) => store.sweep(now, 1000) }),
  ),
  planted(
    'a sweep that never says that there is more',
    'a sweep removes no more than its limit, and says that there is more until all is removed',
    (store) => ({ sweep: (now, limit) => ({ ...store.sweep(now, limit), more: false }) }),
  ),
  planted(
    'a sweep that always says that there is more',
    'where nothing has expired a sweep does nothing and says that there is no more',
    (store) => ({ sweep: (now, limit) => ({ ...store.sweep(now, limit), more: true }) }),
  ),
  planted(
    'sweeps that tell of what another removed',
    'sweeps at the same moment never report a session twice, and together all',
    (store) => ({
      sweep: async (now, limit) => {
        const removed: Removed[] = []
        for await (const record of store.list()) if (record.expiresAt <= now && removed.length < limit) removed.push(told(record))
        await tick()
        for (const { id } of removed) store.delete(id)
        return { removed, more: removed.length === limit }
      },
    }),
  ),
  planted('a sweep that takes what it finds first', 'a sweep takes the oldest first', (store) => ({
    sweep: async (now, limit) => {
      const due: SessionRecord[] = []
      for await (const record of store.list()) if (record.expiresAt <= now) due.push(record)
      return {
        removed: due
          .slice(0, limit)
          .filter(({ id }) => store.delete(id))
          .map(told),
        more: due.length > limit,
      }
    },
  })),
  planted(
    'an expiry index with one session for each millisecond',
    'sessions that expire in the same millisecond, even of one user, are all swept',
    (store) => {
      const index = new Map<number, string>()
      return {
        put: (record, expected) => {
          const landed = store.put(record, expected)
          if (landed) index.set(record.expiresAt, record.id)
          return landed
        },
        sweep: (now, limit) => {
          const swept = store.sweep(now, limit)
          const kept = swept.removed.filter(({ id }) => [...index.values()].includes(id))
          return { ...swept, removed: kept }
        },
      }
    },
  ),
  planted(
    'a get that hides what has expired',
    'a record whose time passed long ago is answered as long as a sweep would find it',
    (store) => ({
      get: (id) => {
        const record = store.get(id)
        return record !== null && record.expiresAt > Date.now() ? record : null
      },
    }),
  ),
  planted('a user index that keeps tombstones', 'a put that changes the user moves the record in the lists', (store) => {
    const users = new Map<string, string>()
    return {
      put: (record, expected) => {
        const landed = store.put(record, expected)
        if (landed && record.userId !== null) users.set(record.id, record.userId)
        return landed
      },
      list: async function* (userId) {
        for await (const record of store.list()) if (userId === undefined || users.get(record.id) === userId) yield record
      },
    }
  }),
  planted(
    'a user index that finds by prefix',
    'user IDs of any characters come back, and each is another user than all others',
    (store) => ({
      list: async function* (userId) {
        for await (const record of store.list()) if (userId === undefined || record.userId?.startsWith(userId)) yield record
      },
    }),
  ),
  planted('a list of the first page', 'list answers hundreds of records, each once', (store) => ({
    list: async function* (userId) {
      let left = 300
      for await (const record of store.list(userId)) if (left-- > 0) yield record
    },
  })),
  planted(
    'a listing that holds a lock until its end',
    'a listing that is left early holds nothing: hundreds of them, and the store works on',
    (store) => {
      let readers = 0
      return {
        list: async function* (userId) {
          if (++readers > 126) throw new Error('MDB_READERS_FULL')
          yield* store.list(userId)
          readers--
        },
      }
    },
  ),
  planted('text that ends at a NUL', 'data of any kind comes back character by character', (store) => ({
    put: (record, expected) => store.put({ ...record, data: record.data.replace(/\0.*/s, '') }, expected),
  })),
  planted('text that loses its byte order mark', 'data of any kind comes back character by character', (store) => ({
    put: (record, expected) => store.put({ ...record, data: new TextDecoder().decode(Buffer.from(record.data)) }, expected),
  })),
  planted('times in whole seconds', 'times are kept to the millisecond, near and far', (store) => ({
    put: (record, expected) => store.put({ ...record, lastSeenAt: Math.floor(record.lastSeenAt / 1000) * 1000 }, expected),
  })),
  planted('IDs whose case does not count', 'IDs that differ in the case of a letter are different sessions', (store) => ({
    get: (id) => store.get(id.toLowerCase()),
    put: (record, expected) => store.put({ ...record, id: record.id.toLowerCase() }, expected),
    delete: (id) => store.delete(id.toLowerCase()),
  })),
  planted('verbs that work after close', 'after close every verb fails', () => ({ close: () => {} })),

  {
    bug: 'a lock that each handle has for itself',
    foundBy: 'of puts from one version through two handles exactly one lands',
    ...handles((store) => {
      const verbs = parts(store)
      let turn: Promise<unknown> = Promise.resolve()
      const put = async (record: SessionRecord, expected: number) => {
        const stored = verbs.get(record.id)?.version ?? 0
        await tick()
        return stored === expected && record.version > expected && overwrite(verbs, record)
      }
      return { put: (record, expected) => (turn = turn.then(async () => await put(record, expected))) as Promise<boolean> }
    }),
  },
  {
    bug: 'a cache that a fresh read does not pass',
    foundBy: 'what one handle was told that it wrote, every other sees at once',
    ...handles((store) => {
      const verbs = parts(store)
      const cache = new Map<string, SessionRecord | null>()
      return {
        get: (id) => {
          if (!cache.has(id)) cache.set(id, verbs.get(id))
          return cache.get(id)!
        },
      }
    }),
  },
  {
    bug: 'a snapshot that is kept for some milliseconds, unless a fresh read is asked for',
    foundBy: 'get sees what another handle was told that it wrote, however lately this one read',
    ...handles((store) => {
      const verbs = parts(store)
      const snapshot = new Map<string, SessionRecord | null>()
      let takenAt = 0
      return {
        get: (id, options) => {
          if (options?.fresh === true || performance.now() - takenAt > 5) snapshot.clear()
          if (snapshot.size === 0) takenAt = performance.now()
          if (!snapshot.has(id)) snapshot.set(id, verbs.get(id))
          return snapshot.get(id)!
        },
      }
    }),
  },
]
