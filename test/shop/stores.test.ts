import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { describe, expect, it } from 'vitest'
import { shared, suiteRan, type SharedService } from '../services/service.ts'
import { shopThatEnds, startShop, temporaryFolder, type ShopEnvironment } from './server.ts'
import { errorCode, read, Visitor, type SessionAnswer } from './visitor.ts'

const withPrefix = ({ url, name }: SharedService) => `${url}?prefix=${name}:`

const stores: readonly (readonly [kind: string, url: () => Promise<string>])[] = [
  ['sqlite', async () => `sqlite:${join(temporaryFolder(), 'sessions.db')}`],
  ['mysql', async () => (await shared('mysql')).url],
  ['postgres', async () => (await shared('postgres')).url],
  ['mongodb-races', async () => (await shared('mongodb-races')).url],
  ['redis', async () => withPrefix(await shared('redis'))],
  ['redis-cluster', async () => withPrefix(await shared('redis-cluster'))],
]

const skus = ['weekender', 'lantern', 'blanket', 'mug', 'journal', 'flask', 'clock', 'tent']

for (const [kind, open] of stores) {
  describeVisit(kind, await open())
  describeRaces(`${kind}, one process`, { SESSION_STORE: await open() })
  // What nobody has opened yet: four make its schema at once.
  describeRaces(`${kind}, four processes`, { SESSION_STORE: await open(), WORKERS: '4' })
}
describeVisit('mongodb', (await shared('mongodb')).url)

it('tells nobody the password of its store', async () => {
  const url = (await shared('postgres')).url.replace('postgres@', 'postgres:s3cr3t@')
  const exit = await (await startShop({ SESSION_STORE: `${url}?application_name=s3cr3t` })).end('SIGTERM')
  expect(exit.stdout).toMatch(/\(sessions: postgres:\/\/[\w.:/-]+\)\n$/)
  for (const gone of ['redis', 'redis+cluster', 'mysql', 'postgres', 'mongodb']) {
    const { code, stdout, stderr } = await shopThatEnds({
      SESSION_STORE: `${gone}://ada:s3cr3t@127.0.0.1:1/shop`.replace(/(cluster.*)\/shop/, '$1'),
    })
    expect([code, stdout]).toEqual([1, ''])
    expect(stderr).toMatch(/^Sojourn shop cannot start: .+\n$/)
    expect(stderr).not.toContain('s3cr3t')
  }
})

function describeRaces(name: string, environment: ShopEnvironment): void {
  describe(`at once, on ${name}`, () => {
    it(
      'lands fifty parallel adds, of one thing and of different ones, and overtaken requests change nothing',
      { timeout: 60_000 },
      async () => {
        const shop = await startShop(environment)
        const fill = async (visitor: Visitor, body: (index: number) => object) =>
          await Promise.all(Array.from({ length: 50 }, async (_entry, index) => (await visitor.post('/api/cart', body(index))).status))

        const one = new Visitor(shop.url)
        await one.post('/api/cart', { sku: 'mug' })
        expect(await fill(one, () => ({ sku: 'mug', delayMs: 200 }))).toEqual(Array(50).fill(200))
        expect((await one.session()).cart).toEqual([{ sku: 'mug', qty: 51 }])

        const other = new Visitor(shop.url)
        await other.post('/api/cart', { sku: 'mug' })
        expect(await fill(other, (index) => ({ sku: skus[index % 8], qty: 2, delayMs: index * 5 }))).toEqual(Array(50).fill(200))
        const qtys = Object.fromEntries((await other.session()).cart.map(({ sku, qty }) => [sku, qty]))
        expect(qtys).toEqual({ weekender: 14, lantern: 14, blanket: 12, mug: 13, journal: 12, flask: 12, clock: 12, tent: 12 })

        await other.logIn()
        const late = other.copy()
        const slow = late.post('/api/cart', { sku: 'tent', delayMs: 1500 })
        await delay(250)
        expect((await other.post('/api/logout')).status).toBe(204)
        const answer = await slow
        expect(answer.status).toBe(409)
        expect(errorCode(answer)).toMatch(/^ERR_SOJOURN_/)
        expect(await late.session()).toMatchObject({ id: null, userId: null, cart: [] })
        expect(await shop.end('SIGTERM')).toMatchObject({ code: 0, signal: null, stderr: '' })
      },
    )
  })
}

function describeVisit(kind: string, url: string): void {
  describe(`${kind}, a visit`, () => {
    it('outlives restarts and a kill -9, and its sessions can be seen and ended', { timeout: 60_000 }, async () => {
      let shop = await startShop({ SESSION_STORE: url })
      const here = new Visitor(shop.url)
      const added = read<SessionAnswer>(await here.post('/api/cart', { sku: 'mug', qty: 2 }))
      expect((await here.submit('/preferences', { theme: 'dark' })).status).toBe(303)
      const old = here.copy()
      expect((await here.logIn()).status).toBe(200)
      const before = await here.session()
      expect(before).toMatchObject({ userId: 'ada', cart: [{ sku: 'mug', qty: 2 }], preferences: { theme: 'dark' } })
      expect(before.id).not.toBe(added.id)

      const there = new Visitor(shop.url)
      const stranger = new Visitor(shop.url)
      await there.logIn()
      await stranger.logIn('alan', 'enigma')
      const visitors = [here, there, stranger, old]
      for (const signal of ['SIGTERM', 'SIGKILL'] as const) {
        const exit = await shop.end(signal)
        if (signal === 'SIGTERM') {
          expect(exit).toMatchObject({ code: 0, signal: null, stderr: '' })
          expect(exit.stdout).toMatch(/^Sojourn shop on http:\/\/127\.0\.0\.1:\d+ \(sessions: .+\)\n$/)
        }
        shop = await startShop({ SESSION_STORE: url })
        for (const visitor of visitors) visitor.url = shop.url
        const { id, userId, cart } = await here.session()
        expect({ id, userId, cart }).toEqual({ id: before.id, userId: 'ada', cart: before.cart })
      }
      expect((await old.session()).userId).toBeNull()

      const list = await here.activeSessions()
      expect(list.filter(({ current }) => current).map(({ id }) => id)).toEqual([before.id])
      const second = list.find(({ current }) => !current)?.id ?? ''
      expect(list).toHaveLength(2)
      expect(second).toBe((await there.session()).id)
      expect((await stranger.send('DELETE', `/api/account/sessions/${second}`)).status).toBe(404)
      expect((await here.send('DELETE', `/api/account/sessions/${second}`)).status).toBe(204)
      expect(await there.session()).toMatchObject({ id: null, userId: null })
      await there.logIn()
      expect((await here.send('DELETE', '/api/account/sessions')).status).toBe(204)
      expect((await there.session()).userId).toBeNull()
      expect((await stranger.session()).userId).toBe('alan')

      const stolen = here.copy()
      expect((await here.post('/api/logout')).status).toBe(204)
      await stranger.post('/api/logout')
      expect(await stolen.session()).toMatchObject({ id: null, userId: null, cart: [] })
      expect((await shop.end('SIGTERM')).code).toBe(0)
      await suiteRan('shop', kind)
    })
  })
}
