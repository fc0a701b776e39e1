import { spawnSync } from 'node:child_process'
import { maxHeaderSize } from 'node:http'
import { beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import { buildIfNeeded } from '../../scripts/setup.mjs'
import { withSession } from '../../src/adapters/node.ts'
import { sealed, type SealedOptions } from '../../src/sealed.ts'
import { memory } from '../../src/stores/memory.ts'
import { listen } from '../adapters/server.ts'
import { initial, Jar, newKey, site, text } from './site.ts'

beforeAll(buildIfNeeded)

const refusal = (message: RegExp): unknown =>
  expect.objectContaining({ code: 'ERR_SOJOURN_OPTION', message: expect.stringMatching(message) as string })
const keys = [newKey()]

describe('keys must be there, and be keys', () => {
  test.each<[what: string, keys: unknown, message: RegExp]>([
    ['none', undefined, /^keys must be a list of at least one key; make one with `openssl rand -base64 32`/],
    ['an empty list', [], /^keys must be a list/],
    ['an unset environment variable', [process.env['NO_SUCH_VARIABLE']], /^keys\[0\] is missing: it is undefined or empty/],
    ['an empty one', [''], /^keys\[0\] is missing/],
    ['one that is too short, second', [newKey(), newKey().slice(0, 20)], /^keys\[1\] has 15 bytes/],
    ['a password', ['keyboard cat, and another cat upon the keyboard'], /^keys\[0\] is text that is neither/],
  ])('%s is an error at start', (_what, given, message) => {
    expect(() => sealed({ keys: given as string[] })).toThrow(refusal(message))
  })
})

describe('options are checked at start', () => {
  test.each<[options: object, message: RegExp]>([
    [{ secret: 'x' }, /^secret is no option; there are keys, initial/],
    [{ store: memory() }, /^store is no option/],
    [{ merge: {} }, /^merge is no option/],
    [{ timeouts: { idel: '1m' } }, /^timeouts\.idel is no option/],
    [{ timeouts: { idle: 'soon' } }, /^timeouts\.idle is/],
    [{ cookie: { httpOnly: false } }, /^cookie\.httpOnly is no option/],
    [{ cookie: { name: 'a b' } }, /^cookie\.name/],
    [{ trustProxy: 1 }, /^trustProxy is 1/],
    [{ schemaVersion: 1.5 }, /^schemaVersion is 1\.5/],
    [{ maxCookieSize: 'large' }, /^maxCookieSize is 'large'/],
    [{ maxCookieSize: '1 MB' }, /^maxCookieSize is 1000000 bytes/],
    [
      { maxCookieSize: maxHeaderSize - 2047 },
      new RegExp(
        `^maxCookieSize is ${maxHeaderSize - 2047} bytes, and this Node reads ${maxHeaderSize} .*; set ${maxHeaderSize - 2048} at most, start node with --max-http-header-size=${maxHeaderSize + 1},`,
      ),
    ],
    [{ storeTimeout: '1s' }, /^storeTimeout is for the store of a revocation list/],
    [{ sweepInterval: '1s' }, /^sweepInterval is for the store of a revocation list/],
    [{ revocations: memory(), storeTimeout: 'x' }, /^storeTimeout is/],
    [{ revocations: memory(), sweepInterval: 0 }, /^sweepInterval is/],
    [{ initial: () => null }, /initial must answer an object/],
  ])('%j', (options, message) => {
    expect(() => sealed({ keys, ...options })).toThrow(refusal(message))
  })

  test('none but the keys must be given', async () => {
    const sessions = sealed({ keys })
    const session = await sessions.open(new Headers())
    session.data['theme'] = 'dark'
    expect((await session.commit()).getSetCookie()).toHaveLength(1)
  })
})

describe('maxCookieSize', () => {
  const fits = async (options: Pick<SealedOptions<object>, 'maxCookieSize'>, bytes: number): Promise<boolean> => {
    const { visitor } = site(options)
    return await visitor()
      .visit((session) => {
        session.data.note = text(bytes)
      })
      .then(
        () => true,
        () => false,
      )
  }

  // What docs/sealed.md says.
  test.each<[options: Pick<SealedOptions<object>, 'maxCookieSize'>, fitting: number, beyond: number]>([
    [{}, 4400, 4600],
    [{ maxCookieSize: 4096 }, 2900, 3100],
    [{ maxCookieSize: '14 KiB' }, 10_500, 10_900],
  ])('%j has room for %i bytes of data, and not for %i', async (options, fitting, beyond) => {
    expect([await fits(options, fitting), await fits(options, beyond)]).toEqual([true, false])
  })
})

test('the largest session that may be is let in by this Node, and logged out', async () => {
  const sessions = sealed({ keys, initial, maxCookieSize: maxHeaderSize - 2048 })
  const server = await listen(
    withSession(sessions, async (req, res, session) => {
      if (req.url === '/logout') await session.logout()
      res.end(session.data.note.length.toString())
    }),
  )
  onTestFinished(() => server.close())
  const jar = new Jar()
  for (let bytes = maxHeaderSize; jar.cookies.size === 0; bytes -= 50) {
    const session = await sessions.open(new Headers())
    session.data.note = text(bytes)
    jar.take(await session.commit().catch(() => new Headers()))
  }
  expect(jar.header.length).toBeGreaterThan(maxHeaderSize - 2200)
  const headers = { Cookie: jar.header, 'User-Agent': 'x'.repeat(1500) }
  const page = await fetch(server.url, { headers })
  expect([page.status, Number(await page.text()) > 10_000]).toEqual([200, true])
  const logout = await fetch(`${server.url}/logout`, { method: 'POST', headers })
  expect([logout.status, logout.headers.getSetCookie().length]).toEqual([200, jar.cookies.size])
})

test('a Node that reads more lets them be larger', () => {
  const program = `const { sealed } = await import(${JSON.stringify(new URL('../../dist/sealed.js', import.meta.url).href)})
sealed({ keys: [${JSON.stringify(newKey())}], maxCookieSize: '32 KiB' })`
  const start = (size: number): number | null =>
    spawnSync(process.execPath, [`--max-http-header-size=${size}`, '--input-type=module', '-e', program]).status
  expect([start(34_816), start(34_815)]).toEqual([0, 1])
})

test("two applications on one host with the same keys do not open each other's sessions, as long as their cookies have names of their own", async () => {
  const [shop, wiki] = [site({ keys, cookie: { name: 'shop' } }), site({ keys, cookie: { name: 'wiki' } })]
  const ada = shop.visitor()
  await ada.visit((session) => session.login('ada'))
  const moved = ada.copy(wiki.sessions)
  moved.jar.cookies.set('wiki', moved.jar.cookies.get('shop')!)
  expect([await ada.user(), await moved.user()]).toEqual(['ada', null])
})
