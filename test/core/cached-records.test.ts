import { randomBytes } from 'node:crypto'
import { beforeEach, describe, expect, test } from 'vitest'
import type { SessionsOptions } from '../../src/sessions.ts'
import { memory } from '../../src/stores/memory.ts'
import { tiered } from '../../src/stores/tiered.ts'
import { url } from '../../src/transports/url.ts'
import { cookie } from '../../src/transports/cookie.ts'
import { type Browser, firefox } from './browser.ts'
import { type Data, grace, idle, renew, seconds, Site, slice } from './site.ts'
import { Counted, Later } from './store-over.ts'

/** Two nodes on one store: this one's memory keeps what it has for ever. */
function nodes(options: Omit<SessionsOptions<Data>, 'initial' | 'store'> = {}) {
  const store = new Counted(new Later(memory()))
  const there = new Site({ ...options, store })
  const here = new Site({ ...options, store: tiered({ next: store, staleness: '1h' }), clock: there.clock })
  return { store, there, here, clock: there.clock }
}

/** The same browser, as it comes to the other node. */
const at = (site: Site, browser: Browser<Data>): Browser<Data> => site.browser(firefox, browser.token)

describe.each([
  ['', {}],
  [', encrypted', { encryption: { keys: [randomBytes(32)] } }],
  [', encrypted for its client', { encryption: { keys: [randomBytes(32)], bind: 'client' } }],
] as const)('a cached record refuses nothing%s', (_, options) => {
  let site: ReturnType<typeof nodes>
  let owner: Browser<Data>
  beforeEach(async () => {
    site = nodes(options)
    owner = await site.there.member()
    await at(site.here, owner).visit()
  })

  test('a secret that is newer than it opens the session', async () => {
    const { there, here, clock } = site
    clock.advance(renew)
    await owner.visit()
    await owner.visit()
    // What was renewed there is confirmed there: here stands a record that never heard of this secret.
    expect(there.told('renewed')).toHaveLength(1)
    expect(await at(here, owner).visit()).toBe('ada')
    expect(here.told('suspected')).toEqual([])
    expect(here.told('error')).toEqual([])
  })

  test('a session that was used there lives on here, whatever expiry is known here', async () => {
    const { here, clock } = site
    for (let i = 0; i < 3; i++) {
      clock.advance(idle - seconds)
      await owner.visit()
      await site.there.sessions.sweep()
    }
    expect(await at(here, owner).visit()).toBe('ada')
  })

  test('what is refused in the end is refused by the record of now, and told once', async () => {
    const { there, here, clock } = site
    const thief = there.browser(firefox, owner.token)
    clock.advance(renew)
    await owner.visit()
    await owner.visit()
    expect(await at(here, owner).visit()).toBe('ada')
    clock.advance(grace + seconds)
    expect(await at(here, thief).visit()).toBeNull()
    expect(here.told('suspected')).toMatchObject([{ reason: 'late' }])
    expect(await at(here, owner).visit()).toBe('ada')
  })
})

describe('reads', () => {
  test('of one session within a slice cost no read of the store behind, and no write', async () => {
    const { store, there, here, clock } = nodes()
    const owner = at(here, await there.member())
    await owner.visit()
    const before = { ...store.calls }
    for (let i = 0; i < 1000; i++) {
      clock.advance((slice / 1000) * 0.9)
      expect(await owner.send((session) => session.data.visits)).toBe(0)
    }
    expect(store.calls).toEqual(before)
  })

  test('of a wrong secret cost one read more, where the record is cached, and no more where it is not', async () => {
    const { store, there, here } = nodes()
    const owner = await there.member()
    await at(here, owner).visit()
    const wrong = owner.token!.slice(0, 16) + 'x'.repeat(32)
    const cost = async (site: Site) => {
      const before = store.calls.get
      expect(await site.browser(firefox, wrong).visit()).toBeNull()
      return store.calls.get - before
    }
    expect(await cost(here)).toBe(1)
    expect(await cost(there)).toBe(1)
    // That nothing is there is no cache's answer.
    const unknown = randomBytes(36).toString('base64url')
    const before = store.calls.get
    expect(await here.browser(firefox, unknown).visit()).toBeNull()
    expect(store.calls.get - before).toBe(1)
  })
})

test('one that was sealed under a key of before is read again, and nothing is told of it', async () => {
  const [old, current] = [randomBytes(32), randomBytes(32)]
  const store = new Later(memory())
  const before = new Site({ store, encryption: { keys: [old] } })
  const both = new Site({ store, encryption: { keys: [current, old] }, clock: before.clock })
  const shared = tiered({ next: store, staleness: '1h' })
  const here = new Site({ store: shared, encryption: { keys: [current] }, clock: before.clock })
  const owner = await before.member()
  expect(await at(here, owner).visit()).toBeNull()
  expect(here.errors).toEqual(['ERR_SOJOURN_KEY_UNKNOWN'])
  before.clock.advance(slice + seconds)
  const moved = at(both, owner)
  await moved.send((session) => void session.data.visits++)
  expect(await at(here, moved).visit()).toBe('ada')
  expect(here.errors).toHaveLength(1)
})

describe('a session that ended there', () => {
  test('takes no write here, and the answer that it is gone comes from the store behind', async () => {
    const { there, here } = nodes()
    const owner = await there.member()
    const slow = at(here, owner)
    await slow.visit()
    await owner.send(async (session) => await session.logout())
    await expect(slow.send((session) => void session.data.visits++)).rejects.toMatchObject({ code: 'ERR_SOJOURN_ENDED' })
    expect(await slow.visit()).toBeNull()
    expect(here.told('error')).toEqual([])
  })

  test('is read again fresh by a login, which starts from nothing', async () => {
    const { there, here } = nodes()
    const owner = await there.member()
    const slow = at(here, owner)
    await slow.visit()
    await there.sessions.end(owner.id!)
    await expect(slow.send(async (session) => await session.login('ada'))).rejects.toMatchObject({ code: 'ERR_SOJOURN_ENDED' })
    await slow.send(async (session) => await session.login('ada'))
    expect(await slow.visit()).toBe('ada')
  })

  test('in links as well: a token of before a login is refused by the record of now', async () => {
    const { there, here } = nodes({ transports: [cookie(), url()] })
    const owner = await there.member()
    const old = at(here, owner)
    await old.visit()
    await owner.send(async (session) => await session.login('ada'))
    // Within the bound the old token opens what is cached; a write finds the tombstone, and then it is known here.
    await expect(old.send((session) => void session.data.visits++)).rejects.toMatchObject({ code: 'ERR_SOJOURN_MOVED' })
    expect(await old.visit()).toBeNull()
    expect(await at(here, owner).visit()).toBe('ada')
  })
})
