import { describe, expect, test } from 'vitest'
import type { Maybe, SessionRecord } from '../../src/core/store.ts'
import { formatToken, hashSecret, mintId, mintKey, mintSecret } from '../../src/core/token.ts'
import { memory } from '../../src/stores/memory.ts'
import { collect } from '../../src/testing/store-cases/rule.ts'
import { type Browser, firefox } from './browser.ts'
import { type Data, idle, renew, Site, slice } from './site.ts'
import { Counted, StoreOver } from './store-over.ts'

describe('nothing that a client sends becomes an ID:', () => {
  const begin = async () => {
    const store = new Counted(memory())
    const site = new Site({ store })
    return { store, site, owner: await site.member() }
  }

  async function openWith(site: Site, cookie: string) {
    const session = await site.sessions.open({ headers: { cookie, 'user-agent': firefox.agent }, socket: {} })
    expect([session.isNew, session.id, session.userId, session.expiresAt]).toEqual([true, null, null, null])
    return session
  }

  test('a malformed token never reaches the store, and is a normal new visitor', async () => {
    const { store, site, owner } = await begin()
    const token = owner.token!
    const { get } = store.calls
    const malformed = [
      '',
      token.slice(0, 47),
      `${token}A`,
      `"${token}"`,
      `${token.slice(0, 16)} ${token.slice(16)}`,
      `${token.slice(0, 16)}.${token.slice(17)}`,
      '__proto__',
      '../../../etc/passwd/'.repeat(3).slice(0, 48),
      '%00'.repeat(16),
      `${token.slice(0, 47)}ü`,
      `${token.slice(0, 47)}\0`,
      'A'.repeat(100_000),
    ]
    for (const value of malformed) {
      const session = await openWith(site, `sid=${value}`)
      expect((await session.commit()).getSetCookie()).toEqual([])
    }
    for (const cookie of ['', ';', 'sid', '=', 'sid=;', `SID=${token}`, `x-sid=${token}`, `__Host-sid=${token}`])
      await openWith(site, cookie)
    expect(store.calls.get).toBe(get)
    expect(await owner.visit()).toBe('ada')
  })

  test('what the store is asked for is an ID alone: no part of a secret, right or wrong, is a key anywhere', async () => {
    const keys: string[] = []
    class Asked extends StoreOver {
      override get(id: string): Maybe<SessionRecord | null> {
        keys.push(id)
        return super.get(id)
      }
    }
    const site = new Site({ store: new Asked(memory()) })
    const owner = await site.member()
    const wrong = formatToken(owner.id!, mintSecret(mintKey()))
    const unknown = formatToken(mintId(), owner.token!.slice(16))
    for (const token of [owner.token!, wrong, unknown]) await site.browser(firefox, token).visit()
    expect(keys).toEqual([owner.id, owner.id, unknown.slice(0, 16)])
  })

  test('a doubled cookie is no cookie', async () => {
    const { store, site, owner } = await begin()
    const planted = (await site.member('mallory')).token
    const { get } = store.calls
    for (const cookie of [
      `sid=${owner.token}; sid=${planted}`,
      `sid=${planted}; a=b; sid=${owner.token}`,
      `sid=${owner.token}; sid=${owner.token}`,
      `sid=; sid=${owner.token}`,
    ]) {
      await openWith(site, cookie)
    }
    expect(store.calls.get).toBe(get)
  })

  test.each([
    ['unknown', async (site: Site) => site.browser(firefox, formatToken(mintId(), mintSecret(mintKey())))],
    [
      'expired',
      async (site: Site, owner: Browser<Data>) => {
        site.clock.advance(idle + slice)
        return owner
      },
    ],
    ['guessed', async (site: Site, owner: Browser<Data>) => site.browser(firefox, formatToken(owner.id!, mintSecret(mintKey())))],
    [
      'ended',
      async (site: Site, owner: Browser<Data>) => {
        await site.sessions.end(owner.id!)
        return owner
      },
    ],
  ])('a token that is %s is answered with another one at the first write', async (_, bring) => {
    const { site, owner } = await begin()
    const browser = await bring(site, owner)
    const { id, token } = browser
    expect(await browser.send((session) => [session.isNew, session.id, session.userId])).toEqual([true, null, null])
    expect(browser.setCookie).toBeNull()
    await browser.send((session) => void session.data.cart.push('tea'))
    expect(browser.setCookie).not.toBeNull()
    expect(browser.id).not.toBe(id)
    expect(browser.token!.slice(16)).not.toBe(token!.slice(16))
    for (const record of await collect(site.store.list())) if (record.data.includes('tea')) expect(record.id).not.toBe(id)
  })
})

test('the store keeps neither token nor secret, in no state of a session', async () => {
  const store = memory()
  const site = new Site({ store })
  const owner = await site.member()
  const secrets = new Set<string>()
  const check = async (): Promise<void> => {
    secrets.add(owner.token!.slice(16))
    for (const record of await collect(store.list())) {
      const text = JSON.stringify(record)
      for (const secret of secrets) {
        for (const part of [
          secret,
          secret.slice(0, 16),
          secret.slice(16),
          Buffer.from(secret, 'base64url').toString('hex'),
          Buffer.from(secret).toString('base64'),
        ])
          expect(text).not.toContain(part)
      }
    }
  }
  for (let i = 0; i < 4; i++) {
    await check()
    expect((await site.record(owner))!.head).toContain(hashSecret(owner.token!.slice(16)))
    site.clock.advance(renew)
    await owner.visit()
    await check()
    await owner.visit()
  }
  await owner.send(async (session) => await session.login('alan'))
  await check()
  const copy = site.browser(firefox, owner.token)
  await copy.send(async (session) => await session.logout())
  await check()
  expect(secrets.size).toBe(6)
})
