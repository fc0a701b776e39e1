import { setTimeout as delay } from 'node:timers/promises'
import { isDeepStrictEqual } from 'node:util'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { Session } from '../../src/core/session.ts'
import type { SessionRecord, Store } from '../../src/core/store.ts'
import { createSessions, type SessionsOptions } from '../../src/index.ts'
import { memory } from '../../src/stores/memory.ts'
import { DelayedStore } from './delayed-store.ts'
import { threeDocuments } from './edited-documents.ts'
import { expectedMerge } from './merge-oracle.ts'
import { Recorder } from './recorder.ts'
import { Counted, Later, turn } from './store-over.ts'
import { Visitor } from './visitor.ts'

interface Data {
  n: number
  list: unknown[]
  cart: { sku: string; qty: number }[]
  by: Record<string, unknown>
}

async function site<S extends Store>(store: S, options: Omit<SessionsOptions<Data>, 'initial' | 'store'> = {}) {
  const sessions = createSessions<Data>({ ...options, store, initial: () => ({ n: 0, list: [], cart: [], by: {} }) })
  const visitor = new Visitor(sessions)
  await visitor.visit((session) => void session.data.list.push('first'))
  return { store, sessions, visitor, told: new Recorder(sessions) }
}

/** Requests at once, each from its own tab. */
async function atOnce(
  visitor: Visitor<Data>,
  count: number,
  handler: (at: number) => (session: Session<Data>) => void | Promise<void>,
): Promise<void> {
  await Promise.all(Array.from({ length: count }, async (_, at) => await visitor.copy().visit(handler(at))))
}

const numbers = (count: number): number[] => Array.from({ length: count }, (_, i) => i)

describe.each<[name: string, open: () => Store]>([
  ['a store that answers at once', () => memory()],
  ['a store that answers later', () => new DelayedStore()],
])('requests at once on one session, with %s', (_name, open) => {
  it('all keep what they append to one list', async () => {
    const { visitor, told } = await site(open())
    await atOnce(
      visitor,
      50,
      (i) =>
        ({ data }) =>
          void data.list.push(i),
    )
    const { list } = await visitor.read()
    expect(list[0]).toBe('first')
    expect(list.slice(1).toSorted((a, b) => Number(a) - Number(b))).toEqual(numbers(50))
    expect(told.conflicts).toEqual([])
  })

  it('all keep what they add under keys of their own, nested too', async () => {
    const { visitor, told } = await site(open())
    await atOnce(
      visitor,
      50,
      (i) =>
        ({ data }) =>
          void Object.assign(data.by, { [`key ${i}`]: { [i]: true } }),
    )
    expect((await visitor.read()).by).toEqual(Object.fromEntries(numbers(50).map((i) => [`key ${i}`, { [i]: true }])))
    expect(told.conflicts).toEqual([])
  })

  it('count exactly by update()', async () => {
    const { visitor, told } = await site(open())
    const seen: number[] = []
    await atOnce(visitor, 50, () => async (session) => void seen.push(await session.update((data) => (data.n += 1))))
    expect((await visitor.read()).n).toBe(50)
    expect(seen.toSorted((a, b) => a - b)).toEqual(numbers(50).map((i) => i + 1))
    expect(told.conflicts).toEqual([])
  })

  it('keep what they changed beside update()', async () => {
    const { visitor, told } = await site(open())
    await atOnce(visitor, 20, (i) => async (session) => {
      session.data.by[`before ${i}`] = i
      await session.update((data) => (data.n += 1))
      session.data.list.push(i)
    })
    const { n, by, list } = await visitor.read()
    expect([n, Object.keys(by).length, list.length]).toEqual([20, 20, 21])
    expect(told.conflicts).toEqual([])
  })

  it('go on only when what they changed is there for whoever opens the session next', async () => {
    const { visitor } = await site(open())
    await Promise.all(
      numbers(30).map(async (i) => {
        await visitor.copy().visit(({ data }) => void data.list.push(i))
        expect((await visitor.read()).list).toContain(i)
      }),
    )
  })

  it('fail alone, where one of them made something that cannot be stored', async () => {
    const { visitor } = await site(open())
    const outcomes = await Promise.allSettled(
      numbers(20).map(async (i) => await visitor.copy().visit(({ data }) => void data.list.push(i === 7 ? () => {} : i))),
    )
    expect(outcomes.map(({ status }, i) => (status === 'rejected' ? i : null)).filter((i) => i !== null)).toEqual([7])
    expect(outcomes[7]).toMatchObject({ reason: { code: 'ERR_SOJOURN_DATA_UNENCODABLE' } })
    expect((await visitor.read()).list).toHaveLength(20)
  })

  it('fail alone by update(), where one makes something of it that cannot be stored, even if a later one takes it away', async () => {
    const { visitor } = await site(open())
    const tabs = await Promise.all(numbers(20).map(async () => await visitor.open()))
    const outcomes = await Promise.allSettled(
      tabs.map(
        async (session, i) =>
          await session.update((data) => {
            data.n += 1
            if (i === 7) data.by['when'] = new Date()
            else delete data.by['when']
          }),
      ),
    )
    expect(outcomes.filter(({ status }) => status === 'rejected')).toHaveLength(1)
    expect(outcomes[7]).toMatchObject({ reason: { code: 'ERR_SOJOURN_DATA_UNENCODABLE' } })
    expect(await visitor.read()).toMatchObject({ n: 19, by: {} })
  })

  it('fail alone where there is no room for them, and the others keep what they append', async () => {
    const { visitor } = await site(open(), { maxDataSize: '2 kB' })
    const tabs = await Promise.all(numbers(20).map(async () => await visitor.open()))
    const outcomes = await Promise.allSettled(
      tabs.map(async (session, i) => {
        session.data.list.push(i % 2 === 0 ? i : 'x'.repeat(400))
        await session.save()
        return session.data.list.length
      }),
    )
    const refused = outcomes.filter((outcome) => outcome.status === 'rejected')
    expect(refused.map(({ reason }) => (reason as { code: string }).code)).toEqual(Array(6).fill('ERR_SOJOURN_DATA_TOO_LARGE'))
    const { list } = await visitor.read()
    expect(list.filter((item) => typeof item === 'number')).toHaveLength(10)
    expect(list).toHaveLength(15)
  })

  it('are told where they collide, by path, and the later one wins there alone', async () => {
    const { visitor, told } = await site(open())
    const [one, other] = [await visitor.open(), await visitor.open()]
    Object.assign(one.data, { n: 1, by: { 'a b': 1, one: 1 } })
    Object.assign(other.data, { n: 2, by: { 'a b': 2, other: 2 } })
    const { id } = one
    await one.commit()
    await other.commit()
    expect(told.of('conflict')).toEqual([{ id, userId: null, paths: ['n', 'by["a b"]'] }])
    expect(await visitor.read()).toMatchObject({ n: 2, by: { 'a b': 2, one: 1, other: 2 } })
  })

  it('are decided between by the `merge` option where they collide', async () => {
    const { visitor, told } = await site(open(), {
      merge: { resolve: ({ path, theirs, mine }) => (path === 'n' ? Math.max(theirs as number, mine as number) : mine) },
    })
    const [one, other] = [await visitor.open(), await visitor.open()]
    one.data.n = 9
    other.data.n = 2
    await one.commit()
    await other.commit()
    expect((await visitor.read()).n).toBe(9)
    expect(other.data.n).toBe(9)
    expect(told.conflicts).toEqual([['n']])
  })

  it('merge lists by the key that the `merge` option names', async () => {
    const { visitor, told } = await site(open(), { merge: { keys: { cart: 'sku' } } })
    await visitor.visit(({ data }) => void data.cart.push({ sku: 'tea', qty: 1 }, { sku: 'mug', qty: 1 }))
    const [one, other] = [await visitor.open(), await visitor.open()]
    one.data.cart[0]!.qty = 5
    other.data.cart.splice(1, 1, { sku: 'tent', qty: 1 })
    await one.commit()
    await other.commit()
    expect((await visitor.read()).cart).toEqual([
      { sku: 'tea', qty: 5 },
      { sku: 'tent', qty: 1 },
    ])
    expect(told.conflicts).toEqual([])
  })

  it('fail alone where the `merge` option throws', async () => {
    const resolve = (): never => {
      throw new Error('undecided')
    }
    const { visitor } = await site(open(), { merge: { resolve } })
    const [one, other] = [await visitor.open(), await visitor.open()]
    one.data.n = 1
    other.data.n = 2
    await one.commit()
    await expect(other.commit()).rejects.toThrow('undecided')
    expect((await visitor.read()).n).toBe(1)
  })
})

it.each<[name: string, open: () => Store]>([
  ['at once', () => memory()],
  ['later', () => new DelayedStore(memory(), 0)],
])('two requests end up as the oracle of the merge says, whatever they change, with a store that answers %s', async (_when, open) => {
  const property = fc.asyncProperty(threeDocuments, async ({ base, theirs, mine }) => {
    const sessions = createSessions({ store: open() })
    const [told, visitor] = [new Recorder(sessions), new Visitor(sessions)]
    const as = (data: unknown) => (session: Session<Record<string, unknown>>) =>
      void (session.data = structuredClone(data) as Record<string, unknown>)
    await visitor.visit(as(base))
    const [one, other] = [await visitor.open(), await visitor.open()]
    as(theirs)(one)
    as(mine)(other)
    await Promise.all([one.commit(), other.commit()])
    const expected = expectedMerge({ base, theirs, mine })
    expect(await visitor.read()).toEqual(expected.value)
    // A request that changed nothing has no business with what the other made of it.
    expect(other.data).toEqual(isDeepStrictEqual(base, mine) ? base : expected.value)
    expect(told.conflicts.flat().toSorted()).toEqual(expected.collisions)
  })
  await fc.assert(property, { numRuns: 300 })
})

describe('what requests at once cost', () => {
  it.each([50, 200])('is a few writes for %i of them', async (count) => {
    const { visitor, store } = await site(new DelayedStore())
    const before = store.puts
    await atOnce(
      visitor,
      count,
      (i) =>
        ({ data }) =>
          void data.list.push(i),
    )
    expect((await visitor.read()).list).toHaveLength(count + 1)
    expect(store.puts - before).toBeLessThanOrEqual(6)
  })

  it('is two writes where they commit in one moment, by update() too', async () => {
    const { visitor, store } = await site(new DelayedStore())
    const open = await Promise.all(numbers(50).map(async () => await visitor.open()))
    const before = store.puts
    await Promise.all(open.map(async (session) => await session.update((data) => (data.n += 1))))
    expect(store.puts - before).toBe(2)
    expect((await visitor.read()).n).toBe(50)
  })

  it.each<[name: string, open: () => Store]>([
    ['at once', () => memory()],
    ['later', () => new Later(memory())],
  ])(
    'is two writes for 200 that commit in one turn, and as many for those of the next turns, with a store that answers %s',
    async (_when, open) => {
      const store = new Counted(open())
      const { visitor, told } = await site(store)
      for (const turns of [1, 10]) {
        const tabs = await Promise.all(numbers(200).map(async () => await visitor.open()))
        const before = store.calls.put
        const commits: Promise<unknown>[] = []
        for (const [i, session] of tabs.entries()) {
          if (i % (200 / turns) === 0) await turn()
          session.data.by[`${turns}: ${i}`] = true
          commits.push(session.commit())
        }
        await Promise.all(commits)
        expect(store.calls.put - before).toBeLessThanOrEqual(3)
      }
      expect(Object.keys((await visitor.read()).by)).toHaveLength(400)
      expect(told.conflicts).toEqual([])
    },
  )

  it('is nothing where they only read', async () => {
    const { visitor, store } = await site(new DelayedStore())
    const before = store.puts
    await atOnce(
      visitor,
      20,
      () =>
        ({ data }) =>
          void data.list.length,
    )
    expect([store.puts - before, store.touches]).toEqual([0, 0])
  })
})

describe('two processes on one store', () => {
  async function processes(options: Parameters<typeof site>[1] = {}) {
    const shared = memory()
    const here = await site(new DelayedStore(shared), options)
    const there = await site(new DelayedStore(shared), options)
    return { here, there, elsewhere: new Visitor(there.sessions, here.visitor.cookie) }
  }

  it('keep all that is appended, and write again where the other came first', async () => {
    const { here, there, elsewhere } = await processes()
    const tabs = await Promise.all(numbers(40).map(async (i) => await (i % 2 === 0 ? here.visitor : elsewhere).open()))
    const before = here.store.puts + there.store.puts
    await Promise.all(tabs.map(async (session, i) => (session.data.list.push(i), await session.commit())))
    expect((await here.visitor.read()).list).toHaveLength(41)
    expect(here.store.missed + there.store.missed).toBeGreaterThan(0)
    expect(here.store.puts + there.store.puts - before).toBeLessThanOrEqual(8)
    expect([here.told.conflicts, there.told.conflicts]).toEqual([[], []])
  })

  it('count exactly by update()', async () => {
    const { here, there, elsewhere } = await processes()
    await Promise.all(
      [here.visitor, elsewhere].map(
        async (visitor) => await atOnce(visitor, 25, () => async (session) => void (await session.update((data) => (data.n += 1)))),
      ),
    )
    expect((await elsewhere.read()).n).toBe(50)
    expect(here.store.missed + there.store.missed).toBeGreaterThan(0)
  })

  it('tell collisions where they are found', async () => {
    const { here, there, elsewhere } = await processes()
    const [one, other] = [await here.visitor.open(), await elsewhere.open()]
    one.data.n = 1
    other.data.n = 2
    await one.commit()
    await other.commit()
    expect([here.told.conflicts, there.told.conflicts]).toEqual([[], [['n']]])
    expect((await here.visitor.read()).n).toBe(2)
  })

  it('run a function given to update() again on what the other wrote', async () => {
    const { here, elsewhere } = await processes()
    const [one, other] = [await here.visitor.open(), await elsewhere.open()]
    one.data.n = 10
    await one.commit()
    const seen: number[] = []
    other.data.list.push('mine')
    await other.update((data) => {
      seen.push(data.n)
      expect(data.list).toContain('mine')
      data.n += 1
    })
    expect(seen.at(-1)).toBe(10)
    expect(await here.visitor.read()).toMatchObject({ n: 11, list: ['first', 'mine'] })
  })

  it('give up on a record that changes each time, and say so', async () => {
    const shared = memory()
    const restless = new DelayedStore(shared, 0)
    const { visitor, told } = await site(restless)
    const session = await visitor.open()
    session.data.n = 1
    const put = restless.put.bind(restless)
    restless.put = async (record, expected) => {
      const stored = shared.get(record.id) as SessionRecord
      await shared.put({ ...stored, version: stored.version + 1 }, stored.version)
      return await put(record, expected)
    }
    await expect(session.commit()).rejects.toMatchObject({ code: 'ERR_SOJOURN_CONTENTION', status: 503 })
    expect([(await visitor.read()).n, told.conflicts]).toEqual([0, []])
  })
})

describe('save()', () => {
  it('stores what was changed so far, and the commit the rest', async () => {
    const { visitor, store } = await site(new DelayedStore())
    const before = store.puts
    await visitor.visit(async (session) => {
      session.data.list.push('a')
      await session.save()
      expect((await visitor.read()).list).toEqual(['first', 'a'])
      session.data.list.push('b')
    })
    expect((await visitor.read()).list).toEqual(['first', 'a', 'b'])
    expect(store.puts - before).toBe(2)
  })

  it('writes nothing where nothing was changed', async () => {
    const { visitor, store, sessions } = await site(new DelayedStore())
    const before = store.puts
    await visitor.visit(async (session) => (session.data.n, await session.save()))
    await new Visitor(sessions).visit(async (session) => await session.save())
    expect(store.puts).toBe(before)
  })

  it('brings in what others wrote, in the objects that the handler holds', async () => {
    const { visitor } = await site(new DelayedStore())
    await visitor.visit(({ data }) => void data.cart.push({ sku: 'tea', qty: 1 }))
    await visitor.visit(async (session) => {
      const { data } = session
      const { list, by, cart } = data
      const [tea] = cart
      await visitor
        .copy()
        .visit(({ data }) => void (data.list.push('other'), (data.by['other'] = 1), data.cart.push({ sku: 'mug', qty: 1 })))
      list.push('mine')
      await session.save()
      expect(session.data).toBe(data)
      expect([list, by, cart.length]).toEqual([['first', 'other', 'mine'], { other: 1 }, 2])
      expect(data.cart[0]).toBe(tea)
      list.push('and more')
      by['mine'] = 1
      tea!.qty = 7
    })
    expect(await visitor.read()).toEqual({
      n: 0,
      list: ['first', 'other', 'mine', 'and more'],
      by: { other: 1, mine: 1 },
      cart: [
        { sku: 'tea', qty: 7 },
        { sku: 'mug', qty: 1 },
      ],
    })
  })

  it('that nobody waits for is not done twice', async () => {
    const { visitor } = await site(new DelayedStore())
    await visitor.visit((session) => {
      session.data.list.push('once')
      void session.save()
      void session.save()
      void session.update((data) => (data.n += 1))
    })
    expect(await visitor.read()).toMatchObject({ n: 1, list: ['first', 'once'] })
  })

  it('on its way for a new visitor makes one session, whatever follows', async () => {
    const { sessions, told } = await site(new DelayedStore())
    const stranger = new Visitor(sessions)
    await stranger.visit(async (session) => {
      session.data.list.push('once')
      void session.save()
      await Promise.all([session.update((data) => (data.n += 1)), session.update((data) => (data.n += 1))])
      session.data.by['more'] = 1
    })
    expect(told.of('created')).toHaveLength(1)
    expect(await stranger.read()).toEqual({ n: 2, list: ['once'], by: { more: 1 }, cart: [] })
  })
})

describe('what is changed while a write is on its way', () => {
  const ways: [what: string, overtaken: boolean, write: (session: Session<Data>) => Promise<unknown>][] = [
    ['save()', false, async (session) => await session.save()],
    ['save() that another request overtook', true, async (session) => await session.save()],
    ['update()', false, async (session) => await session.update((data) => (data.n += 1))],
    ['update() that another request overtook', true, async (session) => await session.update((data) => (data.n += 1))],
    ['login()', false, async (session) => await session.login('ada')],
    ['login() that another request overtook', true, async (session) => await session.login('ada')],
    ['login() with a choice', false, async (session) => await session.login('ada', { carry: (data) => ({ ...data, n: 5 }) })],
  ]

  it.each(ways)('stays, and is stored by the next: %s', async (_what, overtaken, write) => {
    const { visitor, told } = await site(new DelayedStore(memory(), 4))
    const ticks: number[] = []
    await visitor.visit(async (session) => {
      session.data.list.push('before')
      if (overtaken) await visitor.copy().visit(({ data }) => void data.list.push('other'))
      const { list, by } = session.data
      let written = false
      const writing = write(session).then(() => (written = true))
      for (let tick = 1; !written; tick++) {
        by[`tick ${tick}`] = tick
        list.push(tick)
        ticks.push(tick)
        await delay(1)
      }
      await writing
      list.push('after')
    })
    const { list, by } = await visitor.read()
    expect(ticks.length).toBeGreaterThan(3)
    expect(list).toEqual(['first', ...(overtaken ? ['other'] : []), 'before', ...ticks, 'after'])
    expect(by).toEqual(Object.fromEntries(ticks.map((tick) => [`tick ${tick}`, tick])))
    expect(told.conflicts).toEqual([])
  })

  it('stays where `session.data` as a whole was replaced', async () => {
    const { visitor } = await site(new DelayedStore())
    await visitor.visit(async (session) => {
      session.data.list.push('a')
      const saving = session.save()
      session.data = { ...session.data, n: 3 }
      await saving
    })
    expect(await visitor.read()).toMatchObject({ n: 3, list: ['first', 'a'] })
  })
})

describe('update()', () => {
  it('has a result that is the new base: nothing is left to commit, and later changes go on from it', async () => {
    const { visitor, store } = await site(new DelayedStore())
    await visitor.visit(async (session) => {
      await visitor.copy().visit(({ data }) => void data.list.push('other'))
      expect(session.data.list).toEqual(['first'])
      expect(await session.update((data) => (data.n += 1))).toBe(1)
      expect(session.data).toMatchObject({ n: 1, list: ['first', 'other'] })
      const before = store.puts
      await session.save()
      expect(store.puts).toBe(before)
      session.data.list.push('mine')
    })
    expect(await visitor.read()).toMatchObject({ n: 1, list: ['first', 'other', 'mine'] })
  })

  it('works on a copy: what the function held on to is not the session', async () => {
    const { visitor } = await site(memory())
    await visitor.visit(async (session) => {
      const held = await session.update((data) => data)
      held.n = 99
    })
    expect((await visitor.read()).n).toBe(0)
  })

  it('makes the session of a new visitor', async () => {
    const { sessions, told } = await site(new DelayedStore())
    const stranger = new Visitor(sessions)
    const n = await stranger.visit(async (session) => {
      session.data.list.push('mine')
      return await session.update((data) => (data.n += 5))
    })
    expect([n, await stranger.read(), told.of('created').length]).toEqual([5, { n: 5, list: ['mine'], cart: [], by: {} }, 1])
  })

  it.each([true, false])(
    'refuses a function that returns a promise (of a stored session: %s), and stores nothing of it',
    async (stored) => {
      const { sessions, visitor } = await site(memory())
      const one = stored ? visitor : new Visitor(sessions)
      await one.visit(async (session) => {
        const later = async (data: Data): Promise<void> => {
          data.n = 9
          await Promise.reject(new Error('nobody waits for this'))
        }
        await expect(session.update(later)).rejects.toMatchObject({ code: 'ERR_SOJOURN_UPDATE_ASYNC', status: 500 })
        expect(session.data.n).toBe(0)
      })
      expect((await one.read()).n).toBe(0)
    },
  )

  it.each([true, false])('rejects with what its function throws (of a stored session: %s), and changes nothing', async (stored) => {
    const { sessions, visitor } = await site(memory())
    const one = stored ? visitor : new Visitor(sessions)
    const soldOut = new RangeError('sold out')
    await one.visit(async (session) => {
      const change = (data: Data): never => {
        data.n = 9
        throw soldOut
      }
      await expect(session.update(change)).rejects.toBe(soldOut)
      expect(session.data.n).toBe(0)
    })
    expect((await one.read()).n).toBe(0)
  })

  it('that changed nothing writes nothing', async () => {
    const { visitor, store } = await site(new DelayedStore())
    const before = store.puts
    expect(await visitor.visit(async (session) => await session.update((data) => data.list.length))).toBe(1)
    expect(store.puts).toBe(before)
  })
})
