/** What a thief of the disk or the database has: a dump of every store after a visit, searched for what must not be in it. */
import { randomBytes } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Sessions } from '../../src/core/sessions.ts'
import { createSessions, type SessionsOptions } from '../../src/sessions.ts'
import { Visitor } from '../core/visitor.ts'
import { startTimeout } from '../services/service.ts'
import { matrix, type Pair } from './matrix.ts'

interface Data {
  cart: string[]
}

const words = ['a leather weekender', 'storm lantern']
const user = 'Augusta Ada King of Lovelace'
const agent = 'Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Gecko/20100101 Firefox/145.0'

/** A text as it may stand in a dump. */
function formsOf(text: string): Buffer[] {
  const bytes = Buffer.from(text)
  // In Base64 it depends on where in three bytes it begins: what all of its bytes make is the same in the middle.
  const encoded = [0, 1, 2].flatMap((offset) => {
    const middle = Buffer.concat([Buffer.alloc(offset), bytes])
      .toString('base64')
      .slice(4, -4)
    return [middle, middle.replaceAll('+', '-').replaceAll('/', '_')]
  })
  return [bytes, Buffer.from(bytes.toString('hex')), Buffer.from(text, 'utf16le'), ...encoded.map((form) => Buffer.from(form))]
}

const holds = (dump: Buffer, text: string) => formsOf(text).some((form) => dump.includes(form))

/** A browser that says its name. */
class Browser extends Visitor<Data> {
  readonly #sessions: Sessions<Data>
  readonly tokens = new Set<string>()

  constructor(sessions: Sessions<Data>) {
    super(sessions)
    this.#sessions = sessions
  }

  override async open() {
    return await this.#sessions.open(new Headers({ 'user-agent': agent, ...(this.cookie !== null && { cookie: this.cookie }) }))
  }

  override take(headers: Headers): void {
    super.take(headers)
    if (this.cookie !== null) this.tokens.add(this.cookie.slice('sid='.length))
  }
}

describe.each(Object.entries(matrix))('a dump of %s after a visit', (_, open) => {
  let pair: Pair
  beforeAll(async () => {
    pair = await open()
  }, startTimeout)
  afterAll(async () => await pair?.close())

  /** Cart, login, a renewal, a second session, its logout. @returns the tokens that were given out, and a dump of each moment */
  async function visit(encryption: SessionsOptions<Data>['encryption']) {
    const sessions = createSessions<Data>({ store: pair.stores[0], initial: () => ({ cart: [] }), encryption, storeTimeout: '20s' })
    const dumps: Buffer[] = []
    const [ada, elsewhere] = [new Browser(sessions), new Browser(sessions)]
    await ada.visit(({ data }) => void data.cart.push(words[0]!))
    dumps.push(await pair.dump())
    await ada.visit((session) => session.login(user))
    await ada.visit(({ data }) => void data.cart.push(words[1]!))
    await ada.visit((session) => session.renew())
    await ada.visit(({ data }) => data.cart.length)
    await elsewhere.visit((session) => session.login(user))
    dumps.push(await pair.dump())
    await elsewhere.visit((session) => session.logout())
    dumps.push(await pair.dump())
    expect((await ada.read()).cart).toEqual(words)
    return { tokens: [...ada.tokens, ...elsewhere.tokens], dump: Buffer.concat(dumps) }
  }

  test.each(['server', 'client'] as const)(
    'with encryption, bound to the %s, has neither token nor words, user or device',
    async (bind) => {
      const { tokens, dump } = await visit({ keys: [randomBytes(32)], bind })
      expect(tokens.length).toBeGreaterThan(3)
      for (const token of tokens) {
        // The record is there, by its ID, which is no secret.
        expect(holds(dump, token.slice(0, 16))).toBe(true)
        for (const secret of [token, token.slice(16)]) expect(holds(dump, secret)).toBe(false)
      }
      for (const word of [...words, 'lantern', 'weekender', user, 'Lovelace', 'Firefox']) expect(holds(dump, word), word).toBe(false)
    },
  )

  // Last: a dump of files has what was there before.
  test('without encryption has the words, so that this test can see, and no token either', async () => {
    const { tokens, dump } = await visit(undefined)
    for (const token of tokens) for (const secret of [token, token.slice(16)]) expect(holds(dump, secret)).toBe(false)
    for (const word of [...words, user, 'Firefox']) expect(holds(dump, word), word).toBe(true)
  })
})
