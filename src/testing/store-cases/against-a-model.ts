import { strict as assert } from 'node:assert'
import type { SessionRecord, Store, Touch } from '../../core/store.ts'
import { assertListed, assertStored, hour, newId, newRecord, read, start, sweepAll } from './rule.ts'

const operations = 600
const users = ['ada', 'alan', 'grace', null]

/** Does the same at random to a store and to the plainest model of one, and compares after each step. */
export async function againstAModel(store: Store, seed: number): Promise<void> {
  const random = generator(seed)
  const below = (bound: number) => Math.floor(random() * bound)
  const pick = <T>(items: readonly T[]): T => items[below(items.length)]!

  const model = new Map<string, SessionRecord>()
  const ids = Array.from({ length: 10 }, newId)
  let now = start

  const anyVersion = (id: string): number => {
    const version = model.get(id)?.version ?? 0
    return pick([version, version, version, version, 0, version + 1, Math.max(0, version - 1)])
  }
  const anyRecord = (id: string): SessionRecord =>
    newRecord({
      id,
      version: Math.max(1, (model.get(id)?.version ?? 0) + pick([1, 1, 1, 5, 1000, 0, -1])),
      userId: pick(users),
      createdAt: now - below(1000),
      lastSeenAt: now,
      expiresAt: now + pick([below(3000), below(60_000), 60_000, below(2 * hour), -below(1000)]),
      head: `head ${below(1000)}`,
      data: pick(['', '{}', '漢字\0', 'x'.repeat(below(3000)), `${below(1000)}`]),
    })

  const steps: Readonly<Record<string, () => Promise<void>>> = {
    put: async () => {
      const record = anyRecord(pick(ids))
      const expected = anyVersion(record.id)
      const lands = expected === (model.get(record.id)?.version ?? 0) && record.version > expected
      assert.equal(
        await store.put(record, expected),
        lands,
        `put over version ${model.get(record.id)?.version ?? 0} with expected ${expected}`,
      )
      if (lands) model.set(record.id, record)
    },
    putTogether: async () => {
      const id = pick(ids)
      const stored = model.get(id)?.version ?? 0
      const records = Array.from({ length: 3 }, (_, index) => ({ ...anyRecord(id), version: stored + 1 + index }))
      const answers = await Promise.all(records.map(async (record) => await store.put(record, stored)))
      assert.equal(answers.filter(Boolean).length, 1, 'not exactly one of three puts at once landed')
      model.set(id, records[answers.indexOf(true)]!)
    },
    touch: async () => {
      const batch = Array.from(new Set(Array.from({ length: 1 + below(4) }, () => pick(ids))), (id): Touch => {
        const expiresAt = (model.get(id)?.expiresAt ?? now) + pick([1, below(2000), 60_000, 0, -below(60_000)])
        return { id, userId: model.get(id)?.userId ?? null, version: anyVersion(id), lastSeenAt: now - below(2000), expiresAt }
      })
      await store.touch(batch)
      for (const { id, version, lastSeenAt, expiresAt } of batch) {
        const record = model.get(id)
        if (record === undefined || record.version !== version) continue
        if (record.expiresAt > lastSeenAt && expiresAt > record.expiresAt) model.set(id, { ...record, lastSeenAt, expiresAt })
      }
      for (const { id } of batch) await compare(id)
    },
    delete: async () => {
      const id = pick(ids)
      assert.equal(await store.delete(id), model.delete(id))
      await compare(id)
    },
    list: async () => {
      const userId = pick(['ada', 'alan', 'grace', 'nobody', undefined])
      const records = [...model.values()].filter((record) => userId === undefined || record.userId === userId)
      await assertListed(store, userId, records)
    },
    sweep: async () => {
      const limit = 1 + below(5)
      const { removed, more } = await store.sweep(now, limit)
      assert.ok(removed.length <= limit, `${removed.length} were removed with a limit of ${limit}`)
      for (const { id, userId, head } of removed) {
        const record = model.get(id)
        assert.ok(record !== undefined && record.expiresAt <= now, 'a sweep reported what had not expired')
        assert.deepEqual({ userId, head }, { userId: record.userId, head: record.head })
        model.delete(id)
        await compare(id)
      }
      const left = [...model.values()].filter((record) => record.expiresAt <= now).length
      if (!more) assert.equal(left, 0, 'a sweep said that there was no more')
    },
    get: async () => await compare(pick(ids)),
    wait: async () => {
      now += pick([1, below(1000), below(10_000), below(60_000)])
    },
  }

  async function compare(id: string): Promise<void> {
    const record = model.get(id)
    if (record === undefined) assert.equal(await read(store, id), null)
    else await assertStored(store, record)
  }

  const names = ['put', 'put', 'put', 'putTogether', 'touch', 'touch', 'delete', 'list', 'sweep', 'get', 'wait', 'wait']
  for (let operation = 1; operation <= operations; operation++) {
    const name = pick(names)
    try {
      await steps[name]!()
    } catch (cause) {
      throw new Error(`With seed ${seed}, operation ${operation} (${name}): ${messageOf(cause)}`, { cause })
    }
  }
  for (const id of ids) await compare(id)
  await assertListed(store, undefined, [...model.values()], `with seed ${seed}, at the end`)
  assert.equal((await sweepAll(store, now + 1000 * hour)).length, model.size, `with seed ${seed}, the last sweep`)
}

function messageOf(cause: unknown): string {
  return cause instanceof Error ? cause.message : String(cause)
}

// mulberry32: small, seeded, and the same on every platform.
function generator(seed: number): () => number {
  let state = seed | 0
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}
