import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { parseToken } from '../../src/core/token.ts'
import { encodedForm, insertToken, stripEncoded, stripToken, takeToken } from '../../src/transports/url/parameter.ts'
import { url } from '../../src/transports/url.ts'
import { fuzzRuns as numRuns, fuzzTime } from './fuzz-runs.ts'
import { requestOf } from './request-of.ts'

const mark = ';sid='
const token = `${'A'.repeat(16)}${'b'.repeat(32)}`
const host = 'shop.example'

const pieces = [
  ['/', '//', '\\', '/\\', '.', '..', '%2e', '%2E%2e'],
  [';', ';sid', ';sid=', `;sid=${token}`, `;sid=${token.slice(1)}`, ';SID=', '%3Bsid%3D', '%3bsid=', `;sid%3d${token}`, '%3A'],
  ['?', '#', '&', '=', ':', '@', 'a', 'cart', 'x=1', ' ', '\t', '\n', '\0', 'é', '\ud800', '🙂', '%', '%00', '[', ']', '|', '"', '<'],
  [`http://${host}`, `https://${host}`, `//${host}`, `http://${host}:80`, `http://${host}:81`, 'http:', 'https:', 'HTTP://SHOP.EXAMPLE'],
  ['http://evil.example', '//evil.example', '/\\evil.example', '\\\\evil.example', `http://${host}@evil.example`],
  ['javascript:', 'mailto:', 'data:,'],
].flat()
const piece = fc.constantFrom(...pieces)
const anything = fc.array(
  fc.oneof({ weight: 4, arbitrary: piece }, { weight: 1, arbitrary: fc.string({ unit: 'binary', maxLength: 4 }) }),
  { maxLength: 8 },
)
const links = fc.oneof(
  anything.map((pieces) => pieces.join('')),
  anything.map((pieces) => `/${pieces.join('')}`),
  fc.webUrl({ withFragments: true, withQueryParameters: true }),
)

const transport = url()
const request = () => requestOf({ headers: { host }, url: '/goods/list?page=2' })
const strip = (target: string): string => stripEncoded(stripToken(target, mark), encodedForm('sid'))
const rewrite = (to: string, below = '/'): string => url({ path: below }).rewrite!(request(), to, token)

/** Whether the browser, on the page of `request`, would ask this application for the link. */
const isOwn = (link: string): boolean => {
  const base = `http://${host}/goods/list?page=2`
  return URL.canParse(link, base) && new URL(link, base).origin === `http://${host}`
}

describe('a link, whatever stands in it', () => {
  test(
    'is as it was once the token is taken out of it again, and never gets two',
    () => {
      fc.assert(
        fc.property(links, (link) => {
          const written = rewrite(link)
          if (written === link) return
          expect(takeToken(written, mark)).toBe(token)
          expect(rewrite(written)).toBe(written)
          const back = stripToken(written, mark)
          // Where parsers disagree on what was written, and for whole URLs, it is the form that browsers give it.
          const whole = strip(new URL(strip(link), `http://${host}/goods/list?page=2`).href)
          const path = whole.slice(`http://${host}`.length)
          expect([strip(link), whole, path.startsWith('//') ? `/.${path}` : path]).toContain(back)
        }),
        { numRuns },
      )
    },
    fuzzTime,
  )

  test(
    'gets the token only if it leads to the application: no other site is ever told of it',
    () => {
      fc.assert(
        fc.property(links, (link) => {
          const written = rewrite(link)
          if (written !== link) expect([isOwn(strip(link)), isOwn(written)]).toEqual([true, true])
        }),
        { numRuns },
      )
    },
    fuzzTime,
  )

  test(
    'names no host that it did not name itself, whatever the client wrote into Host',
    () => {
      const poisoned = 'poisoned.example'
      fc.assert(
        fc.property(links, (link) => {
          const written = url().rewrite!(requestOf({ headers: { host: poisoned }, url: '/goods/list' }), link, token)
          expect(written.toLowerCase()).not.toContain(poisoned)
          if (written !== link) expect(new URL(written, `http://${host}/goods/list`).host).toBe(host)
        }),
        { numRuns },
      )
    },
    fuzzTime,
  )

  test(
    'leads where it led: path, query and fragment stay, and the token stands before them',
    () => {
      fc.assert(
        fc.property(links, (link) => {
          const written = rewrite(link)
          if (written === link) return
          const base = `http://${host}/goods/list?page=2`
          const [was, is] = [new URL(strip(link), base), new URL(written, base)]
          expect([strip(is.pathname), is.search, is.hash]).toEqual([strip(was.pathname), was.search, was.hash])
          expect(is.pathname.endsWith(`;sid=${token}`)).toBe(true)
        }),
        { numRuns },
      )
    },
    fuzzTime,
  )

  test(
    'gets none beyond the path of the application',
    () => {
      fc.assert(
        fc.property(links, (link) => {
          const written = rewrite(link, '/goods')
          if (written === link) return
          const { pathname } = new URL(written, `http://${host}/goods/list`)
          expect(pathname).toMatch(/^\/goods(?:[/;]|$)/)
        }),
        { numRuns },
      )
    },
    fuzzTime,
  )
})

describe('a path of one origin', () => {
  const segment = fc.stringMatching(/^[\w~!$&'()*+,:@-]{1,8}$/)
  const paths = fc
    .tuple(fc.array(segment, { minLength: 1, maxLength: 4 }), fc.stringMatching(/^(?:\?[\w=&;/?]*)?(?:#[\w=&;/?#]*)?$/))
    .map(([segments, rest]) => `/${segments.join('/')}${rest}`)

  test(
    'is exactly as it was: strip(rewrite(url)) === url',
    () => {
      fc.assert(
        fc.property(paths, (path) => {
          expect(rewrite(path)).not.toBe(path)
          expect(stripToken(rewrite(path), mark)).toBe(path)
        }),
        { numRuns },
      )
    },
    fuzzTime,
  )
})

/** The same, by splitting: a parameter counts if it is the only one of its name, the last of the path, and nothing of it is encoded. */
function reference(target: string): { value: string | null; rest: string } {
  const [, path = '', behind = ''] = /^([^?#]*)(.*)$/s.exec(target)!
  const parts = path.split(/(?=[;/])/)
  const mine = parts.filter((part) => part.startsWith(mark))
  const value = mine.length === 0 ? null : mine.length === 1 && parts.at(-1) === mine[0] ? parts.at(-1)!.slice(mark.length) : ''
  const others = parts.filter((part) => !part.startsWith(mark))
  const encoded = /;sid%3[Dd]|%3[Bb]sid=|%3[Bb]sid%3[Dd]/
  const rest = others.map((part) => part.split(encoded)[0]).join('') + behind
  return { value: encoded.test(path) ? '' : value, rest }
}

describe('a request target, whatever stands in it', () => {
  test(
    'is read as a simple reference reads it, and what is left has no token in its path',
    () => {
      fc.assert(
        fc.property(links, (target) => {
          const asked = requestOf({ headers: { host }, url: target })
          const read = transport.read(asked)
          const { value, rest } = reference(target)
          expect(read).toBe(value)
          expect(asked.url).toBe(rest)
          expect(asked.boreToken).toBe(value !== null)
          expect([takeToken(rest, mark), stripEncoded(rest, encodedForm('sid'))]).toEqual([null, rest])
        }),
        { numRuns },
      )
    },
    fuzzTime,
  )

  test(
    'opens nothing that was not put there by the rules: once, at the end of the path, and whole',
    () => {
      fc.assert(
        fc.property(links, (target) => {
          const found = parseToken(transport.read(requestOf({ headers: { host }, url: target })))
          if (found === null) return
          expect(insertToken(stripToken(target, mark), mark, found.id + found.secret)).toBe(target)
        }),
        { numRuns },
      )
    },
    fuzzTime,
  )

  test.each([
    ['the parameter, over and over', (bytes: number) => `/${mark.repeat(bytes / mark.length)}`],
    ['its beginning, over and over', (bytes: number) => `/${';sid'.repeat(bytes / 4)}`],
    ['tokens, over and over', (bytes: number) => `/${`;sid=${token}`.repeat(bytes / 53)}`],
    ['encoded tokens, over and over', (bytes: number) => `/${`%3Bsid%3D${token}`.repeat(bytes / 57)}`],
    ['the beginning of an encoded one, over and over', (bytes: number) => `/${'%3Bsid'.repeat(bytes / 6)}`],
    ['slashes', (bytes: number) => '/'.repeat(bytes)],
    ['dots', (bytes: number) => '/..'.repeat(bytes / 3)],
    ['question marks', (bytes: number) => `/a${'?;sid='.repeat(bytes / 6)}`],
    ['one long value', (bytes: number) => `/;sid=${'a'.repeat(bytes)}`],
    ['blanks', (bytes: number) => `/${' '.repeat(bytes)};sid=x`],
    ['colons', (bytes: number) => ':'.repeat(bytes)],
  ])('of a megabyte or two costs by its length alone: %s', (_shape, make) => {
    const timeOf = (text: string): number => {
      let best = Infinity
      for (let run = 0; run < 5; run++) {
        const begin = performance.now()
        transport.read(requestOf({ headers: { host }, url: text }))
        rewrite(text)
        best = Math.min(best, performance.now() - begin)
      }
      return best
    }
    const [once, twice] = [timeOf(make(1_000_000)), timeOf(make(2_000_000))]
    expect(once).toBeLessThan(1000)
    expect(twice).toBeLessThan(6 * once + 100)
  })
})
