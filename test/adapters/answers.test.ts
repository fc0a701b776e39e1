import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type AnsweringServer, bareServer, type Notes, servings, sessionServer } from './answers/servers.ts'
import { type Way, ways } from './answers/ways.ts'
import { watchedStore, type WatchedStore } from './watched-store.ts'
import { type Answer, type Connection, type Protocol, valueOf, valuesOf } from './wire.ts'

const protocols: readonly Protocol[] = ['HTTP/1.0', 'HTTP/1.0 with keep-alive', 'HTTP/1.1', 'http2']

const stores = [
  { answers: 'at once', delay: 0 },
  { answers: 'late', delay: 4 },
] as const

const plain = { method: 'GET', path: '/plain' }

const rows = servings.flatMap((serving) => protocols.map((protocol) => ({ serving, adapter: serving.adapter, protocol })))

describe.each(rows)('$adapter, over $protocol', ({ serving, protocol }) => {
  const table = ways.filter(({ http1Only }) => !(http1Only && protocol === 'http2'))
  const plainOutcomes = new Map<Way, Promise<Outcome<null>>>()
  let bare: AnsweringServer<null>

  /** What a server without sojourn answers. */
  const plainOutcome = (way: Way): Promise<Outcome<null>> => {
    const outcome = plainOutcomes.get(way) ?? askOnce(bare, way)
    plainOutcomes.set(way, outcome)
    return outcome
  }

  beforeAll(async () => {
    bare = await bareServer(serving, protocol, ways)
  })
  afterAll(() => bare.close())

  describe.each(stores)('on a store that answers $answers', ({ delay }) => {
    let store: WatchedStore
    let server: AnsweringServer<ReadonlyMap<string, string>>

    beforeAll(async () => {
      store = watchedStore(delay)
      server = await sessionServer(serving, protocol, ways, store)
    })
    afterAll(() => server.close())

    test.each(table.map((way) => [way.name, way] as const))(
      '%s: the answer is the plain one, and the session was committed before its first byte',
      async (_name, way) => {
        const expected = await plainOutcome(way)
        const first = await askOnce(server, way)

        expectSame(first, expected)
        const cookie = sessionCookieOf(first.answer)
        expect(first.answer.seen.get(cookie.id), 'the new session, when the first byte came').toContain('"count":1')
        expect(valueOf(first.answer.headers, 'cache-control')).toBe('no-store')

        const again = await askOnce(server, way, cookie.pair)
        expectSame(again, expected)
        expect(again.answer.seen.get(cookie.id), 'the changed session, when the first byte came').toContain('"count":2')
        expect(ownCookies(again.answer)).toEqual([])
        const own = valuesOf(expected.answer.headers, 'cache-control')
        expect(valuesOf(again.answer.headers, 'cache-control')).toEqual(own.length > 0 ? own : ['private'])
      },
    )

    test.each(table.map((way) => [way.name, way] as const))(
      '%s: requests that are sent at once are answered in order, each after its own commit',
      async (_name, way) => {
        const expected = await plainOutcome(way)
        if (protocol.startsWith('HTTP/1') && isLast(expected.answer)) return

        const connection = await server.connect()
        const answers = await connection.ask([asked(way), asked(way), plain])
        await connection.close()

        for (const answer of answers.slice(0, 2)) {
          expectSameAnswer(answer, expected.answer)
          expect(answer.seen.get(sessionCookieOf(answer).id)).toContain('"count":1')
        }
        expect(answers[2]?.body.toString()).toBe('plain')
      },
    )

    test.each(table.map((way) => [way.name, way] as const))(
      '%s: when the commit fails, a 503 goes out in its place, whole, and nobody hangs',
      async (_name, way) => {
        const expected = await plainOutcome(way)
        const { pair } = sessionCookieOf((await askOnce(server, way)).answer)
        store.broken = true
        try {
          for (const cookie of [undefined, pair]) {
            const connection = await server.connect()
            const noted = server.notes(way)
            const [answer] = await connection.ask([asked(way, cookie)])
            expectRefusal(answer!, way, protocol)
            for (const note of expected.notes)
              if (note.endsWith('called back') || note.endsWith('is over')) expect(await noted).toContain(note)
            if (protocol === 'http2' || !isLast(answer!)) {
              const [next] = await connection.ask([plain])
              expect(next?.body.toString(), 'the connection stays usable').toBe('plain')
            }
            await noted
            await connection.close()
          }
        } finally {
          store.broken = false
        }
      },
    )
  })
})

interface Outcome<Seen> {
  readonly answer: Answer<Seen>
  readonly notes: Notes
}

async function askOnce<Seen>(server: AnsweringServer<Seen>, way: Way, cookie?: string): Promise<Outcome<Seen>> {
  const connection: Connection<Seen> = await server.connect()
  const noted = server.notes(way)
  const [answer] = await connection.ask([asked(way, cookie)])
  const notes = await noted
  await connection.close()
  return { answer: answer!, notes }
}

function asked(way: Way, cookie?: string) {
  return { method: way.method ?? 'GET', path: `/${ways.indexOf(way)}`, cookie }
}

function isLast({ headers }: Answer<unknown>): boolean {
  return valueOf(headers, 'connection') === 'close'
}

function expectSame(outcome: Outcome<unknown>, expected: Outcome<unknown>): void {
  expectSameAnswer(outcome.answer, expected.answer)
  expect(outcome.notes).toEqual(expected.notes)
}

function expectSameAnswer(answer: Answer<unknown>, expected: Answer<unknown>): void {
  const { status, reason, trailers, informational } = expected
  expect(answer).toMatchObject({ status, reason, trailers, informational })
  expect(comparable(answer)).toEqual(comparable(expected))
  expect(answer.body.equals(expected.body), 'the same body').toBe(true)
}

/** The headers but for those that a session adds, and for the time. */
function comparable({ headers }: Answer<unknown>): string[] {
  return headers
    .filter(([name, value]) => !/^cache-control$/i.test(name) && !(/^set-cookie$/i.test(name) && value.startsWith('sid=')))
    .map(([name, value]) => `${name}: ${name.toLowerCase() === 'date' ? 'now' : value}`)
    .toSorted()
}

function ownCookies({ headers }: Answer<unknown>): string[] {
  return valuesOf(headers, 'set-cookie').filter((value) => value.startsWith('sid='))
}

function sessionCookieOf(answer: Answer<unknown>): { pair: string; id: string } {
  const cookies = ownCookies(answer)
  expect(cookies, 'one session cookie').toHaveLength(1)
  const [, pair = '', id = ''] = /^(sid=([\w-]{16})[\w-]{32}); Path=\/; HttpOnly; SameSite=Lax$/.exec(cookies[0]!) ?? []
  expect(pair, 'the session cookie').not.toBe('')
  return { pair, id }
}

function expectRefusal({ status, reason, headers, body, trailers }: Answer<unknown>, { method }: Way, protocol: Protocol): void {
  expect(status).toBe(503)
  expect(['', 'Service Unavailable']).toContain(reason)
  // http2's compatibility API has no way to take a trailer back; it says nothing that the head does not.
  if (protocol !== 'http2') expect(trailers).toEqual([])
  const message = 'The session could not be opened or stored.\n'
  expect(body.toString()).toBe(method === 'HEAD' ? '' : message)
  expect(valuesOf(headers, 'content-length')).toEqual([String(message.length)])
  expect(valuesOf(headers, 'content-type')).toEqual(['text/plain; charset=utf-8'])
  expect(valuesOf(headers, 'cache-control')).toEqual(['no-store'])
  expect(valuesOf(headers, 'retry-after')).toEqual(['1'])
  for (const gone of [
    'set-cookie',
    'etag',
    'last-modified',
    'location',
    'transfer-encoding',
    'trailer',
    'content-encoding',
    'content-disposition',
    'content-language',
  ]) {
    expect(valuesOf(headers, gone), gone).toEqual([])
  }
}
