import { once } from 'node:events'
import { createServer } from 'node:http'
import { connect } from 'node:http2'
import type { AddressInfo } from 'node:net'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { withSession } from '../../src/adapters/node.ts'
import type { Sessions } from '../../src/core/sessions.ts'
import { createSessions } from '../../src/sessions.ts'
import { cookieFor } from '../../src/testing/cookie-for.ts'
import { fakeClock } from '../../src/testing/fake-clock.ts'
import { type Listening, listen } from '../adapters/server.ts'
import { type Answer, connection, valuesOf } from '../adapters/wire.ts'

interface Data {
  count: number
}

const clock = fakeClock()
let sessions: Sessions<Data>
let server: Listening
let http2Server: Listening

beforeAll(async () => {
  sessions = createSessions<Data>({ clock, initial: () => ({ count: 0 }) })
  const listener = withSession(sessions, (req, res, session) => {
    if (req.method === 'POST') session.data.count += 1
    res.end(`${session.data.count} ${session.isNew}`)
  })
  server = await listen(listener)
  http2Server = await listen(listener, { http2: true })
})
afterAll(async () => {
  await server.close()
  await http2Server.close()
  await sessions.close()
})

/** Asks with this Cookie header, byte for byte. */
async function ask(method: 'GET' | 'POST', cookie: string, port = server.port): Promise<Answer<null>> {
  const over = await connection('HTTP/1.1', port, () => null)
  const [answer] = await over.ask([{ method, path: '/', cookie }])
  await over.close()
  return answer!
}

const live = (): Promise<string> => cookieFor(sessions, { userId: 'ada', data: { count: 41 } })

/** A visitor of whom nothing is known: served as such, and given a session at the first write. */
async function expectAnonymous(cookie: string, port?: number): Promise<void> {
  const read = await ask('GET', cookie, port)
  expect([read.status, read.body.toString()]).toEqual([200, '0 true'])
  expect(valuesOf(read.headers, 'set-cookie')).toEqual([])

  const written = await ask('POST', cookie, port)
  expect([written.status, written.body.toString()]).toEqual([200, '1 true'])
  const given = valuesOf(written.headers, 'set-cookie')
  expect(given).toEqual([expect.stringMatching(/^sid=[\w-]{48}; Path=\/; HttpOnly; SameSite=Lax$/)])
  expect(cookie, 'no ID of the client is taken over').not.toContain(given[0]?.slice(4, 20))
}

test('a good cookie opens its session', async () => {
  expect((await ask('GET', await live())).body.toString()).toBe('41 false')
  expect((await ask('GET', `theme=dark; ${await live()}; lang=eo`)).body.toString()).toBe('41 false')
})

describe('is answered as an anonymous visitor, who brings', () => {
  const token = (pair: string): string => pair.slice('sid='.length)

  const headers: [what: string, header: (pair: string) => string][] = [
    ['a cookie one character short', (pair) => pair.slice(0, -1)],
    ['half a cookie', (pair) => pair.slice(0, 28)],
    ['the session ID alone', (pair) => pair.slice(0, 20)],
    ['a cookie one character long', (pair) => `${pair}a`],
    ['an empty one', () => 'sid='],
    ['a name alone', () => 'sid'],
    ['an = alone', () => '='],
    ['semicolons alone', () => ';;; ;'],
    ['two different ones', (pair) => `${pair}; sid=${'a'.repeat(48)}`],
    ['the same one twice', (pair) => `${pair}; ${pair}`],
    ['one that is good, and an empty one', (pair) => `sid=; ${pair}`],
    ['a quoted one', (pair) => `sid="${token(pair)}"`],
    ['a percent-encoded one', (pair) => `sid=%${token(pair).charCodeAt(0).toString(16)}${token(pair).slice(1)}`],
    ['one with a name that begins otherwise', (pair) => `x${pair}`],
    ['one with a name that goes on', (pair) => `sidx=${token(pair)}`],
    ['one with a name in another case', (pair) => `SID=${token(pair)}`],
    ['one with a prefix that plain http has not', (pair) => `__Host-${pair}`],
    ['one in the value of another', (pair) => `theme=${pair}`],
    ['one behind a space in the value of another', (pair) => `theme=dark ${pair}`],
    ['one with a comma between', (pair) => `theme=dark, ${pair}`],
    ['one with a letter beyond ASCII', (pair) => `sid=é${token(pair).slice(1)}`],
    ['one followed by a byte beyond ASCII', (pair) => `${pair}\u00a0`],
    ['one in UTF-8', (pair) => `sid=${Buffer.from('€').toString('latin1')}${token(pair).slice(3)}`],
    ['one with blanks in it', (pair) => `sid=${token(pair).slice(0, 24)} ${token(pair).slice(25)}`],
    ['one with characters that no token has', (pair) => `sid=../../${token(pair).slice(6)}`],
    ['__proto__', () => '__proto__=sid; constructor=sid; sid=__proto__'],
    ['a well-formed one that was never issued', () => `sid=${'a'.repeat(48)}`],
    ["another session's secret", (pair) => `sid=${'a'.repeat(16)}${token(pair).slice(16)}`],
    ['a known ID with a wrong secret', (pair) => `sid=${token(pair).slice(0, 16)}${'a'.repeat(32)}`],
    ['a secret that is wrong in its last character', (pair) => pair.slice(0, -1) + (pair.endsWith('A') ? 'Q' : 'A')],
    ['fifteen kilobytes of it', () => `sid=${'a'.repeat(15_000)}`],
    ['hundreds of empty ones', () => 'sid=; '.repeat(2500)],
  ]

  test.each(headers)('%s', async (_what, header) => {
    const pair = await live()
    await expectAnonymous(header(pair))
    expect((await ask('GET', pair)).body.toString(), 'the session itself is as it was').toBe('41 false')
  })

  test('an expired one', async () => {
    const pair = await live()
    clock.advance(13 * 3_600_000)
    await expectAnonymous(pair)
  })

  test('one of a session that was ended', async () => {
    const pair = await live()
    await sessions.end(pair.slice(4, 20))
    await expectAnonymous(pair)
  })

  test('two Cookie lines with one each', async () => {
    const pair = await live()
    const over = await connection('HTTP/1.1', server.port, () => null)
    const [answer] = await over.ask([{ method: 'GET', path: '/', cookie: pair, headers: { COOKIE: pair } }])
    await over.close()
    expect(answer?.body.toString()).toBe('0 true')
  })
})

test.each(['__proto__', 'constructor', 'prototype', 'toString', 'hasOwnProperty'])(
  'a cookie named %s beside a good one changes nothing, for this visitor or another',
  async (name) => {
    const inherited = Object.getOwnPropertyNames(Object.prototype)
    const forged = `${name}=${'a'.repeat(48)}; ${name}[sid]=${'a'.repeat(48)}; ${name}.userId=admin`
    for (const header of [`${forged}; ${await live()}`, `${await live()}; ${forged}`])
      expect((await ask('GET', header)).body.toString()).toBe('41 false')
    await expectAnonymous(forged)
    expect(Object.getOwnPropertyNames(Object.prototype)).toEqual(inherited)
  },
)

test('a good cookie among fifteen kilobytes of others opens its session', async () => {
  expect((await ask('GET', `${'a=b; '.repeat(2950)}${await live()}`)).body.toString()).toBe('41 false')
})

test("over Node's own header limit Node answers 431", async () => {
  expect((await ask('GET', `${await live()}; theme=${'a'.repeat(17_000)}`)).status).toBe(431)
})

describe('NUL and control characters', () => {
  const headers: [what: string, header: (pair: string) => string][] = [
    ['NUL in the token', (pair) => `${pair.slice(0, -1)}\0`],
    ['NUL after the token', (pair) => `${pair}\0`],
    ['a control character in the token', (pair) => `${pair.slice(0, -1)}\x01`],
    ['DEL after the token', (pair) => `${pair}\x7f`],
  ]

  test.each(headers)('%s: Node answers 400, or a server that is told to be lenient an anonymous visitor', async (_what, header) => {
    const cookie = header(await live())
    expect((await ask('GET', cookie)).status).toBe(400)

    const lenient = createServer({ insecureHTTPParser: true }, (req, res) => {
      const opened = sessions.open(req)
      opened.then(
        (session) => res.end(`${session.data.count} ${session.isNew}`),
        (error: unknown) => res.destroy(error as Error),
      )
    }).listen(0, '127.0.0.1')
    await once(lenient, 'listening')
    const { status, body } = await ask('GET', cookie, (lenient.address() as AddressInfo).port)
    expect([status, body.toString()]).toEqual([200, '0 true'])
    await new Promise((resolve) => lenient.close(resolve))
  })
})

describe('over http2, where a browser may send each cookie in a header of its own', () => {
  async function askHttp2(cookie: string | string[]): Promise<string> {
    const over = connect(`http://127.0.0.1:${http2Server.port}`)
    const stream = over.request({ ':path': '/', cookie })
    const parts: Buffer[] = []
    for await (const part of stream) parts.push(part as Buffer)
    over.close()
    return Buffer.concat(parts).toString()
  }

  test('the session is found', async () => {
    expect(await askHttp2(['theme=dark', await live(), 'lang=eo'])).toBe('41 false')
  })

  test('two of the name are none', async () => {
    const pair = await live()
    expect(await askHttp2([pair, 'theme=dark', pair])).toBe('0 true')
  })
})
