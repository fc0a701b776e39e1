import { describe, expect, test } from 'vitest'
import { SojournError } from '../../src/core/errors.ts'
import type { Session } from '../../src/core/session.ts'
import { cookieFor } from '../../src/testing/cookie-for.ts'
import { type Data, hours, minutes, Site } from './site.ts'

/** The message of the refusal; null where the step passes. */
const refusal =
  (within: number | string, assurance?: number) =>
  (session: Session<Data>): string | null => {
    try {
      session.requireRecentLogin(within, { assurance })
      return null
    } catch (error) {
      if (!(error instanceof SojournError) || error.code !== 'ERR_SOJOURN_LOGIN_REQUIRED') throw error
      expect(error.status).toBe(401)
      return error.message
    }
  }

describe('a recent login', () => {
  test('is one that is no older than was said, whatever was done since', async () => {
    const site = new Site()
    const owner = await site.member()
    const loggedInAt = site.clock.now()
    for (let i = 0; i < 10; i++) {
      expect(await owner.send(refusal('10m'))).toBeNull()
      site.clock.advance(minutes)
      await owner.send((session) => void session.data.visits++)
    }
    expect(await owner.send(refusal('10m'))).toBeNull()
    site.clock.advance(1)
    expect(await owner.send(refusal('10m'))).toBe(
      'This step was refused: it needs a login within the last 10m, and the last one is older; log in again.',
    )
    expect(await owner.send(refusal(10 * minutes))).toContain('within the last 600000 ms')
    expect(await owner.send(refusal('11m'))).toBeNull()
    expect(await owner.send((session) => session.lastLoginAt)).toBe(loggedInAt)
  })

  test('is had at once by logging in again, under a new ID', async () => {
    const site = new Site()
    const owner = await site.member()
    site.clock.advance(20 * minutes)
    const before = owner.id
    await owner.send(async (session) => {
      expect(refusal('10m')(session)).not.toBeNull()
      await session.login('ada')
      expect(refusal('10m')(session)).toBeNull()
      expect(session.lastLoginAt).toBe(site.clock.now())
    })
    expect(owner.id).not.toBe(before)
    expect(await owner.send(refusal('10m'))).toBeNull()
  })

  test('is none of an anonymous visitor, stored or not, nor after a logout', async () => {
    const site = new Site()
    const anonymous = 'This step was refused: nobody is logged in; log in.'
    expect(await site.browser().send(refusal('12h'))).toBe(anonymous)
    expect(await (await site.visitor()).send(refusal('12h'))).toBe(anonymous)
    expect(await (await site.visitor()).send(({ lastLoginAt, assurance }) => [lastLoginAt, assurance])).toEqual([null, 0])
    const owner = await site.member()
    await owner.send(async (session) => {
      await session.logout()
      expect(refusal('12h')(session)).toBe(anonymous)
      expect([session.lastLoginAt, session.assurance]).toEqual([null, 0])
    })
  })

  test('is none in a request that shows the token of before the login', async () => {
    const site = new Site()
    const owner = await site.member()
    const slow = site.browser(undefined, owner.token)
    await owner.send(async (session) => await session.login('ada'))
    expect(await slow.send(refusal('12h'))).not.toBeNull()
  })

  test('is remembered as long as the login is', async () => {
    const site = new Site()
    const owner = await site.member('ada', { remember: true })
    site.clock.advance(100 * hours)
    expect(await owner.send(refusal('99h'))).not.toBeNull()
    expect(await owner.send(refusal('101h'))).toBeNull()
  })

  test('makes the answer private', async () => {
    const session = await (await new Site().member()).open()
    session.requireRecentLogin('10m')
    expect((await session.commit()).get('cache-control')).toBe('private')
  })

  test.each(['soon', '', 0, Number.NaN])('is not asked for within %j', async (within) => {
    const owner = await new Site().member()
    await expect(owner.send((session) => session.requireRecentLogin(within))).rejects.toMatchObject({ code: 'ERR_SOJOURN_OPTION' })
  })
})

describe('assurance', () => {
  test('is what the last login said, 1 if it said nothing', async () => {
    const site = new Site()
    const owner = await site.member()
    const assurance = (): Promise<number> => owner.send((session) => session.assurance)
    expect(await assurance()).toBe(1)
    await owner.send(async (session) => await session.login('ada', { assurance: 2 }))
    expect(await assurance()).toBe(2)
    await owner.send((session) => void session.data.visits++)
    site.clock.advance(20 * minutes)
    await owner.visit()
    await owner.visit()
    expect(site.told('renewed')).toHaveLength(1)
    expect(await assurance()).toBe(2)
    await owner.send(async (session) => await session.login('ada'))
    expect(await assurance()).toBe(1)
  })

  test('that is too low asks for another factor, however recent the login was', async () => {
    const owner = await new Site().member()
    expect(await owner.send(refusal('1m'))).toBeNull()
    expect(await owner.send(refusal('1m', 2))).toBe(
      'This step was refused: it needs a login of assurance 2, and the last one had 1; log in again with another factor.',
    )
    await owner.send(async (session) => await session.login('ada', { assurance: 3 }))
    expect(await owner.send(refusal('1m', 2))).toBeNull()
  })

  test.each([0, 10, 1.5, -1, Number.NaN, '2'])('%j is none, and nobody is logged in by it', async (assurance) => {
    const site = new Site()
    const browser = site.browser()
    await expect(browser.send((session) => session.login('ada', { assurance: assurance as number }))).rejects.toMatchObject({
      code: 'ERR_SOJOURN_OPTION',
    })
    await expect(browser.send((session) => session.requireRecentLogin('1m', { assurance: assurance as number }))).rejects.toMatchObject({
      code: 'ERR_SOJOURN_OPTION',
    })
    expect(site.told('loggedIn')).toEqual([])
  })

  test('is had without the login form in tests', async () => {
    const { sessions } = new Site()
    const cookie = await cookieFor(sessions, { userId: 'ada', assurance: 2 })
    const session = await sessions.open(new Headers({ cookie }))
    expect(session.assurance).toBe(2)
    session.requireRecentLogin('1m', { assurance: 2 })
  })
})
