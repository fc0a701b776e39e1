import { strict as assert } from 'node:assert'
import { isGone } from '../../src/core/errors.ts'
import type { SessionEvents } from '../../src/core/events.ts'
import type { Sessions } from '../../src/core/sessions.ts'
import type { Session } from '../../src/core/session.ts'
import type { Store } from '../../src/core/store.ts'
import { createSessions } from '../../src/sessions.ts'
import { memory } from '../../src/stores/memory.ts'
import { fakeClock, type FakeClock } from '../../src/testing/fake-clock.ts'
import { Browser, chrome, firefox } from './browser.ts'
import { grace, renewAfter, type Answer, type Client, type Server } from './histories.ts'
import { Reference } from './renewal-reference.ts'
import { renewalAlone } from './site.ts'

interface Data {
  visits: number
}

interface Node {
  readonly sessions: Sessions<Data>
  readonly clock: FakeClock
}

const start = Date.UTC(2026, 0, 1)

/** The real manager as a history's server; `nodes` of them on one store, each with a clock of its own. */
export class ManagedServer implements Server {
  readonly suspected: SessionEvents['suspected']['reason'][] = []
  readonly token: string
  readonly #nodes: readonly Node[]
  readonly #wrong: unknown[] = []
  #requests = 0
  #ended = false

  static async start(store: Store = memory(), nodes = 1): Promise<ManagedServer> {
    const made = Array.from({ length: nodes }, () => {
      const clock = fakeClock(start)
      const timeouts = { idle: '12h', absolute: '12h', renew: renewAfter * 1000, grace: grace * 1000 }
      return { clock, sessions: createSessions<Data>({ store, clock, timeouts, theft: renewalAlone, initial: () => ({ visits: 0 }) }) }
    })
    const browser = new Browser(made[0]!.sessions, firefox)
    await browser.send(async (session) => await session.login('ada'))
    return new ManagedServer(made, browser.token!)
  }

  private constructor(nodes: readonly Node[], token: string) {
    this.#nodes = nodes
    this.token = token
    for (const { sessions } of nodes) {
      sessions.on('suspected', ({ reason }) => this.suspected.push(reason))
      sessions.on('ended', (event) => {
        this.#ended = true
        if (event.reason !== 'reuse') this.#wrong.push(event)
      })
      sessions.on('error', ({ error }) => this.#wrong.push(error))
    }
  }

  isEnded(): boolean {
    return this.#ended
  }

  async show(token: string, now: number, client: Client): Promise<Answer> {
    const browser = this.#receive(token, now, client)
    const writes = this.#requests % 3 === 0
    const serve = (session: Session<Data>): boolean => {
      if (!session.isNew && writes) session.data.visits++
      return !session.isNew
    }
    try {
      const ok = await browser.send(serve)
      return { ok, set: browser.setCookie === null ? null : browser.token }
    } catch (error) {
      // It ended while this request wrote to it.
      if (isGone(error)) return { ok: false, set: null }
      throw error
    }
  }

  async logIn(token: string, now: number): Promise<void> {
    await this.#receive(token, now, 'user').send(async (session) => await session.login('ada'))
  }

  async close(): Promise<void> {
    for (const { sessions } of this.#nodes) await sessions.close()
    assert.deepEqual(this.#wrong, [])
  }

  #receive(token: string, now: number, client: Client): Browser<Data> {
    const { sessions, clock } = this.#nodes[this.#requests++ % this.#nodes.length]!
    clock.set(start + inMs(now))
    return new Browser(sessions, client === 'user' ? firefox : chrome, token)
  }
}

function inMs(seconds: number): number {
  return Math.round(seconds * 1000)
}

/** Asks the real server and the reference, and holds the one to the other's answer at each request. */
export class ComparedServer implements Server {
  readonly token: string
  readonly #real: ManagedServer
  readonly #reference = new Reference()
  /** What the reference calls the real tokens. */
  readonly #names: Map<string, string>

  constructor(real: ManagedServer) {
    this.#real = real
    this.token = real.token
    this.#names = new Map([[real.token, this.#reference.token]])
  }

  isEnded(): boolean {
    return this.#real.isEnded()
  }

  async show(token: string, now: number, client: Client): Promise<Answer> {
    const name = this.#names.get(token)!
    const expected = this.#reference.answer(name, inMs(now) / 1000, client)
    const answer = await this.#real.show(token, now, client)
    assert.deepEqual(
      { ok: answer.ok, sets: answer.set !== null },
      { ok: expected.ok, sets: expected.set !== null },
      `${client} shows ${name} at ${now}`,
    )
    if (answer.set !== null) this.#names.set(answer.set, expected.set!)
    this.#compare()
    return answer
  }

  async logIn(token: string, now: number): Promise<void> {
    await this.#reference.logIn()
    await this.#real.logIn(token, now)
    this.#compare()
  }

  #compare(): void {
    assert.deepEqual(this.#real.suspected, this.#reference.suspected)
    assert.equal(this.#real.isEnded(), this.#reference.isEnded())
  }
}
