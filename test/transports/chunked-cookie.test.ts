import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { chunkedCookie } from '../../src/transports/chunked-cookie.ts'
import type { CookieOptions } from '../../src/transports/cookie.ts'
import { Jar } from '../sealed/site.ts'
import { requestOf } from './request-of.ts'

const max = 32 * 1024
const requestWith = (cookie: string, secure = false) => requestOf({ secure, headers: cookie === '' ? {} : { cookie } })
const headersOf = (headers: readonly (readonly [string, string])[]): Headers => new Headers(headers.map(([name, value]) => [name, value]))

/** A jar after it was given a value. */
function given(value: string, options: CookieOptions = {}, jar = new Jar(), secure = false): Jar {
  jar.take(headersOf(chunkedCookie(options, max).issue(requestWith(jar.header, secure), value, null)))
  return jar
}

const read = (header: string, options: CookieOptions = {}, secure = false): string | null =>
  chunkedCookie(options, max).read(requestWith(header, secure))

const value = fc.integer({ min: 1, max: 20_000 }).map((length) => Array.from({ length }, (_, i) => (i * 7919).toString(36).at(-1)).join(''))
const long = 'x'.repeat(9000)

describe('a value', () => {
  test('of any length comes back, in cookies that every browser keeps: attributes and all they are within 4096 bytes', () => {
    const options = fc.constantFrom<CookieOptions>({}, { name: 'a' }, { name: 'n'.repeat(200), domain: 'example.com', path: '/shop' })
    fc.assert(
      fc.property(value, options, fc.boolean(), (text, form, secure) => {
        const jar = given(text, form, new Jar(), secure)
        for (const line of jar.setCookies) expect(line.length).toBeLessThanOrEqual(4096)
        expect(read(`theme=dark; ${jar.header}; lang=eo`, form, secure)).toBe(text)
      }),
      { numRuns: 200 },
    )
  })

  test('with a Max-Age and all attributes is within 4096 bytes as well, and fills them', () => {
    const transport = chunkedCookie(
      { name: 'n', domain: 'd'.repeat(500), path: '/shop', secure: true, sameSite: 'none', partitioned: true },
      max,
    )
    const lines = transport.issue(requestWith('', true), long, 400 * 86_400_000)
    expect(Math.max(...lines.map(([, line]) => line.length))).toBeGreaterThan(4090)
    for (const [, line] of lines) expect(line.length).toBeLessThanOrEqual(4096)
  })

  test('that is short takes one cookie, a longer one as many as it needs', () => {
    expect([...given('abc').cookies]).toEqual([['sid', '1abc']])
    expect([...given(long).cookies.keys()]).toEqual(['sid', 'sid.1', 'sid.2'])
    expect([...given(long, {}, new Jar(), true).cookies.keys()]).toEqual(['__Host-sid', '__Host-sid.1', '__Host-sid.2'])
  })

  test('that gets shorter clears exactly the chunks that are no longer part of it', () => {
    fc.assert(
      fc.property(value, value, (before, after) => {
        const jar = given(before)
        const names = [...jar.cookies.keys()]
        given(after, {}, jar)
        const cleared = jar.setCookies
          .filter((line) => line.includes('=; Max-Age=0; Path=/; HttpOnly; SameSite=Lax'))
          .map((line) => line.split('=')[0])
        expect(cleared).toEqual(names.slice(jar.cookies.size))
        expect(jar.setCookies).toHaveLength(Math.max(names.length, jar.cookies.size))
        expect(jar.header).toBe(given(after).header)
      }),
      { numRuns: 100 },
    )
  })

  test('is taken back whole, and nothing else is', () => {
    const jar = given(long, { path: '/shop' })
    const cleared = chunkedCookie({ path: '/shop' }, max).clear(
      requestWith(`sid.x=1; sid.01=1; sid.35=1; xsid.2=1; sid.1x=1; ${jar.header}`),
    )
    expect(cleared.map(([, line]) => line)).toEqual(
      ['sid', 'sid.1', 'sid.2'].map((name) => `${name}=; Max-Age=0; Path=/shop; HttpOnly; SameSite=Lax`),
    )
  })
})

describe('is no value', () => {
  const jar = given(long)
  const chunk = (name: string): string => `${name}=${jar.cookies.get(name)}`
  const [first, second, third] = ['sid', 'sid.1', 'sid.2'].map(chunk) as [string, string, string]

  test.each<[what: string, header: string]>([
    ['no cookie', ''],
    ['another cookie', 'theme=dark'],
    ['an empty one', 'sid='],
    ['no number of chunks', `sid=0abc`],
    ['a number in capitals', `sid=A${long}`],
    ['a chunk too few', `${first}; ${second}`],
    ['a chunk missing in the middle', `${first}; ${third}`],
    ['the first one missing', `${second}; ${third}`],
    ['the first one twice', `${first}; ${first}; ${second}; ${third}`],
    ['a later one twice', `${first}; ${second}; ${third}; ${third}`],
    ['an empty one more than there should be', `${first.replace('=3', '=4')}; ${second}; ${third}; sid.3=`],
  ])('%s', (_what, header) => {
    expect(read(header)).toBeNull()
  })

  test('chunks that are all there, in whatever order', () => {
    expect(read([third, first, second].join('; '))).toBe(long)
  })

  // Two requests at once, of which one needed a chunk more, can leave it: that must not log anybody out.
  test('a chunk that is left of a longer one is no part of the value, and goes with the next', () => {
    const shorter = new Jar([...given('abc').cookies, ['sid.1', 'left'], ['sid.7', 'left']])
    expect(read(shorter.header)).toBe('abc')
    given('abcd', {}, shorter)
    expect(shorter.setCookies.slice(1).map((line) => line.split(';')[0])).toEqual(['sid.1=', 'sid.7='])
    expect(shorter.header).toBe('sid=1abcd')
  })
})

describe('the room', () => {
  test.each([100, 6144, 8192])('of %i bytes is what a Cookie header has of it, and not a byte more', (maxSize) => {
    const transport = chunkedCookie({}, maxSize)
    for (let length = maxSize - 40; length < maxSize; length++) {
      const jar = given('x'.repeat(length))
      const issue = () => transport.issue(requestWith(''), 'x'.repeat(length), null)
      if (jar.header.length <= maxSize) expect(issue().length).toBe(jar.cookies.size)
      else
        expect(issue).toThrow(
          expect.objectContaining({
            code: 'ERR_SOJOURN_DATA_TOO_LARGE',
            message: `The sealed session takes ${jar.header.length} bytes of cookies, and maxCookieSize is ${maxSize}; keep less in it, or keep it in a store, by createSessions().`,
          }),
        )
    }
  })

  test.each<[CookieOptions, number, RegExp]>([
    [{ name: 'n'.repeat(3100) }, 6144, /leave \d+ of the 4096 bytes that browsers keep; shorten cookie\.name/],
    [{ name: 'n'.repeat(2000), path: `/${'p'.repeat(1010)}` }, 6144, /shorten cookie\.name/],
    [{}, 32 * 1024 + 1, /maxCookieSize is 32769 bytes/],
    [{ sameSite: 'none' }, 6144, /refused by browsers without Secure/],
  ])('must be there', (options, maxSize, message) => {
    expect(() => chunkedCookie(options, maxSize)).toThrow(
      expect.objectContaining({ code: 'ERR_SOJOURN_OPTION', message: expect.stringMatching(message) as string }),
    )
  })

  test('is enough for the largest value with the longest attributes', () => {
    const transport = chunkedCookie({ name: 'n', domain: 'd'.repeat(1000), path: `/${'p'.repeat(1000)}` }, max)
    const jar = new Jar()
    jar.take(headersOf(transport.issue(requestWith(''), 'x'.repeat(28_000), null)))
    expect(jar.cookies.size).toBeGreaterThan(13)
    expect(transport.read(requestWith(jar.header))).toBe('x'.repeat(28_000))
  })
})
