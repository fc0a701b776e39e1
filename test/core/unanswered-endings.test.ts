import { describe, expect, test } from 'vitest'
import { standingOf } from '../../src/core/ending.ts'
import { memory } from '../../src/stores/memory.ts'
import { collect } from '../../src/testing/store-cases/rule.ts'
import { Site } from './site.ts'
import { type Fate, Unanswering } from './unanswering-store.ts'

const unknown = { code: 'ERR_SOJOURN_UNKNOWN_OUTCOME', status: 503 }
const lost: Fate = { lands: false }
const landed: Fate = { lands: true }

function begin(later: boolean) {
  const store = new Unanswering(memory(), later)
  const site = new Site({ store })
  const live = async () => (await collect(store.list())).filter((record) => standingOf(record, site.clock.now()) === 'live')
  /** The first sending of a put that was lost lands just before the second. */
  const landLate = (): void => {
    store.lose(lost)
    store.beforePut = () => {
      const { record, expected } = store.puts[0]!
      expect(store.next.put(record, expected)).toBe(true)
    }
  }
  return { store, site, live, landLate }
}

describe.each([
  ['at once', false],
  ['later', true],
])('the answer to a logout’s tombstone that is lost %s', (_, later) => {
  test.each([
    ['landed', [landed], 1],
    ['did not land: it is sent again', [lost], 2],
    ['landed the second time', [lost, landed], 2],
  ])('is no failure where it %s', async (_, fates, puts) => {
    const { store, site, live } = begin(later)
    const owner = await site.member()
    const copy = site.browser(undefined, owner.token)
    store.lose(...fates)
    await owner.send(async (session) => await session.logout())
    expect(store.puts).toHaveLength(puts)
    expect(owner.setCookie).toMatch(/^sid=; Max-Age=0/)
    expect(site.told('ended')).toEqual([{ id: copy.id, userId: 'ada', reason: 'logout' }])
    expect(await live()).toEqual([])
    expect(await copy.visit()).toBeNull()
  })

  test('is no failure where the first sending landed after it was looked for', async () => {
    const { site, live, landLate } = begin(later)
    const owner = await site.member()
    const { id } = owner
    landLate()
    await owner.send(async (session) => await session.logout())
    expect(owner.setCookie).toMatch(/^sid=; Max-Age=0/)
    expect(site.told('ended')).toEqual([{ id, userId: 'ada', reason: 'logout' }])
    expect(await live()).toEqual([])
  })

  test('is an unknown outcome where a greater version stands; logging out again works', async () => {
    const { store, site, live } = begin(later)
    const owner = await site.member()
    store.lose({ ...lost, meanwhile: ({ id }) => store.overwrite(id, 2 ** 21, ['"visits":0', '"visits":1']) })
    await expect(owner.send(async (session) => await session.logout())).rejects.toMatchObject(unknown)
    expect(site.told('ended')).toEqual([])
    store.lose()
    await owner.send(async (session) => await session.logout())
    expect(await live()).toEqual([])
  })

  test('goes over another’s write with a lower version', async () => {
    const { store, site, live } = begin(later)
    const owner = await site.member()
    store.lose({ ...lost, meanwhile: ({ id }) => store.overwrite(id, 1, ['"visits":0', '"visits":1']) })
    await owner.send(async (session) => await session.logout())
    expect(await live()).toEqual([])
  })

  test.each([landed, lost])('is an unknown outcome where the read fails too; logging out again works: %o', async (fate) => {
    const { store, site, live } = begin(later)
    const owner = await site.member()
    store.lose(fate)
    store.blindReads = 1
    await expect(owner.send(async (session) => await session.logout())).rejects.toMatchObject(unknown)
    store.lose()
    await owner.send(async (session) => await session.logout())
    expect(await live()).toEqual([])
  })
})

describe.each([
  ['at once', false],
  ['later', true],
])('the answer to one of a login’s two puts that is lost %s', (_, later) => {
  /** Lets the insert be answered and loses the tombstone's. */
  const loseTombstone = (store: Unanswering, fate: Fate): void => {
    store.lose()
    store.beforePut = () => void (store.fates = [fate])
  }

  test.each([
    ['its insert landed', [landed], 2],
    ['its insert did not: it gets another ID', [lost], 3],
  ])('is no failure where %s', async (_, fates, puts) => {
    const { store, site, live } = begin(later)
    const visitor = await site.visitor()
    store.lose(...fates)
    await visitor.send(async (session) => await session.login('ada'))
    expect(store.puts).toHaveLength(puts)
    expect(new Set(store.puts.map(({ record }) => record.id)).size).toBe(puts)
    expect((await live()).map(({ id }) => id)).toEqual([visitor.id])
    expect(await visitor.send((session) => [session.userId, session.data.cart])).toEqual(['ada', ['tea']])
  })

  test.each([
    ['landed', landed, 2],
    ['did not land: it is sent again', lost, 3],
  ])('is no failure where its tombstone %s', async (_, fate, puts) => {
    const { store, site, live } = begin(later)
    const visitor = await site.visitor()
    const before = visitor.token
    loseTombstone(store, fate)
    await visitor.send(async (session) => await session.login('ada'))
    expect(store.puts).toHaveLength(puts)
    expect((await live()).map(({ id }) => id)).toEqual([visitor.id])
    expect(await visitor.send((session) => [session.userId, session.data.cart])).toEqual(['ada', ['tea']])
    expect(await site.browser(undefined, before).visit()).toBeNull()
  })

  test('is no failure where the first sending of its tombstone landed after it was looked for', async () => {
    const { store, site, live } = begin(later)
    const owner = await site.member()
    loseTombstone(store, {
      ...lost,
      meanwhile: (record, expected) => void (store.beforePut = () => expect(store.next.put(record, expected)).toBe(true)),
    })
    await owner.send(async (session) => await session.login('ada'))
    expect((await live()).map(({ id }) => id)).toEqual([owner.id])
    expect(await owner.visit()).toBe('ada')
  })

  test('merges another’s write with a lower version before its tombstone goes over it', async () => {
    const { store, site, live } = begin(later)
    const visitor = await site.visitor()
    loseTombstone(store, { ...lost, meanwhile: ({ id }) => store.overwrite(id, 1, ['"visits":0', '"visits":9']) })
    await visitor.send(async (session) => await session.login('ada'))
    expect(await live()).toHaveLength(1)
    expect(await visitor.send((session) => [session.data.visits, session.data.cart])).toEqual([9, ['tea']])
  })

  test('is an unknown outcome where a greater version stands: no token goes out, and logging in again works', async () => {
    const { store, site } = begin(later)
    const visitor = await site.visitor()
    const { token } = visitor
    loseTombstone(store, { ...lost, meanwhile: ({ id }) => store.overwrite(id, 2 ** 21, ['"visits":0', '"visits":9']) })
    await expect(visitor.send(async (session) => await session.login('ada'))).rejects.toMatchObject(unknown)
    expect(visitor.token).toBe(token)
    expect(site.told('loggedIn')).toEqual([])
    await visitor.send(async (session) => await session.login('ada'))
    expect(await visitor.send((session) => [session.userId, session.data.visits, session.data.cart])).toEqual(['ada', 9, ['tea']])
  })

  test.each([
    ['landed', landed],
    ['did not land', lost],
  ])('loses no data where its tombstone %s and the read fails too: logging in again finds them', async (_, fate) => {
    const { store, site } = begin(later)
    const visitor = await site.visitor()
    const { token } = visitor
    loseTombstone(store, fate)
    store.blindReads = 1
    await expect(visitor.send(async (session) => await session.login('ada'))).rejects.toMatchObject(unknown)
    expect(visitor.token).toBe(token)
    await visitor.send(async (session) => await session.login('ada'))
    expect(await visitor.send((session) => [session.userId, session.data.cart])).toEqual(['ada', ['tea']])
  })

  test('brings no session back that was ended before the insert’s answer was missed', async () => {
    const { store, site, live } = begin(later)
    const visitor = await site.visitor()
    const old = visitor.id
    // All of the user's sessions are ended, by another process, between the insert and the loss of its answer.
    store.lose({
      ...landed,
      meanwhile: ({ id }) => {
        const record = store.stored(id)!
        const tombstone = { ...record, version: record.version + 5, userId: null, head: 't{"cause":"ended"}', data: '' }
        expect(store.next.put(tombstone, record.version)).toBe(true)
      },
    })
    await visitor.send(async (session) => await session.login('ada')).catch(() => {})
    expect((await live()).filter(({ id }) => id !== old)).toEqual([])
    expect(await visitor.visit()).toBeNull()
  })
})
