import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { parseToken } from '../../src/core/token.ts'
import { readCookie } from '../../src/transports/cookie.ts'

const name = '__Host-sid'
const token = 'a'.repeat(48)

describe('the one cookie of a name', () => {
  test.each([
    ['alone', `${name}=${token}`],
    ['first', `${name}=${token}; theme=dark`],
    ['last', `theme=dark; ${name}=${token}`],
    ['in the middle', `theme=dark; ${name}=${token}; lang=eo`],
    ['without spaces', `theme=dark;${name}=${token};lang=eo`],
    ['after a tab', `theme=dark;\t${name}=${token}`],
    ['before spaces', `${name}=${token}  ; theme=dark`],
    ['beside its namesakes', `x${name}=no; ${name}x=no; ${name.toLowerCase()}=no; ${name}=${token}`],
    ['beside values that look like it', `a=${name}=no; b= ${name}=no; c="${name}=no"; ${name}=${token}`],
    ['beside broken pairs', `; ;=; =x; ${name}; ${name}x; ${name}=${token};`],
  ])('is found %s', (_where, header) => {
    expect(readCookie(header, name)).toBe(token)
  })

  test.each([
    ['is not there', 'theme=dark'],
    ['is an empty header', ''],
    ['bears a prefix', `x${name}=${token}`],
    ['bears a suffix', `${name}x=${token}`],
    ['is of another case', `${name.toUpperCase()}=${token}`],
    ['stands in the value of another', `theme=${name}=${token}`],
    ['stands behind a space in the value of another', `theme=dark ${name}=${token}`],
    ['has a space before its =', `${name} =${token}`],
  ])('is none where it %s', (_how, header) => {
    expect(readCookie(header, name)).toBeNull()
  })

  test.each([
    ['is there twice', `${name}=${token}; ${name}=${'b'.repeat(48)}`],
    ['is there twice with one value', `${name}=${token}; ${name}=${token}`],
    ['is there twice, once empty', `${name}=; ${name}=${token}`],
    ['is there three times', `${name}=${token}; theme=dark; ${name}=${token}; ${name}=${token}`],
  ])('is no token where it %s', (_how, header) => {
    expect(readCookie(header, name)).toBe('')
  })

  test.each([
    ['quoted', `"${token}"`],
    ['percent-encoded', `%61${token.slice(1)}`],
    ['one character short', token.slice(1)],
    ['one character long', `${token}a`],
    ['with a character that no token has', `${token.slice(1)}.`],
    ['followed by what is a space to Unicode alone', `${token}\u00a0`],
    ['followed by a byte beyond ASCII', `${token}\u00e9`],
    ['with NUL in it', `${token.slice(1)}\0`],
    ['followed by NUL', `${token}\0`],
    ['with a line break', `${token}\n`],
    ['empty', ''],
  ])('holds no token when its value is %s', (_how, value) => {
    expect(parseToken(readCookie(`theme=dark; ${name}=${value}; lang=eo`, name))).toBeNull()
  })
})

/** Cookie headers by the letter: pairs between semicolons, blanks around them, the name up to the first `=`. */
function reference(header: string, of: string): string | null {
  const values: string[] = []
  for (const pair of header.split(';')) {
    const text = pair.replace(/^[ \t]+|[ \t]+$/g, '')
    if (text.startsWith(`${of}=`)) values.push(text.slice(of.length + 1))
  }
  return values.length > 1 ? '' : (values[0] ?? null)
}

const piece = (of: string) =>
  fc.constantFrom(of, `${of}=`, `; ${of}=`, `;${of}=`, '=', ';', '; ', ' ', '\t', 'a', '"', ',', '\0', '\u00e9', '\u00a0', token, 'x=y')

describe('on random headers', () => {
  test.each(['sid', '__Host-sid', 'a', 'aa', '~', '__proto__', 'constructor'])(
    'it agrees with a simple reference parser, named %s',
    (of) => {
      const header = fc.array(fc.oneof(piece(of), fc.string({ maxLength: 4 })), { maxLength: 25 }).map((pieces) => pieces.join(''))
      fc.assert(
        fc.property(header, (text) => {
          expect(readCookie(text, of)).toBe(reference(text, of))
        }),
        { numRuns: 3000 },
      )
    },
  )

  test('two cookies of the name are never a cookie, whatever stands around them', () => {
    const noise = fc
      .array(
        piece('sid').filter((text) => !text.includes('=')),
        { maxLength: 8 },
      )
      .map((pieces) => pieces.join(''))
    const blanks = fc.constantFrom('', ' ', '\t', '  ')
    fc.assert(
      fc.property(noise, noise, noise, blanks, blanks, fc.string(), (before, between, after, first, second, value) => {
        const header = `${before};${first}sid=${value};${between};${second}sid=${value};${after}`
        expect(readCookie(header, 'sid')).toBe('')
      }),
      { numRuns: 3000 },
    )
  })
})

describe('a header of a megabyte or two', () => {
  const fill = (text: string, bytes: number): string => text.repeat(Math.ceil(bytes / text.length)).slice(0, bytes)

  const shapes: Record<string, (bytes: number) => string> = {
    'the name, over and over': (bytes) => fill('sid', bytes),
    'the name between blanks': (bytes) => fill(' sid', bytes),
    'pairs without a value': (bytes) => fill('; sid', bytes),
    'the name behind long blanks': (bytes) => fill(`${' '.repeat(1000)}sid`, bytes),
    'a value behind blanks': (bytes) => fill(`a${' '.repeat(5000)}sid=`, bytes),
    blanks: (bytes) => fill(' ', bytes),
    'tabs, then the name': (bytes) => `${fill('\t', bytes)}sid`,
    semicolons: (bytes) => fill(';', bytes),
    'equals signs': (bytes) => fill('=', bytes),
    'small cookies': (bytes) => fill('a=b; ', bytes),
    'one long value': (bytes) => `sid=${fill('a', bytes)}`,
    'one long value of blanks': (bytes) => `sid=${fill(' ', bytes)}x`,
    'the cookie, over and over': (bytes) => fill(`sid=${token}; `, bytes),
    quotes: (bytes) => `sid="${fill('\\"', bytes)}`,
    NUL: (bytes) => fill('sid\0=', bytes),
  }

  /** The fastest of several runs, in ms. */
  function timeOf(header: string, of: string): number {
    let best = Infinity
    for (let run = 0; run < 7; run++) {
      const start = performance.now()
      parseToken(readCookie(header, of))
      best = Math.min(best, performance.now() - start)
    }
    return best
  }

  test.each(Object.entries(shapes))('%s: no token, in a time that grows with its length alone', (_shape, make) => {
    const [one, two] = [make(1_000_000), make(2_000_000)]
    expect(parseToken(readCookie(one, 'sid'))).toBeNull()
    const [once, twice] = [timeOf(one, 'sid'), timeOf(two, 'sid')]
    expect(once).toBeLessThan(250)
    expect(twice).toBeLessThan(4 * once + 10)
  })

  test('a name that repeats itself costs no more', () => {
    expect(timeOf(fill('a', 1_000_000), `${'a'.repeat(30)}b`)).toBeLessThan(250)
    expect(timeOf(fill('a', 1_000_000), 'a'.repeat(30))).toBeLessThan(250)
  })
})
