/** Somebody with a hand in the database, and without the keys. */
import { describe, expect, test } from 'vitest'
import type { SessionRecord } from '../../../src/core/store.ts'
import { hashSecret, mintSecret } from '../../../src/core/token.ts'
import type { Browser } from '../browser.ts'
import { type Data, hours, idle, minutes, renew, Site } from '../site.ts'
import { binds, dump, first, plant, second, stores } from './kit.ts'

interface Scene {
  readonly site: Site
  readonly owner: Browser<Data>
  /** The owner's record, an older one of the same session, and that of another session of the same user and one of another user's. */
  readonly record: SessionRecord
  readonly older: SessionRecord
  readonly sibling: SessionRecord
  readonly stranger: SessionRecord
}

async function scene(open: (typeof stores)[number][1], bind: (typeof binds)[number]): Promise<Scene> {
  const site = new Site({ store: open(), encryption: { keys: [first], bind } })
  const owner = await site.member('ada')
  const sibling = await site.member('ada')
  const stranger = await site.member('alan')
  for (const browser of [owner, sibling, stranger]) await browser.send((session) => void session.data.cart.push('tea'))
  const older = (await site.record(owner))!
  site.clock.advance(renew)
  await owner.visit()
  await owner.send((session) => void session.data.cart.push('milk'))
  const [record, a, b] = await Promise.all([owner, sibling, stranger].map(async (browser) => (await site.record(browser))!))
  return { site, owner, record: record!, older, sibling: a!, stranger: b! }
}

const at = (text: string, index: number, other: string): string => text.slice(0, index) + other + text.slice(index + other.length)
const flip = (text: string, index: number): string => at(text, index, text[index] === 'A' ? 'B' : 'A')
const partsOf = ({ head }: SessionRecord): string[] => head.slice(52).split('.')

/** The stored head with other parts: owner, wraps, handed on, the core's own. */
function withParts(record: SessionRecord, change: (parts: string[]) => string[]): string {
  return record.head.slice(0, 52) + change(partsOf(record)).join('.')
}

const attacks: Record<string, (scene: Scene) => Partial<SessionRecord>> = {
  "another session's data of the same user": ({ sibling }) => ({ data: sibling.data }),
  "another user's data": ({ stranger }) => ({ data: stranger.data }),
  'no data': () => ({ data: '' }),
  'another user': ({ stranger }) => ({ userId: stranger.userId }),
  'no user': () => ({ userId: null }),
  'a user in clear': () => ({ userId: 'root' }),
  'a later creation': ({ record }) => ({ createdAt: record.createdAt + hours }),
  'a later version': ({ record }) => ({ version: record.version + 1 }),
  "an older record's head": ({ older }) => ({ head: older.head }),
  "an older record's data": ({ older }) => ({ data: older.data }),
  "an older record's version": ({ older }) => ({ version: older.version }),
  "another session's whole record": ({ sibling }) => ({ ...sibling, id: undefined! }),
  "another session's head": ({ sibling }) => ({ head: sibling.head }),
  "another session's user and owner": ({ record, stranger }) => ({
    userId: stranger.userId,
    head: withParts(record, ([, ...rest]) => [partsOf(stranger)[0]!, ...rest]),
  }),
  "another session's wraps": ({ record, sibling }) => ({
    head: withParts(record, ([owner, , ...rest]) => [owner!, `${partsOf(sibling)[1]}x`, ...rest]),
  }),
  'the hash of a secret of the thief’s own': ({ record }) => ({
    head: withParts(record, ([owner, wraps, handed, head]) => [owner!, wraps!, handed!, at(head!, 23, hashSecret(mintSecret('key')))]),
  }),
  'a session that is remembered': ({ record }) => ({
    head: withParts(record, ([owner, wraps, handed, head]) => [owner!, wraps!, handed!, `r${head!.slice(1)}`]),
  }),
  'another MAC': ({ record }) => ({ head: flip(record.head, 20) }),
  'another tag of the data': ({ record }) => ({ data: flip(record.data, 35) }),
  'a head that was cut short': ({ record }) => ({ head: record.head.slice(0, 30) }),
  'no head': () => ({ head: '' }),
}

describe.each(binds)('a session that is bound to the %s', (bind) => {
  describe.each(stores)('in %s', (_name, open) => {
    test.each(Object.entries(attacks))('is no session with %s, and is told of; as it was it is one again', async (_what, change) => {
      const all = await scene(open, bind)
      const { site, owner, record } = all
      const planted = { ...record, ...change(all), id: record.id }
      expect(planted).not.toEqual(record)
      await plant(site.store, planted)

      const found = await owner.open()
      expect([found.isNew, found.userId, found.data.cart]).toEqual([true, null, []])
      expect(['ERR_SOJOURN_RECORD_TAMPERED', 'ERR_SOJOURN_KEY_UNKNOWN']).toContain(site.errors[0])
      expect(site.told('error')[0]).toMatchObject({ id: record.id })
      expect(await site.sessions.end(record.id)).toBe(false)
      expect(await site.store.get(record.id)).toEqual(planted)

      await plant(site.store, record)
      expect(await owner.send((session) => [session.userId, session.data.cart])).toEqual(['ada', ['tea', 'milk']])
      await site.sessions.close()
    })
  })

  test('with a bit of its data changed is served until somebody looks at them, which fails; and is not written over', async () => {
    const all = await scene(stores[0]![1], bind)
    const { site, owner, record } = all
    await plant(site.store, { ...record, data: flip(record.data, record.data.length - 6) })
    expect(await owner.visit()).toBe('ada')
    const tampered = { code: 'ERR_SOJOURN_RECORD_TAMPERED', status: 500 }
    const session = await owner.open()
    expect(() => session.data).toThrow(expect.objectContaining(tampered) as Error)
    expect(site.errors).toEqual(['ERR_SOJOURN_RECORD_TAMPERED'])
    await expect(session.update((data) => data.visits++)).rejects.toMatchObject(tampered)
    await expect(session.login('ada')).rejects.toMatchObject(tampered)
    expect((await site.record(owner))!.data).not.toBe(record.data)
    // Such a session can be left.
    await owner.send(async (session) => await session.logout())
    expect(await owner.visit()).toBeNull()
  })

  test('that was put over by a request which was under way fails that request, and stands as it was put', async () => {
    const { site, owner, record, stranger } = await scene(stores[0]![1], bind)
    const session = await owner.open()
    session.data.cart.push('sugar')
    const planted = { ...record, version: record.version + 1, data: stranger.data }
    await plant(site.store, planted)
    await expect(session.commit()).rejects.toMatchObject({ code: 'ERR_SOJOURN_ENDED' })
    expect(await site.store.get(record.id)).toEqual(planted)
  })

  test('may be kept longer, or be put back to an older record as a whole: that is not detected, as the docs say', async () => {
    const { site, owner, record, older } = await scene(stores[0]![1], bind)
    await plant(site.store, { ...record, expiresAt: record.expiresAt + 10 * hours })
    site.clock.advance(idle + 5 * minutes)
    expect(await owner.send((session) => session.data.cart)).toEqual(['tea', 'milk'])
    await plant(site.store, { ...older, expiresAt: older.expiresAt + 10 * hours })
    expect(await owner.send((session) => session.userId)).toBeNull()
    expect(site.errors).toEqual([])
  })
})

test('what another key sealed is no session, is told of, and is left alone by all but the sweeper', async () => {
  const right = new Site({ encryption: { keys: [first] } })
  const owner = await right.member()
  const before = await dump(right.store)
  const wrong = new Site({ store: right.store, encryption: { keys: [second] } })
  const visitor = wrong.browser(undefined, owner.token)
  expect(await visitor.visit()).toBeNull()
  expect(wrong.errors).toEqual(['ERR_SOJOURN_KEY_UNKNOWN'])
  await visitor.send((session) => void session.data.cart.push('milk'))
  expect(visitor.id).not.toBe(owner.id)
  expect(await wrong.sessions.end(owner.id!)).toBe(false)
  expect(await wrong.sessions.endUser('ada')).toBe(0)
  expect((await dump(right.store)).filter(({ id }) => id === owner.id)).toEqual(before)
  expect(await owner.visit()).toBe('ada')

  wrong.clock.advance(13 * hours)
  expect(await wrong.sessions.sweep()).toBe(2)
  expect(wrong.told('expired')).toEqual(
    expect.arrayContaining([
      { id: owner.id, userId: null },
      { id: visitor.id, userId: null },
    ]),
  )
})

test('records of before encryption was turned on are no sessions, are told of, and go when their time comes', async () => {
  const plain = new Site()
  const owner = await plain.member()
  const sealed = new Site({ store: plain.store, encryption: { keys: [first] } })
  const visitor = sealed.browser(undefined, owner.token)
  const before = await plain.record(owner)
  expect(await visitor.visit()).toBeNull()
  expect(sealed.told('error')).toMatchObject([{ error: { code: 'ERR_SOJOURN_KEY_UNKNOWN' }, id: owner.id }])
  expect(sealed.told('error')[0]!.error.message).toContain('stored without encryption')
  await visitor.send(async (session) => await session.login('ada'))
  expect(await plain.record(owner)).toEqual(before)
  sealed.clock.advance(13 * hours)
  expect(await sealed.sessions.sweep()).toBe(2)
  expect(sealed.told('expired')).toEqual(expect.arrayContaining([{ id: owner.id, userId: 'ada' }]))
})

test('sealed records are no sessions once encryption is off, and nothing of them is shown', async () => {
  const sealed = new Site({ encryption: { keys: [first] } })
  const owner = await sealed.member()
  const plain = new Site({ store: sealed.store })
  expect(await plain.browser(undefined, owner.token).visit()).toBeNull()
  expect(await owner.visit()).toBe('ada')
})
