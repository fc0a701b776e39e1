import { describe, expect, test } from 'vitest'
import { createSessions } from '../../src/sessions.ts'
import { cookie, type CookieOptions } from '../../src/transports/cookie.ts'
import { requestOf } from './request-of.ts'

const token = 'a'.repeat(48)

const over = {
  http: requestOf({ secure: false }),
  https: requestOf({ secure: true }),
}

describe('what the browser gets', () => {
  const rows: { options: CookieOptions; http: string; https: string }[] = [
    { options: {}, http: 'sid=#; Path=/; HttpOnly; SameSite=Lax', https: '__Host-sid=#; Path=/; HttpOnly; SameSite=Lax; Secure' },
    {
      options: { name: 'shop' },
      http: 'shop=#; Path=/; HttpOnly; SameSite=Lax',
      https: '__Host-shop=#; Path=/; HttpOnly; SameSite=Lax; Secure',
    },
    {
      options: { sameSite: 'strict' },
      http: 'sid=#; Path=/; HttpOnly; SameSite=Strict',
      https: '__Host-sid=#; Path=/; HttpOnly; SameSite=Strict; Secure',
    },
    {
      options: { path: '/' },
      http: 'sid=#; Path=/; HttpOnly; SameSite=Lax',
      https: '__Host-sid=#; Path=/; HttpOnly; SameSite=Lax; Secure',
    },
    {
      options: { path: '/shop' },
      http: 'sid=#; Path=/shop; HttpOnly; SameSite=Lax',
      https: '__Secure-sid=#; Path=/shop; HttpOnly; SameSite=Lax; Secure',
    },
    {
      options: { domain: 'example.com' },
      http: 'sid=#; Domain=example.com; Path=/; HttpOnly; SameSite=Lax',
      https: '__Secure-sid=#; Domain=example.com; Path=/; HttpOnly; SameSite=Lax; Secure',
    },
    {
      options: { secure: true },
      http: '__Host-sid=#; Path=/; HttpOnly; SameSite=Lax; Secure',
      https: '__Host-sid=#; Path=/; HttpOnly; SameSite=Lax; Secure',
    },
    {
      options: { secure: true, sameSite: 'none', partitioned: true },
      http: '__Host-sid=#; Path=/; HttpOnly; SameSite=None; Secure; Partitioned',
      https: '__Host-sid=#; Path=/; HttpOnly; SameSite=None; Secure; Partitioned',
    },
  ]

  describe.each(rows)('with $options', ({ options, ...expected }) => {
    test.each(['http', 'https'] as const)('over %s', (scheme) => {
      const transport = cookie(options)
      const filled = (value: string) => ['Set-Cookie', expected[scheme].replace('#', value)]

      expect(transport.issue(over[scheme], token, null)).toEqual(filled(token))
      expect(transport.issue(over[scheme], token, 90_000)).toEqual(filled(`${token}; Max-Age=90`))
      expect(transport.clear(over[scheme])).toEqual(filled('; Max-Age=0'))
    })

    test.each(['http', 'https'] as const)('over %s what was set is read again, and what the other sets is not', (scheme) => {
      const transport = cookie(options)
      const [, value] = transport.issue(over[scheme], token, null)
      const pair = value.slice(0, value.indexOf(';'))
      const other = pair.startsWith('__') ? pair.replace(/^__\w+-/, '') : `__Host-${pair}`

      expect(transport.read(requestOf({ secure: scheme === 'https', headers: { cookie: pair } }))).toBe(token)
      expect(transport.read(requestOf({ secure: scheme === 'https', headers: { cookie: other } }))).toBeNull()
    })
  })

  test.each([
    [1, 1],
    [999, 1],
    [1999, 1],
    [400 * 86_400_000, 34_560_000],
    [400 * 86_400_000 + 1000, 34_560_000],
    [Number.MAX_SAFE_INTEGER, 34_560_000],
  ])('%i ms become a Max-Age of %i s: at least one, at most 400 days', (ms, seconds) => {
    expect(cookie().issue(over.https, token, ms)[1]).toContain(`; Max-Age=${seconds};`)
  })

  test('a remembered login beyond 400 days is asked for with 400', async () => {
    const sessions = createSessions({ timeouts: { remembered: { idle: '1000d', absolute: '4000d' } } })
    const session = await sessions.open(new Request('https://localhost/'))
    await session.login('ada', { remember: true })

    expect((await session.commit()).getSetCookie()).toEqual([expect.stringContaining('; Max-Age=34560000;')])
    await sessions.close()
  })

  test('without remember there is no Max-Age: the browser forgets it when it ends', async () => {
    const sessions = createSessions()
    const session = await sessions.open(new Request('https://localhost/'))
    await session.login('ada')

    expect((await session.commit()).getSetCookie()).toEqual([expect.not.stringMatching(/max-age|expires/i)])
    await sessions.close()
  })
})

describe('attributes that browsers would refuse are refused when the sessions are made', () => {
  const refused: [why: string, options: Record<string, unknown>, names: string][] = [
    ['an empty name', { name: '' }, 'cookie.name'],
    ['a name with =', { name: 'a=b' }, 'cookie.name'],
    ['a name with a semicolon', { name: 'sid; Domain=evil.example' }, 'cookie.name'],
    ['a name with a blank', { name: 'my sid' }, 'cookie.name'],
    ['a name with a line break', { name: 'sid\r\nSet-Cookie: a' }, 'cookie.name'],
    ['a name with a line break at its end', { name: 'sid\n' }, 'cookie.name'],
    ['a name with a comma', { name: 'a,b' }, 'cookie.name'],
    ['a name beyond ASCII', { name: 'sesión' }, 'cookie.name'],
    ['a name with NUL', { name: 'sid\0' }, 'cookie.name'],
    ['the prefix __Host-', { name: '__Host-sid' }, 'prefix'],
    ['the prefix __Secure-', { name: '__Secure-sid' }, 'prefix'],
    ['the prefix __Http-', { name: '__Http-sid' }, 'prefix'],
    ['the prefix __Host-Http-', { name: '__Host-Http-sid' }, 'prefix'],
    ['a prefix in another case', { name: '__HOST-sid' }, 'prefix'],
    ['a name and value beyond 4096 bytes', { name: 'x'.repeat(4096 - 48 - '__Secure-'.length + 1) }, '4096'],
    ['a domain with a semicolon', { domain: 'example.com; Path=/' }, 'cookie.domain'],
    ['a domain with a line break', { domain: 'example.com\r\n' }, 'cookie.domain'],
    ['a domain with a blank', { domain: 'example .com' }, 'cookie.domain'],
    ['a domain with a port', { domain: 'example.com:80' }, 'cookie.domain'],
    ['a domain that is a URL', { domain: 'https://example.com' }, 'cookie.domain'],
    ['an empty domain', { domain: '' }, 'cookie.domain'],
    ['a domain with an empty label', { domain: 'example..com' }, 'cookie.domain'],
    ['a domain of more than 1024 bytes', { domain: `${'a.'.repeat(600)}com` }, '1024'],
    ['a path with a semicolon', { path: '/; Domain=evil.example' }, 'cookie.path'],
    ['a path with a line break', { path: '/\r\nSet-Cookie: a=b' }, 'cookie.path'],
    ['a path with a control character', { path: '/\x01' }, 'cookie.path'],
    ['a path with DEL', { path: '/\x7f' }, 'cookie.path'],
    ['a path beyond ASCII', { path: '/café' }, 'cookie.path'],
    ['a path that does not begin at the root', { path: 'shop' }, 'cookie.path'],
    ['an empty path', { path: '' }, 'cookie.path'],
    ['a path of more than 1024 bytes', { path: `/${'a'.repeat(1024)}` }, '1024'],
    ['an unknown SameSite', { sameSite: 'relaxed' }, 'cookie.sameSite'],
    ['SameSite as a browser writes it', { sameSite: 'Lax; Secure' }, 'cookie.sameSite'],
    ['SameSite=None that may not be Secure', { sameSite: 'none' }, 'cookie.secure'],
    ['Partitioned that may not be Secure', { partitioned: true }, 'cookie.secure'],
    ['secure: false', { secure: false }, 'cookie.secure'],
  ]

  test.each(refused)('%s', (_why, options, names) => {
    const make = (): unknown => createSessions({ cookie: options })
    expect(make).toThrow(expect.objectContaining({ code: 'ERR_SOJOURN_OPTION', message: expect.stringContaining(names) }))
  })

  test.each<[what: string, options: CookieOptions]>([
    ['the longest name', { name: 'x'.repeat(4096 - 48 - '__Secure-'.length) }],
    ['every character that a name may have', { name: "!#$%&'*+-.^_`|~09azAZ" }],
    ['a domain with a dot before it', { domain: '.example.com' }],
    ['one label', { domain: 'localhost' }],
    ['a path with blanks and commas', { path: '/my shop, too' }],
    ['a path of 1024 bytes', { path: `/${'a'.repeat(1023)}` }],
  ])('%s may be', (_what, options) => {
    expect(cookie(options).issue(over.https, token, null)[1]).toMatch(/; Secure$/)
  })
})
