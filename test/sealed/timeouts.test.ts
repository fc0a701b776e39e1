import { describe, expect, test } from 'vitest'
import { absolute, days, hours, idle, minutes, site, slice, start } from './site.ts'

describe('the idle timeout', () => {
  test('ends a session that is not used, by the clock of the server alone', async () => {
    const { visitor, clock } = site()
    const ada = visitor()
    await ada.visit((session) => session.login('ada'))
    clock.set(start + idle + slice - 1)
    expect((await ada.open()).userId).toBe('ada')
    clock.set(start + idle + slice)
    const session = await ada.open()
    expect([session.userId, session.isNew, session.id]).toEqual([null, true, null])
  })

  test('is put off by a use, which seals the cookie anew once in a slice', async () => {
    const { visitor, clock } = site()
    const ada = visitor()
    await ada.visit((session) => session.login('ada'))
    clock.advance(slice)
    await ada.user()
    expect(ada.jar.setCookies).toEqual([])
    clock.advance(1)
    await ada.user()
    expect(ada.jar.setCookies).toHaveLength(1)
    const { lastSeenAt, expiresAt, createdAt } = await ada.open()
    expect([createdAt, lastSeenAt, expiresAt]).toEqual([start, clock.now(), clock.now() + idle + slice])

    clock.advance(idle)
    expect((await ada.open()).userId).toBe('ada')
  })

  test('is put off at once by touch', async () => {
    const { visitor, clock } = site()
    const ada = visitor()
    await ada.visit((session) => session.login('ada'))
    clock.advance(1)
    await ada.visit((session) => session.touch())
    expect(ada.jar.setCookies).toHaveLength(1)
    expect((await ada.open()).lastSeenAt).toBe(start + 1)
  })
})

describe('the absolute timeout', () => {
  test('ends a session whatever its use', async () => {
    const { visitor, clock } = site()
    const ada = visitor()
    await ada.visit((session) => session.login('ada'))
    while (clock.now() + 20 * minutes < start + absolute) {
      clock.advance(20 * minutes)
      expect(await ada.user()).toBe('ada')
    }
    clock.set(start + absolute - 1)
    expect((await ada.open()).expiresAt).toBe(start + absolute)
    expect(await ada.user()).toBe('ada')
    clock.set(start + absolute)
    expect(await ada.user()).toBeNull()
  })

  test('begins again with a login', async () => {
    const { visitor, clock } = site()
    const ada = visitor()
    await ada.visit(({ data }) => void data.cart.push('tea'))
    clock.advance(idle)
    await ada.visit((session) => session.login('ada'))
    expect((await ada.open()).createdAt).toBe(start + idle)
  })

  test('holds at once where a release shortens it', async () => {
    const timeouts = { idle: '10h' }
    const { visitor, clock, keys } = site({ timeouts })
    const ada = visitor()
    await ada.visit((session) => session.login('ada'))
    const shorter = ada.copy(site({ clock, keys, timeouts: { ...timeouts, absolute: '1h' } }).sessions)
    clock.set(start + 1 * hours - 1)
    expect((await shorter.open()).userId).toBe('ada')
    clock.set(start + 1 * hours)
    expect((await shorter.open()).userId).toBeNull()
    expect((await ada.open()).userId).toBe('ada')
  })

  test('is not put off where a release lengthens it', async () => {
    const { visitor, clock, keys } = site()
    const ada = visitor()
    await ada.visit((session) => session.login('ada'))
    const longer = ada.copy(site({ clock, keys, timeouts: { absolute: '30d' } }).sessions)
    while (clock.now() < start + absolute - 30 * minutes) {
      clock.advance(30 * minutes)
      expect(await longer.user()).toBe('ada')
    }
    clock.set(start + absolute)
    expect(await longer.user()).toBeNull()
  })
})

describe('a remembered login', () => {
  test('has timeouts of its own', async () => {
    const { visitor, clock } = site()
    const ada = visitor()
    await ada.visit((session) => session.login('ada', { remember: true }))
    clock.advance(14 * days)
    expect(await ada.user()).toBe('ada')
    while (clock.now() + 10 * days < start + 90 * days) {
      clock.advance(10 * days)
      expect(await ada.user()).toBe('ada')
    }
    clock.set(start + 90 * days)
    expect(await ada.user()).toBeNull()
  })

  test('outlives the browser: its cookie has a Max-Age until the absolute timeout, and no other has one', async () => {
    const { visitor, clock } = site()
    const ada = visitor()
    await ada.visit((session) => session.login('ada', { remember: true }))
    expect(ada.jar.setCookies[0]).toContain(`; Max-Age=${(90 * days) / 1000};`)
    clock.advance(1 * days)
    await ada.user()
    expect(ada.jar.setCookies[0]).toContain(`; Max-Age=${(89 * days) / 1000};`)
    await ada.visit((session) => session.login('ada'))
    expect(ada.jar.setCookies[0]).not.toMatch(/Max-Age|Expires/)
  })

  test('ends by the seal, never by the Max-Age: a client that keeps the cookie longer has nothing of it', async () => {
    const { visitor, clock } = site({ timeouts: { remembered: { idle: '1h', absolute: '2h' } } })
    const ada = visitor()
    await ada.visit((session) => session.login('ada', { remember: true }))
    expect(ada.jar.setCookies[0]).toContain('; Max-Age=7200;')
    clock.advance(1 * hours + 6 * minutes)
    expect(await ada.user(), 'idle, long before the Max-Age').toBeNull()
    clock.advance(1000 * days)
    expect(await ada.user()).toBeNull()
  })
})

test.each(['renew', 'grace'])('there is no timeouts.%s', (name) => {
  expect(() => site({ timeouts: { [name]: '1m' } })).toThrow(/is no option; there are timeouts\.idle/)
})
