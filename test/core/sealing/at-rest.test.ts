/** What a stolen store tells, alone, with the server's keys, and with a cookie as well. */
import express from 'express'
import { describe, expect, test } from 'vitest'
import { session } from '../../../src/adapters/express.ts'
import { createSessions } from '../../../src/sessions.ts'
import { memory } from '../../../src/stores/memory.ts'
import { listen } from '../../adapters/server.ts'
import { firefox } from '../browser.ts'
import { grace, renew, Site, slice } from '../site.ts'
import { attack, binds, dump, first, second, stores } from './kit.ts'

const words = ['darjeeling', 'ada.lovelace@example.org', 'Firefox', 'Windows', 'thank you for the order']

async function visit(site: Site): Promise<string[]> {
  const tokens: string[] = []
  const owner = site.browser()
  const keep = (): void => void tokens.push(owner.token!)
  await owner.send((session) => void session.data.cart.push('darjeeling'))
  keep()
  await owner.send(async (session) => await session.login('ada.lovelace@example.org'))
  keep()
  await owner.send((session) => session.flash('info', 'thank you for the order'))
  site.clock.advance(renew)
  await owner.visit()
  keep()
  await owner.send((session) => void session.data.cart.push('darjeeling, once more'))
  return tokens
}

describe.each(stores)('in %s', (_name, open) => {
  test.each(binds)('a session that is bound to the %s shows no word of the visit, no user, no device, no secret', async (bind) => {
    const site = new Site({ store: open(), encryption: { keys: [first], bind } })
    const tokens = await visit(site)
    const text = JSON.stringify(await dump(site.store))
    expect(text.length).toBeGreaterThan(500)
    for (const word of [...words, ...tokens, ...tokens.map((token) => token.slice(16)), first]) expect(text).not.toContain(word)
    await site.sessions.close()

    // The same visit without encryption shows them: the search would find what is there.
    const open2 = new Site({ store: open() })
    await visit(open2)
    const plain = JSON.stringify(await dump(open2.store))
    for (const word of words.filter((word) => word !== 'Windows')) expect(plain).toContain(word)
    await open2.sessions.close()
  })
})

test.each(binds)('nor does one that came by Express, bound to the %s', async (bind) => {
  const store = memory()
  const sessions = createSessions({ store, initial: () => ({ cart: [] as string[] }), encryption: { keys: [first], bind } })
  const app = express()
  app.use(session(sessions))
  app.post('/', async (req, res) => {
    sessions.of(req).data.cart.push('darjeeling')
    await sessions.of(req).login('ada.lovelace@example.org')
    res.json({})
  })
  app.get('/', (req, res) => void res.json([sessions.of(req).userId, sessions.of(req).data.cart]))
  const { url } = await listen(app)
  const answer = await fetch(url, { method: 'POST', headers: { 'user-agent': firefox.agent } })
  const cookie = answer.headers.getSetCookie()[0]!.split(';')[0]!
  expect(await (await fetch(url, { headers: { cookie } })).json()).toEqual(['ada.lovelace@example.org', ['darjeeling']])
  const text = JSON.stringify(await dump(store))
  for (const word of [...words, cookie.slice(4), cookie.slice(20)]) expect(text).not.toContain(word)
})

describe("with the store and all of the server's keys", () => {
  const reads = (opened: string[]): boolean => opened.some((text) => text.includes('darjeeling'))

  test("the data of a session that is bound to the server can be read: that is what 'client' is for", async () => {
    const site = new Site({ encryption: { keys: [first], bind: 'server' } })
    await site.visitor()
    await visit(site)
    expect(reads(attack(await dump(site.store), [first]))).toBe(true)
  })

  test('those of one that is bound to its client can not, and with its cookie they can', async () => {
    const site = new Site({ encryption: { keys: [first, second], bind: 'client' } })
    const tokens = await visit(site)
    const stolen = await dump(site.store)
    const opened = attack(stolen, [first, second])
    // The attack is a real one: it opens what the server's keys alone seal.
    expect(opened.join()).toContain('ada.lovelace@example.org')
    expect(reads(opened)).toBe(false)
    expect(reads(attack(stolen, [first, second], [tokens.at(-1)!.slice(16)]))).toBe(true)
    expect(reads(attack(stolen, [third()], [tokens.at(-1)!.slice(16)]))).toBe(false)
  })

  const third = (): string => 'ffeeddccbbaa99887766554433221100'.repeat(2)

  test('nor by the cookie of before a login, once its tombstone is gone; while that is there, by it', async () => {
    const site = new Site({ encryption: { keys: [first], bind: 'client' } })
    const owner = await site.visitor()
    const old = owner.token!.slice(16)
    await owner.send((session) => void session.data.cart.push('darjeeling'))
    await owner.send(async (session) => await session.login('ada'))
    expect(reads(attack(await dump(site.store), [first], [old]))).toBe(true)
    expect(reads(attack(await dump(site.store), [first]))).toBe(false)
    site.clock.advance(grace)
    await site.sessions.sweep()
    expect(reads(attack(await dump(site.store), [first], [old]))).toBe(false)
    expect(reads(attack(await dump(site.store), [first], [owner.token!.slice(16)]))).toBe(true)
  })

  test('nor by a cookie that was replaced, from the first write after its grace on', async () => {
    const site = new Site({ encryption: { keys: [first], bind: 'client' } })
    const owner = await site.visitor()
    await owner.send((session) => void session.data.cart.push('darjeeling'))
    const old = owner.token!.slice(16)
    site.clock.advance(renew)
    await owner.visit()
    await owner.visit()
    expect(owner.token!.slice(16)).not.toBe(old)
    site.clock.advance(grace)
    await owner.send((session) => void session.data.visits++)
    expect(reads(attack(await dump(site.store), [first], [old]))).toBe(true)
    site.clock.advance(1)
    await owner.send((session) => void session.data.visits++)
    expect(reads(attack(await dump(site.store), [first], [old]))).toBe(false)
    expect(reads(attack(await dump(site.store), [first], [owner.token!.slice(16)]))).toBe(true)
  })

  test('a login makes a new key: who has the cookie of before reads nothing that was written after, by the data key of before', async () => {
    const site = new Site({ encryption: { keys: [first], bind: 'client' } })
    const owner = await site.visitor()
    const before = await dump(site.store)
    const old = owner.token!.slice(16)
    await owner.send(async (session) => await session.login('ada'))
    site.clock.advance(grace)
    await site.sessions.sweep()
    await owner.send((session) => void session.data.cart.push('darjeeling'))
    expect(reads(attack([...before, ...(await dump(site.store))], [first], [old]))).toBe(false)
  })
})

test('a renewal wraps the key anew and leaves the data as they are', async () => {
  const site = new Site({ encryption: { keys: [first], bind: 'client' } })
  const owner = await site.visitor()
  const { data, head } = (await site.record(owner))!
  site.clock.advance(renew)
  await owner.visit()
  const renewed = (await site.record(owner))!
  expect(renewed.data).toBe(data)
  expect(renewed.head.length).toBeGreaterThan(head.length)
  site.clock.advance(slice)
  expect(await owner.send((session) => session.data.cart)).toEqual(['tea'])
})
