import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { isCsrfToken, makeCsrfToken } from '../../src/core/csrf-token.ts'
import { mintKey } from '../../src/core/token.ts'
import { memory } from '../../src/stores/memory.ts'
import type { Browser } from './browser.ts'
import { hours, idle, minutes, renew, Site, slice } from './site.ts'
import type { Data } from './site.ts'

const tokenOf = (browser: Browser<Data>) => browser.send((session) => session.csrfToken())

/** Whether a request of this browser gets past the check with this token. */
const passes = (browser: Browser<Data>, token: unknown) =>
  browser.send((session) => {
    try {
      session.checkCsrfToken(token)
      return true
    } catch (error) {
      expect(error).toMatchObject({ code: 'ERR_SOJOURN_CSRF_TOKEN', status: 403 })
      return false
    }
  })

/** A site that counts the writes of its store. */
function watched() {
  const store = memory()
  const { put, touch } = store
  const writes = { count: 0 }
  store.put = (record, expected) => (writes.count++, put.call(store, record, expected))
  store.touch = (batch) => ((writes.count += batch.length), touch.call(store, batch))
  return { site: new Site({ store }), writes }
}

describe('a CSRF token', () => {
  test('is good for its session, as often as it is shown, and so is another one', async () => {
    const owner = await new Site().member()
    const [one, other] = [await tokenOf(owner), await tokenOf(owner)]
    expect(one).toMatch(/^[\w-]{64}$/)
    expect(other).not.toBe(one)
    for (const token of [one, other, one]) expect(await passes(owner, token)).toBe(true)
  })

  test('is good for no other session: of another user, of the same, or of none', async () => {
    const site = new Site()
    const [owner, elsewhere, other] = [await site.member('ada'), await site.member('ada'), await site.member('alan')]
    const token = await tokenOf(owner)
    expect(await passes(elsewhere, token)).toBe(false)
    expect(await passes(other, token)).toBe(false)
    expect(await passes(await site.visitor(), token)).toBe(false)
    expect(await passes(site.browser(), token)).toBe(false)
    expect(await passes(site.browser(undefined, 'a'.repeat(48)), token)).toBe(false)
  })

  test('is new at login, also of the same user; the one from before is good no longer', async () => {
    const visitor = await new Site().visitor()
    const before = await tokenOf(visitor)
    expect(await passes(visitor, before)).toBe(true)
    await visitor.send((session) => session.login('ada'))
    expect(await passes(visitor, before)).toBe(false)
    const between = await tokenOf(visitor)
    await visitor.send((session) => session.login('ada'))
    expect(await passes(visitor, between)).toBe(false)
  })

  test('taken in the request of a login is the new session’s when it is taken after', async () => {
    for (const isNew of [true, false]) {
      const site = new Site()
      const visitor = isNew ? site.browser() : await site.visitor()
      const [before, after] = await visitor.send(async (session) => {
        const before = session.csrfToken()
        await session.login('ada')
        return [before, session.csrfToken()]
      })
      expect([await passes(visitor, before), await passes(visitor, after)]).toEqual([false, true])
    }
  })

  test('outlives the timed renewal of the secret, so that a form may stay open', async () => {
    const site = new Site()
    const owner = await site.member()
    const token = await tokenOf(owner)
    const first = owner.token
    for (let i = 0; i < 8; i++) {
      site.clock.advance(renew)
      await owner.visit()
      await owner.visit()
    }
    expect(owner.token).not.toBe(first)
    expect(await passes(owner, token)).toBe(true)
  })

  test('ends with the session: by logout, by expiry', async () => {
    const site = new Site()
    const [one, other] = [await site.member(), await site.member()]
    const [mine, theirs] = [await tokenOf(one), await tokenOf(other)]
    await one.send((session) => session.logout())
    expect(await passes(one, mine)).toBe(false)
    site.clock.advance(idle + slice)
    expect(await passes(other, theirs)).toBe(false)
  })

  test('costs a stored session no write, neither to make nor to check', async () => {
    const { site, writes } = watched()
    for (const browser of [await site.member(), await site.visitor()]) {
      const before = writes.count
      expect(await passes(browser, await tokenOf(browser))).toBe(true)
      expect(writes.count).toBe(before)
    }
  })

  test('has a new visitor’s session stored with the answer: one write, and the token is good from then on', async () => {
    const { site, writes } = watched()
    const visitor = site.browser()
    const token = await tokenOf(visitor)
    expect([writes.count, visitor.setCookie?.slice(0, 4)]).toEqual([1, 'sid='])
    expect(await passes(visitor, token)).toBe(true)
    expect(site.told('created')).toHaveLength(1)
    expect(await visitor.send(({ isNew, data }) => [isNew, data])).toEqual([false, { visits: 0, cart: [] }])
  })

  test('and changed data of a new visitor are one write together', async () => {
    const { site, writes } = watched()
    const visitor = site.browser()
    const tokens = await visitor.send(async (session) => {
      const first = session.csrfToken()
      session.data.cart.push('tea')
      await session.save()
      return [first, session.csrfToken()]
    })
    expect(writes.count).toBe(1)
    for (const token of tokens) expect(await passes(visitor, token)).toBe(true)
    expect(await visitor.send(({ data }) => data.cart)).toEqual(['tea'])
  })

  test('checking one stores nothing for a new visitor', async () => {
    const { site, writes } = watched()
    const visitor = site.browser()
    expect([await passes(visitor, 'a'.repeat(64)), writes.count, visitor.setCookie]).toEqual([false, 0, null])
  })

  test('of an answer whose session could not be stored is never sent: the commit fails', async () => {
    const store = memory()
    const session = await new Site({ store }).browser().open()
    session.csrfToken()
    store.put = () => {
      throw new Error('the disk is full')
    }
    await expect(session.commit()).rejects.toMatchObject({ code: 'ERR_SOJOURN_STORE' })
  })

  test('taken by a new visitor after the answer went out is told of, unless it is saved', async () => {
    const site = new Site()
    const [forgetful, careful] = [await site.browser().open(), await site.browser().open()]
    await Promise.all([forgetful.commit(), careful.commit()])
    forgetful.csrfToken()
    careful.csrfToken()
    await careful.save()
    await site.sessions.close()
    expect(site.errors).toEqual(['ERR_SOJOURN_LATE_CHANGE'])
  })

  test('is not to be had where no session could be stored, and why is said', async () => {
    const site = new Site()
    const owner = await site.member()
    const late = site.browser(undefined, owner.token)
    const [mine, slow] = [await owner.open(), await owner.open()]
    await mine.logout()
    expect(() => slow.csrfToken()).not.toThrow()
    slow.data.visits++
    await expect(slow.save()).rejects.toMatchObject({ code: 'ERR_SOJOURN_ENDED' })
    expect(() => slow.csrfToken()).toThrow(expect.objectContaining({ code: 'ERR_SOJOURN_ENDED' }))
    const moved = await late.open()
    expect(() => moved.csrfToken()).toThrow(expect.objectContaining({ code: 'ERR_SOJOURN_MOVED' }))

    const store = memory()
    const away = new Site({ store, onStoreError: 'anonymous' })
    const visitor = await away.visitor()
    store.get = () => {
      throw new Error('the network is gone')
    }
    const offline = await visitor.open()
    expect(() => offline.csrfToken()).toThrow(expect.objectContaining({ code: 'ERR_SOJOURN_STORE' }))
  })

  test('makes the answer one that no shared cache may keep', async () => {
    const site = new Site()
    const owner = await site.member()
    site.clock.advance(minutes)
    const session = await owner.open()
    session.csrfToken()
    expect((await session.commit()).get('cache-control')).toBe('private')
  })
})

describe('what is no token', () => {
  const junk = [undefined, null, '', 'a', 'a'.repeat(63), 'a'.repeat(64), 'a'.repeat(65), 'é'.repeat(64), 7, true, {}, [], ['a'.repeat(64)]]
  test.each(junk)('%j is refused, by a session and without one', async (token) => {
    const site = new Site()
    expect([await passes(await site.member(), token), await passes(site.browser(), token)]).toEqual([false, false])
  })

  test('a list of one good token is none, whatever a body parser makes of a doubled field', async () => {
    const owner = await new Site().member()
    const token = await tokenOf(owner)
    expect(await passes(owner, [token])).toBe(false)
    expect(await passes(owner, { toString: () => token })).toBe(false)
  })

  test('a token with any one character changed, cut or doubled is refused', () => {
    const key = mintKey()
    const token = makeCsrfToken(key)
    for (let i = 0; i < 64; i++) {
      const changed = token.slice(0, i) + (token[i] === 'A' ? 'B' : 'A') + token.slice(i + 1)
      expect([i, isCsrfToken(key, changed)]).toEqual([i, false])
      expect(isCsrfToken(key, token.slice(0, i))).toBe(false)
    }
    expect(isCsrfToken(key, token + token)).toBe(false)
    expect(isCsrfToken(key, `${token.slice(0, 63)}=`)).toBe(false)
  })

  test('no text but a made one passes, under any key', () => {
    const key = mintKey()
    const made = makeCsrfToken(key)
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.base64String(), fc.stringMatching(/^[\w-]{64}$/)), (text) => {
        expect(isCsrfToken(key, text)).toBe(false)
        expect(isCsrfToken(text, made)).toBe(false)
      }),
      { numRuns: 2000 },
    )
  })

  test('masks differ, and what is under them does not show', () => {
    const key = mintKey()
    const tokens = Array.from({ length: 500 }, () => makeCsrfToken(key))
    expect(new Set(tokens).size).toBe(500)
    // At each place there are many characters: nothing of the proof stands still for a page's compression to find.
    for (let i = 0; i < 64; i++) expect(new Set(tokens.map((token) => token[i])).size).toBeGreaterThan(32)
    expect(tokens.every((token) => isCsrfToken(key, token))).toBe(true)
  })
})

test('a token says nothing of what the session’s own token is made of', async () => {
  const owner = await new Site({ timeouts: { absolute: 20 * hours } }).member()
  const token = await tokenOf(owner)
  const bytes = Buffer.from(token, 'base64url')
  const proof = Buffer.from(Array.from({ length: 24 }, (_, i) => bytes[i]! ^ bytes[24 + i]!)).toString('base64url')
  expect([owner.token!.includes(proof.slice(0, 8)), proof.includes(owner.token!.slice(16, 24))]).toEqual([false, false])
})
