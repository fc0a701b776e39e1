import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { isCrossOrigin } from '../../src/core/cross-origin.ts'
import { type AnyRequest, viewOf } from '../../src/core/request.ts'
import { createSessions, type SessionsOptions } from '../../src/index.ts'

const own = 'https://shop.example'
const trusted = 'https://accounts.example'

interface Asked {
  readonly method: string
  readonly site: string | undefined
  readonly origin: string | undefined
  readonly host: string | undefined
  readonly upgrade?: string | undefined
}

function isRefused({ method, site, origin, host, upgrade }: Asked): boolean {
  const headers = { host, origin, upgrade, 'sec-fetch-site': site, 'x-forwarded-host': 'evil.example', 'x-forwarded-proto': 'https' }
  return isCrossOrigin(viewOf({ method, headers, socket: {} }, true), new Set([trusted]))
}

describe('the cross-origin rule', () => {
  // Method, Sec-Fetch-Site, Origin, and whether it passes, at the host shop.example, which trusts accounts.example.
  const table: [method: string, site: string | undefined, origin: string | undefined, passes: boolean][] = [
    ['GET', 'cross-site', 'https://evil.example', true],
    ['HEAD', 'cross-site', undefined, true],
    ['OPTIONS', 'cross-site', 'https://evil.example', true],
    ['POST', undefined, undefined, true],
    ['POST', 'same-origin', own, true],
    ['POST', 'same-origin', undefined, true],
    ['POST', 'none', undefined, true],
    ['POST', 'none', 'null', true],
    ['POST', 'same-site', 'https://blog.shop.example', false],
    ['POST', 'same-site', own, false],
    ['POST', 'cross-site', own, false],
    ['POST', 'cross-site', 'https://evil.example', false],
    ['POST', 'cross-site', 'null', false],
    ['POST', 'cross-site', undefined, false],
    ['POST', 'cross-site', trusted, true],
    ['POST', 'same-site', trusted, true],
    ['POST', '', undefined, false],
    ['POST', '', trusted, true],
    ['POST', 'Same-Origin', undefined, false],
    ['POST', 'same-origin, cross-site', own, false],
    ['POST', undefined, own, true],
    ['POST', undefined, 'http://shop.example', true],
    ['POST', undefined, trusted, true],
    ['POST', undefined, `${trusted}:8443`, false],
    ['POST', undefined, 'http://accounts.example', false],
    ['POST', undefined, `${own}:8443`, false],
    ['POST', undefined, `${own}.evil.example`, false],
    ['POST', undefined, `https://evil.example/${own}`, false],
    ['POST', undefined, 'https://evil.example?shop.example', false],
    ['POST', undefined, 'https://evil.example#shop.example', false],
    ['POST', undefined, 'https://evil.example@shop.example', false],
    ['POST', undefined, 'https://shop.example@evil.example', false],
    ['POST', undefined, 'https://evil.example\\shop.example', false],
    ['POST', undefined, `${own}/`, false],
    ['POST', undefined, `${own}, https://evil.example`, false],
    ['POST', undefined, 'shop.example', false],
    ['POST', undefined, '//shop.example', false],
    ['POST', undefined, 'file://', false],
    ['POST', undefined, 'null', false],
    ['POST', undefined, '', false],
    ...['PUT', 'PATCH', 'DELETE', 'TRACE', 'PROPFIND', 'get'].map((method): [string, string, string, boolean] => [
      method,
      'cross-site',
      'https://evil.example',
      false,
    ]),
  ]
  test.each(table)('a %s from %s, origin %s, passes: %s', (method, site, origin, passes) => {
    expect(isRefused({ method, site, origin, host: 'shop.example' })).toBe(!passes)
  })

  const handshakes: [upgrade: string, site: string | undefined, origin: string | undefined, passes: boolean][] = [
    ['websocket', undefined, undefined, true],
    ['websocket', undefined, own, true],
    ['websocket', 'same-origin', own, true],
    ['websocket', undefined, trusted, true],
    ['websocket', 'cross-site', trusted, true],
    ['websocket', undefined, 'https://evil.example', false],
    ['websocket', undefined, 'https://blog.shop.example', false],
    ['websocket', undefined, 'null', false],
    ['websocket', 'cross-site', 'https://evil.example', false],
    ['websocket', 'same-site', 'https://blog.shop.example', false],
    ['WebSocket', undefined, 'https://evil.example', false],
    ['h2c, WEBSOCKET/13', undefined, 'https://evil.example', false],
    ['h2c', undefined, 'https://evil.example', true],
  ]
  test.each(handshakes)('a GET that asks to go on as %s, from %s, origin %s, passes: %s', (upgrade, site, origin, passes) => {
    expect(isRefused({ method: 'GET', site, origin, host: 'shop.example', upgrade })).toBe(!passes)
  })

  test('has no host to compare with where the request names none, and nothing equals nothing', () => {
    expect(isRefused({ method: 'POST', site: undefined, origin: 'null', host: undefined })).toBe(true)
    expect(isRefused({ method: 'POST', site: undefined, origin: own, host: undefined })).toBe(true)
  })

  test('compares hosts with their ports, in any case', () => {
    const ask = (origin: string, host: string) => isRefused({ method: 'POST', site: undefined, origin, host })
    expect([ask('http://localhost:3000', 'localhost:3000'), ask('http://localhost', 'LOCALHOST')]).toEqual([false, false])
    expect([ask('http://localhost:3000', 'localhost'), ask('http://127.0.0.1:3000', 'localhost:3000')]).toEqual([true, true])
    expect(ask('http://[::1]:3000', '[::1]:3000')).toBe(false)
  })

  test('is this table of cases, whatever is sent', () => {
    const hosts = ['shop.example', 'shop.example:8443', 'evil.example', 'accounts.example']
    const origins = hosts.flatMap((host) => [`https://${host}`, `http://${host}`])
    const asked = fc.record({
      method: fc.oneof(fc.constantFrom('GET', 'HEAD', 'OPTIONS', 'POST', 'PUT', 'PATCH', 'DELETE', 'TRACE'), fc.string()),
      site: fc.option(fc.oneof(fc.constantFrom('same-origin', 'none', 'same-site', 'cross-site', ''), fc.string()), { nil: undefined }),
      origin: fc.option(fc.oneof(fc.constantFrom(...origins, 'null', ''), fc.string(), fc.webUrl()), { nil: undefined }),
      host: fc.option(fc.constantFrom(...hosts), { nil: undefined }),
      upgrade: fc.option(fc.constantFrom('websocket', 'WebSocket', 'h2c', ''), { nil: undefined }),
    })
    let both = 0
    fc.assert(
      fc.property(asked, (request) => {
        const refused = oracle(request)
        both |= refused ? 1 : 2
        expect(isRefused(request)).toBe(refused)
      }),
      { numRuns: 5000 },
    )
    expect(both).toBe(3)
  })
})

/** The same rule as rows, the first that fits decides. */
function oracle({ method, site, origin, host, upgrade }: Asked): boolean {
  const rows: [fits: boolean, refused: boolean][] = [
    [['GET', 'HEAD', 'OPTIONS'].includes(method) && upgrade?.toLowerCase() !== 'websocket', false],
    [['same-origin', 'none'].includes(site ?? ''), false],
    [origin === trusted, false],
    [site !== undefined, true],
    [origin === undefined, false],
    [host !== undefined && [`http://${host}`, `https://${host}`].includes(origin ?? ''), false],
    [true, true],
  ]
  return rows.find(([fits]) => fits)![1]
}

describe('the option crossOrigin', () => {
  test.each<[unknown, RegExp]>([
    [true, /^crossOrigin is true; it must be \{ trusted: \['https:\/\/accounts\.example\.com'\] \}, or false/],
    ['https://a.example', /^crossOrigin is "https:\/\/a\.example"/],
    [null, /^crossOrigin is null/],
    [{ trusted: 'https://a.example' }, /^crossOrigin is \{"trusted"/],
    [{ trust: [] }, /^crossOrigin\.trust is no option; there are crossOrigin\.trusted\.$/],
    [{ trusted: ['https://ok.example', 'https://a.example/'] }, /^crossOrigin\.trusted\[1\] is "https:\/\/a\.example\/"/],
    ...[
      'https://a.example/callback',
      'a.example',
      '//a.example',
      'https://*.a.example',
      '*',
      'null',
      '',
      'https://',
      'https://a b.example',
      'https://u:p@a.example',
      'https://a.example?x',
      'https://a.example#x',
      'wss://a.example',
      'file:///a',
      ' https://a.example',
      7,
      null,
    ].map((origin): [unknown, RegExp] => [
      { trusted: [origin] },
      /^crossOrigin\.trusted\[0\] is .*, which is no origin as browsers send it; write scheme, host and port alone, such as/,
    ]),
    [{ trusted: ['https://A.example'] }, /; write 'https:\/\/a\.example'\.$/],
    [{ trusted: ['https://a.example:443'] }, /; write 'https:\/\/a\.example'\.$/],
    [{ trusted: ['http://a.example:80'] }, /; write 'http:\/\/a\.example'\.$/],
    [{ trusted: ['https://bücher.example'] }, /; write 'https:\/\/xn--bcher-kva\.example'\.$/],
  ])('is refused at start when it is %j', (crossOrigin, message) => {
    const options = { crossOrigin } as SessionsOptions<Record<string, unknown>>
    expect(() => createSessions(options)).toThrow(
      expect.objectContaining({ code: 'ERR_SOJOURN_OPTION', message: expect.stringMatching(message) as unknown }),
    )
  })

  test.each<SessionsOptions<object>['crossOrigin']>([
    undefined,
    false,
    {},
    { trusted: [] },
    { trusted: undefined },
    { trusted: ['https://a.example', 'https://a.example:8443', 'http://localhost:3000', 'http://[::1]:3000', 'http://10.0.0.1'] },
  ])('may be %j', async (crossOrigin) => {
    await createSessions({ crossOrigin }).close()
  })
})

describe('by hand', () => {
  const headers = { 'sec-fetch-site': 'cross-site', origin: 'https://evil.example', host: 'shop.example' }
  const foreign: { what: string; request: AnyRequest }[] = [
    { what: 'a Fetch Request', request: new Request('https://shop.example/cart', { method: 'POST', headers }) },
    { what: "Node's own request", request: { method: 'POST', headers, socket: {} } },
  ]
  test.each(foreign)('open() rejects $what of another site', async ({ request }) => {
    await expect(createSessions().open(request)).rejects.toMatchObject({ code: 'ERR_SOJOURN_CROSS_ORIGIN', status: 403 })
    expect((await createSessions({ crossOrigin: false }).open(request)).isNew).toBe(true)
    expect((await createSessions({ crossOrigin: { trusted: ['https://evil.example'] } }).open(request)).isNew).toBe(true)
  })

  test('a Fetch Request without a Host header is at the host of its URL', async () => {
    const ask = (origin: string) =>
      createSessions().open(new Request('https://shop.example:8443/cart', { method: 'POST', headers: { origin } }))
    expect((await ask('https://shop.example:8443')).isNew).toBe(true)
    await expect(ask('https://shop.example')).rejects.toMatchObject({ status: 403 })
  })

  test('Headers alone do not tell the method, and pass', async () => {
    expect((await createSessions().open(new Headers(headers))).isNew).toBe(true)
  })
})
