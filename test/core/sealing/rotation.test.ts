import { describe, expect, test } from 'vitest'
import type { SessionRecord, Touch } from '../../../src/core/store.ts'
import type { KeyMaterial } from '../../../src/core/keyring.ts'
import { memory } from '../../../src/stores/memory.ts'
import type { Browser } from '../browser.ts'
import { type Data, idle, minutes, renew, Site, slice } from '../site.ts'
import { StoreOver } from '../store-over.ts'
import { binds, dump, first, second, third } from './kit.ts'

/** The key that a record is authenticated under, and the one that its owner is sealed under. */
const keysOf = ({ head }: SessionRecord): string[] => [head.slice(1, 9), head.slice(52, 60)]

async function keyIds(): Promise<string[]> {
  const ids: string[] = []
  for (const key of [first, second]) {
    const site = new Site({ encryption: { keys: [key] } })
    ids.push(keysOf((await site.record(await site.member()))!)[0]!)
  }
  return ids
}

describe.each(binds)('the keys of sessions that are bound to the %s', (bind) => {
  test('are changed while visitors come and go: nobody is logged out, nothing is lost, and in the end the old key is of no use', async () => {
    const store = memory()
    const clock = new Site().clock
    const node = (keys: KeyMaterial[]): Site => new Site({ store, clock, encryption: { keys, bind } })
    const stages: Site[][] = [
      [node([first]), node([first])],
      // Known everywhere before anybody seals with it.
      [node([first]), node([first, second])],
      [node([first, second]), node([second, first])],
      [node([second, first]), node([second, first])],
      [node([second]), node([second, first])],
      [node([second]), node([second])],
    ]
    const tokens: (string | null)[] = Array.from({ length: 12 }, () => null)
    const pushed = tokens.map((): string[] => [])
    const visit = async (nodes: Site[], who: number, step: number): Promise<void> => {
      const browsers = nodes.map((site) => site.browser(undefined, tokens[who]))
      if (tokens[who] === null) await browsers[0]!.send(async (session) => await session.login(`user${who}`))
      tokens[who] = browsers[0]!.token ?? tokens[who]!
      const item = (tab: number): string => `item ${who} ${step} ${tab}`
      // Two tabs at once, on two nodes; the answer to every other renewal is lost.
      const tabs = nodes.map((site) => site.browser(undefined, tokens[who]))
      await Promise.all(
        tabs.map((tab, i) =>
          tab.send((session) => {
            expect(session.userId).toBe(`user${who}`)
            if (who % 3 > 0) session.data.cart.push(item(i))
          }),
        ),
      )
      if (who % 3 > 0) pushed[who]!.push(item(0), item(1))
      if (step % 2 === 0) tokens[who] = tabs[step % 4 === 0 ? 0 : 1]!.token
    }
    let step = 0
    for (const nodes of stages) {
      for (let round = 0; round < 4; round++) {
        step++
        await Promise.all(tokens.map(async (_, who) => await visit(nodes, who, step)))
        clock.advance(6 * minutes)
      }
      for (const site of nodes) expect([site.errors, site.suspected, site.told('ended')]).toEqual([[], [], []])
    }
    const [, newest] = await keyIds()
    for (const record of await dump(store)) expect(keysOf(record)).toEqual([newest, newest])
    for (const [who, token] of tokens.entries()) {
      const data = await stages
        .at(-1)![0]!
        .browser(undefined, token)
        .send((session) => session.data)
      expect(data.cart.toSorted()).toEqual(pushed[who]!.toSorted())
    }
  })

  test('seal anew what is only read, by one write with the first use that is noted', async () => {
    const site = new Site({ encryption: { keys: [first], bind } })
    const owner = await site.member()
    const before = (await site.record(owner))!
    const next = new Site({ store: site.store, clock: site.clock, encryption: { keys: [second, first], bind } })
    const reader = next.browser(undefined, owner.token)
    expect(await reader.visit()).toBe('ada')
    expect(await site.record(owner)).toEqual(before)
    site.clock.advance(slice + 1)
    expect(await reader.visit()).toBe('ada')
    const after = (await site.record(owner))!
    const [, newest] = await keyIds()
    expect(keysOf(after)).toEqual([newest, newest])
    expect(after.userId).not.toBe(before.userId)
    expect(after.lastSeenAt).toBe(site.clock.now())
    expect(await reader.visit()).toBe('ada')
    expect((await site.record(owner))!.version).toBe(after.version)

    const last = new Site({ store: site.store, clock: site.clock, encryption: { keys: [second], bind } })
    const browser = last.browser(undefined, owner.token)
    expect(await browser.send((session) => [session.userId, session.data])).toEqual(['ada', { visits: 0, cart: [] }])
    expect(last.errors).toEqual([])
  })

  test('find the sessions of a user under each of them: to list, to end, to count, to touch', async () => {
    const old = new Site({ encryption: { keys: [third, first], bind } })
    const touched: Touch[] = []
    const store = new (class extends StoreOver {
      override touch(batch: readonly Touch[]) {
        touched.push(...batch)
        return super.touch(batch)
      }
    })(old.store)
    const site = new Site({ store, clock: old.clock, maxPerUser: 3, encryption: { keys: [second, first, third], bind } })
    const a = await old.member()
    old.clock.advance(1)
    const [b, c] = [await site.member(), await old.member()]
    const ids = async (): Promise<string[]> => {
      const found: string[] = []
      for await (const { id, userId, device } of site.sessions.listByUser('ada')) {
        expect([userId, device]).toEqual(['ada', 'Firefox on Windows'])
        found.push(id)
      }
      return found.toSorted()
    }
    const idsOf = (...browsers: Browser<Data>[]): string[] => browsers.map(({ id }) => id!).toSorted()
    expect(await ids()).toEqual(idsOf(a, b, c))

    // A touch names the user as the record that it is for does.
    const session = await site.browser(undefined, a.token).open()
    old.clock.advance(1)
    session.touch()
    await session.commit()
    expect(touched.map(({ id, userId }) => ({ id, userId }))).toEqual([{ id: a.id, userId: (await site.record(a))!.userId }])

    const d = await site.member()
    expect(await ids()).toEqual(idsOf(b, c, d))
    expect(await site.sessions.endUser('ada', { except: d.id })).toBe(2)
    expect(await ids()).toEqual(idsOf(d))
  })

  test('end what only the last of them opened, and say so', async () => {
    const site = new Site({ encryption: { keys: [first], bind } })
    const owner = await site.member()
    const before = await site.record(owner)
    const later = new Site({ store: site.store, clock: site.clock, encryption: { keys: [second, third], bind } })
    const browser = later.browser(undefined, owner.token)
    expect(await browser.visit()).toBeNull()
    expect(later.told('error')).toMatchObject([{ error: { code: 'ERR_SOJOURN_KEY_UNKNOWN' }, id: owner.id }])
    expect(await site.record(owner)).toEqual(before)
    await browser.send(async (session) => await session.login('ada'))
    expect(await browser.visit()).toBe('ada')
    expect(await owner.visit()).toBe('ada')
  })
})

test('a session that was written under the new key, and whose secret was never shown to it, ends with the old one', async () => {
  const site = new Site({ encryption: { keys: [first], bind: 'client' } })
  const owner = await site.visitor()
  const both = new Site({ store: site.store, clock: site.clock, encryption: { keys: [second, first], bind: 'client' } })
  await both.browser(undefined, owner.token).send((session) => void session.data.cart.push('milk'))
  const [, newest] = await keyIds()
  expect(keysOf((await site.record(owner))!)[0]).toBe(newest)
  const last = new Site({ store: site.store, clock: site.clock, encryption: { keys: [second], bind: 'client' } })
  const visitor = last.browser(undefined, owner.token)
  expect(await visitor.send((session) => [session.isNew, session.data.cart])).toEqual([true, []])
  expect(last.errors).toEqual(['ERR_SOJOURN_KEY_UNKNOWN'])
})

test('the sweeper tells whose the sessions were, under whichever key', async () => {
  const old = new Site({ encryption: { keys: [first] } })
  const site = new Site({ store: old.store, clock: old.clock, encryption: { keys: [second, first] } })
  const [a, b, c] = [await old.member('ada'), await site.member('alan'), await site.visitor()]
  old.clock.advance(idle + renew)
  expect(await site.sessions.sweep()).toBe(3)
  const told = site.told('expired').toSorted((x, y) => (x.id < y.id ? -1 : 1))
  const expected = [
    { id: a.id!, userId: 'ada' },
    { id: b.id!, userId: 'alan' },
    { id: c.id!, userId: null },
  ]
  expect(told).toEqual(expected.toSorted((x, y) => (x.id < y.id ? -1 : 1)))
})
