/** What sessions do at all, they do with encryption. */
import { describe, expect, test } from 'vitest'
import { createSessions, type SessionsOptions } from '../../../src/sessions.ts'
import { memory } from '../../../src/stores/memory.ts'
import { chrome, firefox } from '../browser.ts'
import { type Data, grace, idle, minutes, renew, renewalAlone, seconds, Site } from '../site.ts'
import { Counted, Later } from '../store-over.ts'
import { binds, dump, first, plant, second, stores } from './kit.ts'

const rows = [...stores, ['a store that answers later', () => new Later(memory())] as const].flatMap(([name, open]) =>
  binds.map((bind) => ({ name, open, bind })),
)

describe.each(rows)('in $name, bound to the $bind', ({ open, bind }) => {
  const newSite = (options: Partial<SessionsOptions<Data>> = {}): Site => {
    return new Site({ store: open(), encryption: { keys: [first], bind }, ...options })
  }

  test('pushes of requests at once all stay, and updates count', async () => {
    const site = newSite()
    const owner = await site.visitor()
    const sessions = await Promise.all(Array.from({ length: 20 }, () => owner.open()))
    await Promise.all(
      sessions.map(async (session, i) => {
        session.data.cart.push(`item ${i}`)
        if (i % 2 === 0) await session.update((data) => data.visits++)
        await session.commit()
      }),
    )
    const { cart, visits } = await owner.send((session) => session.data)
    expect(cart.toSorted()).toEqual(['tea', ...sessions.map((_, i) => `item ${i}`)].toSorted())
    expect(visits).toBe(10)
    expect(site.told('conflict')).toEqual([])
    await site.sessions.close()
  })

  test('pushes on two nodes at once are merged', async () => {
    const site = newSite()
    const node = new Site({ store: site.store, clock: site.clock, encryption: { keys: [second, first], bind } })
    const owner = await site.visitor()
    const [here, there] = [await owner.open(), await node.browser(firefox, owner.token).open()]
    here.data.cart.push('milk')
    there.data.cart.push('sugar')
    await here.commit()
    await there.commit()
    const data = await node.browser(firefox, owner.token).send((session) => session.data)
    expect(data.cart).toEqual(['tea', 'milk', 'sugar'])
  })

  test('a login takes the data along, or what it chooses; its own session then goes on in the same request', async () => {
    const site = newSite()
    const owner = await site.visitor()
    await owner.send(async (session) => {
      session.data.cart.push('milk')
      await session.login('ada', { carry: (data) => ({ ...data, cart: data.cart.toReversed() }) })
      expect(session.userId).toBe('ada')
      session.data.cart.push('sugar')
      await session.save()
      await session.update((data) => data.visits++)
    })
    expect(await owner.send((session) => [session.userId, session.data])).toEqual(['ada', { visits: 1, cart: ['milk', 'tea', 'sugar'] }])
    await owner.send(async (session) => await session.login('alan'))
    expect(await owner.send((session) => [session.userId, session.data.cart])).toEqual(['alan', []])
    expect(site.told('loggedIn').map(({ userId }) => userId)).toEqual(['ada', 'alan'])
  })

  test('a login pressed twice, or sent again with the old cookie, finds the data where the first one took them', async () => {
    const site = newSite()
    const owner = await site.visitor()
    const old = owner.token
    const [one, two] = [await owner.open(), await owner.open()]
    two.data.cart.push('milk')
    await one.login('ada')
    await two.login('ada')
    expect(two.data.cart).toEqual(['tea', 'milk'])
    await two.update((data) => data.cart.push('sugar'))
    // The answers were lost: it is sent a third time, over two moves.
    const third = await site.browser(firefox, old).open()
    await third.login('ada')
    expect(third.data.cart).toEqual(expect.arrayContaining(['tea']))
    await third.commit()

    const stranger = await site.browser(firefox, old).open()
    await stranger.login('alan')
    expect(stranger.data.cart).toEqual([])
  })

  test('a login by any good secret of the session, also by an older one, follows the one that came first', async () => {
    const site = newSite()
    const owner = await site.visitor()
    const older = owner.token
    site.clock.advance(renew)
    await owner.visit()
    const pending = owner.token
    const again = site.browser(firefox, older)
    await again.send(async (session) => await session.login('ada'))
    for (const token of [pending, older]) {
      const session = await site.browser(firefox, token).open()
      await session.login('ada')
      expect(session.data.cart).toEqual(['tea'])
    }
    expect(site.errors).toEqual([])
  })

  test('renewals whose answers are lost cost nobody the data: each secret that is good opens them', async () => {
    const site = newSite({ theft: renewalAlone })
    const owner = await site.member()
    const tokens = [owner.token!]
    for (let i = 0; i < 3; i++) {
      site.clock.advance(renew)
      const tab = site.browser(firefox, owner.token)
      await tab.send((session) => void session.data.cart.push(`item ${i}`))
      tokens.push(tab.token!)
      const other = site.browser(chrome, owner.token)
      await other.visit()
      if (other.token !== owner.token) tokens.push(other.token!)
    }
    expect(new Set(tokens).size).toBeGreaterThan(4)
    for (const token of [...tokens, ...tokens.toReversed()]) {
      const tab = site.browser(firefox, token)
      expect(await tab.send((session) => [session.userId, session.data.cart])).toEqual(['ada', ['item 0', 'item 1', 'item 2']])
      site.clock.advance(1)
    }
    expect([site.errors, site.suspected]).toEqual([[], []])
  })

  test('another client with the cookie is marked, must log in for what asks for it, and is ended when all of it differs', async () => {
    const site = newSite()
    const owner = await site.member()
    await owner.send((session) => void session.data.cart.push('tea'))
    const near = site.browser(
      { ...chrome, address: firefox.address, agent: chrome.agent.replace('X11; Linux x86_64', 'Windows NT 10.0; Win64; x64') },
      owner.token,
    )
    expect(await near.send((session) => [session.userId, session.assurance, session.data.cart])).toEqual(['ada', 0, ['tea']])
    expect(site.suspected).toEqual(['changed'])
    const elsewhere = site.browser(chrome, (await site.member()).token)
    expect(await elsewhere.visit()).toBeNull()
    expect([site.suspected, site.errors]).toEqual([['changed', 'changed'], []])
  })

  test('a late secret is refused and marked, and shown again it ends the session', async () => {
    const site = newSite()
    const owner = await site.member()
    const thief = site.browser(chrome, owner.token)
    site.clock.advance(renew)
    await owner.visit()
    await owner.visit()
    site.clock.advance(grace + 1)
    expect(await thief.visit()).toBeNull()
    expect(await owner.send((session) => session.data.cart)).toEqual([])
    site.clock.advance(grace + 1)
    expect(await thief.visit()).toBeNull()
    expect(await owner.visit()).toBeNull()
    expect(site.told('suspected')).toEqual([
      { id: owner.id, userId: 'ada', reason: 'late' },
      { id: owner.id, userId: 'ada', reason: 'reuse' },
    ])
    expect(site.told('ended')).toEqual([{ id: owner.id, userId: 'ada', reason: 'reuse' }])
  })

  test('a logout ends it; a request with the old token is told, and may not write', async () => {
    const site = newSite()
    const owner = await site.member()
    const { token, id } = owner
    const open = await owner.open()
    open.data.cart.push('milk')
    await owner.send(async (session) => await session.logout())
    await expect(open.commit()).rejects.toMatchObject({ code: 'ERR_SOJOURN_ENDED' })
    const moved = await site.browser(firefox, token).open()
    moved.data.cart.push('milk')
    await expect(moved.commit()).rejects.toMatchObject({ code: 'ERR_SOJOURN_MOVED' })
    expect(site.told('ended')).toEqual([{ id, userId: 'ada', reason: 'logout' }])
    const [tombstone] = await dump(site.store)
    expect(tombstone).toMatchObject({ id, userId: null, data: '' })
    expect(tombstone!.head).not.toContain('"ada"')
  })

  test('sessions are listed, limited and ended by their user, without any cookie', async () => {
    const site = newSite({ maxPerUser: 2 })
    const members = []
    for (const client of [firefox, chrome, firefox]) {
      members.push(await site.member('ada', { client }))
      site.clock.advance(seconds)
    }
    const other = await site.member('alan')
    const listed = []
    for await (const { id, userId, device } of site.sessions.listByUser('ada')) listed.push([id, userId, device].join(' '))
    expect(listed.toSorted()).toEqual([`${members[1]!.id} ada Chrome on Linux`, `${members[2]!.id} ada Firefox on Windows`].toSorted())
    expect(site.told('ended')).toEqual([{ id: members[0]!.id, userId: 'ada', reason: 'ended' }])
    expect(await site.sessions.end(members[1]!.id!)).toBe(true)
    expect(await site.sessions.endUser('ada')).toBe(1)
    expect(await Promise.all(members.map(async (member) => await member.visit()))).toEqual([null, null, null])
    expect(await other.visit()).toBe('alan')
    site.clock.advance(idle + 10 * minutes)
    await site.sessions.sweep()
    expect(site.told('expired')).toEqual([{ id: other.id, userId: 'alan' }])
    await site.sessions.close()
  })
})

describe.each(binds)('a session that is bound to the %s', (bind) => {
  test('is opened as far as it is read: who looks at the user alone never decrypts the data', async () => {
    const site = new Site({ encryption: { keys: [first], bind } })
    const owner = await site.member()
    const record = (await site.record(owner))!
    await plant(site.store, { ...record, data: `${record.data.slice(0, -4)}AAAA` })
    site.clock.advance(renew)
    expect(await owner.visit()).toBe('ada')
    expect(await owner.visit()).toBe('ada')
    expect(site.told('renewed')).toHaveLength(1)
    expect(site.errors).toEqual([])
    await expect(owner.send((session) => session.data)).rejects.toMatchObject({ code: 'ERR_SOJOURN_RECORD_TAMPERED' })
  })

  test('is written once for a change, and not at all for none', async () => {
    const store = new Counted(memory())
    const site = new Site({ store, encryption: { keys: [first], bind } })
    const owner = await site.visitor()
    const { put } = store.calls
    await owner.send((session) => {
      session.data.cart.push('milk')
      session.data.cart.pop()
    })
    await owner.visit()
    expect(store.calls.put).toBe(put)
    await owner.send((session) => void session.data.cart.push('milk'))
    expect(store.calls.put).toBe(put + 1)
  })

  test('that a full store gave up is told of by its user', async () => {
    const site = new Site({ store: memory({ maxSessions: 1 }), encryption: { keys: [first], bind } })
    const { id } = await site.member('ada')
    await site.member('alan')
    expect(site.told('ended')).toEqual([{ id, userId: 'ada', reason: 'evicted' }])
  })
})

test("what was set aside of a session that is bound to its client is nobody else's to read", async () => {
  const store = memory()
  const open = (bind: 'server' | 'client', schemaVersion: number) =>
    new Site({
      store,
      schemaVersion,
      encryption: { keys: [first], bind },
      migrate: () => {
        throw new Error('no')
      },
    })
  for (const bind of binds) {
    const owner = await open(bind, 1).visitor()
    const later = open(bind, 2)
    expect(await later.browser(firefox, owner.token).send((session) => session.data.cart)).toEqual([])
    if (bind === 'server') expect(await later.sessions.setAside(owner.id!)).toContain('tea')
    else await expect(later.sessions.setAside(owner.id!)).rejects.toMatchObject({ code: 'ERR_SOJOURN_OPTION' })
    expect(await later.sessions.setAside('AAAAAAAAAAAAAAAA')).toBeNull()
  }
})

test('when bind is changed, sessions go on as they are, until their login', async () => {
  const site = new Site({ encryption: { keys: [first], bind: 'server' } })
  const owner = await site.visitor()
  const bound = new Site({ store: site.store, clock: site.clock, encryption: { keys: [first], bind: 'client' } })
  const browser = bound.browser(firefox, owner.token)
  await browser.send((session) => void session.data.cart.push('milk'))
  expect((await site.record(owner))!.data).toMatch(/^s/)
  const twice = await browser.open()
  await browser.send(async (session) => await session.login('ada'))
  expect((await bound.record(browser))!.data).toMatch(/^c/)
  expect(await browser.send((session) => session.data.cart)).toEqual(['tea', 'milk'])
  // The button pressed twice: the old record has no key that could be handed on, so only the new cookie leads to the data.
  await expect(twice.login('ada')).rejects.toMatchObject({ code: 'ERR_SOJOURN_MOVED' })

  const back = site.browser(firefox, browser.token)
  expect(await back.send((session) => session.data.cart)).toEqual(['tea', 'milk'])
  await back.send(async (session) => await session.login('ada'))
  expect((await site.record(back))!.data).toMatch(/^s/)
  expect(await back.send((session) => session.data.cart)).toEqual(['tea', 'milk'])
})

describe('encryption', () => {
  const refusal = (message: RegExp): unknown =>
    expect.objectContaining({ code: 'ERR_SOJOURN_OPTION', message: expect.stringMatching(message) as unknown })

  test.each<[unknown, RegExp]>([
    [{}, /^encryption\.keys must be a list of at least one key/],
    [{ keys: [] }, /^encryption\.keys must be a list of at least one key/],
    [{ keys: first }, /^encryption\.keys must be a list/],
    [
      { keys: [undefined] },
      /^encryption\.keys\[0\] is missing: it is undefined or empty, as an unset environment variable is; make one with/,
    ],
    [{ keys: [first, ''] }, /^encryption\.keys\[1\] is missing/],
    [{ keys: ['c2hvcnQ'] }, /^encryption\.keys\[0\] has 5 bytes, and must have at least 32/],
    [{ keys: [first], bind: 'both' }, /^encryption\.bind is "both"; it must be 'server' or 'client'/],
    [{ keys: [first], key: second }, /^encryption\.key is no option; there are encryption\.keys, encryption\.bind/],
    [null, /^encryption is null; it must be \{ keys/],
    [first, /^encryption is a string; it must be \{ keys/],
  ])('that can not be is refused at start: %j', (encryption, message) => {
    expect(() => createSessions({ encryption: encryption as never })).toThrow(refusal(message))
    try {
      createSessions({ encryption: encryption as never })
    } catch (error) {
      expect(String(error)).not.toContain(first)
    }
  })

  test('is off without the option, and takes keys as bytes, base64 or hexadecimal alike', async () => {
    const store = memory()
    createSessions({ store, encryption: undefined })
    const bytes = Buffer.from(first, 'hex')
    const site = new Site({ store, encryption: { keys: [first] } })
    const { token } = await site.member()
    for (const key of [bytes, new Uint8Array(bytes), bytes.toString('base64'), bytes.toString('base64url')])
      expect(await new Site({ store, encryption: { keys: [key] } }).browser(firefox, token).visit()).toBe('ada')
  })
})
