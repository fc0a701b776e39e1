import { setImmediate as tick, setTimeout as sleep } from 'node:timers/promises'
import type fc from 'fast-check'
import { createSessions, type EncryptionOptions, type SojournError } from '../../src/index.ts'
import { managerOf } from '../../src/core/manager.ts'
import type { Sessions } from '../../src/core/sessions.ts'
import type { SessionRecord, Store } from '../../src/core/store.ts'
import { fakeClock } from '../../src/testing/fake-clock.ts'
import { Model } from './model.ts'
import { Overheard } from './overheard.ts'
import { timeouts } from './program.ts'
import { scheduledStore } from './scheduled-store.ts'
import { Watch } from './watched-store.ts'

/** What sessions hold here. `adds` names each `count += 1`, so that one that is lost or counted twice shows. */
export interface Data {
  count: number
  adds: Record<string, true>
  items: string[]
  fields: Record<string, string>
}

export function initial(): Data {
  return { count: 0, adds: {}, items: [], fields: {} }
}

export interface Browser {
  readonly name: string
  /** The token in its cookie jar, and all that ever were there. */
  jar: string | null
  readonly past: string[]
  /** Every message took less than half the grace, and nobody showed a token that was stolen. */
  punctual: boolean
}

/** The situations that programs got into: without them the invariants would hold for nothing. */
export const situations = [
  'a request shows the token of a tombstone',
  'a write is refused',
  'a login follows another of the same user',
  'two writes collide',
  'a message is taken',
  'an older token is served',
  'a new secret is confirmed',
  'a late secret is refused',
  'a session is used at the last moment',
  'a session is over when its token comes',
  'a sweep takes a live record',
] as const
export type Situation = (typeof situations)[number]

export interface StoreUnderTest {
  readonly raw: Store
  /** Whether the scheduler starts its verbs and delivers their answers. */
  readonly scheduled: boolean
  /** Whether it answers even a read only later, as a server does. */
  readonly readsLater?: boolean | undefined
  /** Puts a bug between the core and the store. */
  readonly plant?: ((store: Store) => Store) | undefined
  /** How each of the two nodes encrypts. */
  readonly encryption?: readonly [EncryptionOptions, EncryptionOptions] | undefined
  /** Counts the situations. */
  readonly reached?: Map<Situation, number> | undefined
}

/** All that one program has: a clock, two nodes on one store, browsers, and a model that is told what was promised. */
export class World {
  readonly clock = fakeClock(Date.UTC(2030, 0, 1))
  readonly watch: Watch
  readonly model: Model
  readonly nodes: readonly Sessions<Data>[]
  readonly browsers: Browser[] = []
  readonly faults: string[] = []
  readonly #scheduler: fc.Scheduler
  readonly #going = new Set<Promise<void>>()
  readonly #verbs = new Set<{ readonly began: number }>()
  readonly #names = new Map<string, string>()
  readonly #reached: Map<Situation, number>
  readonly #overheard = new Overheard()
  #slowestVerb = 0
  #moment = 0

  constructor(scheduler: fc.Scheduler, under: StoreUnderTest) {
    const { scheduled, plant = (store) => store, encryption, reached = new Map() } = under
    this.#scheduler = scheduler
    this.#reached = reached
    this.watch = new Watch(under, this)
    this.model = new Model(this)
    const store = plant(scheduled ? scheduledStore(this.watch.store, scheduler, this) : this.watch.store)
    this.nodes = [0, 1].map((node) =>
      createSessions<Data>({
        store,
        initial,
        timeouts,
        clock: this.clock,
        sweepInterval: '10d',
        storeTimeout: '20s',
        encryption: encryption?.[node],
      }),
    )
    for (const node of this.nodes) {
      this.#listen(node)
      if (encryption !== undefined) this.#overheard.listen(managerOf(node).core.store)
    }
  }

  /** The invariants are numbered as in model.test.ts. */
  readonly fault = (invariant: number, what: string): void => {
    this.faults.push(`(${invariant}) ${what}`)
  }

  readonly reached = (situation: Situation): void => {
    this.#reached.set(situation, (this.#reached.get(situation) ?? 0) + 1)
  }

  /** A stored record as the core had it before it was sealed. */
  readonly opened = (record: SessionRecord): SessionRecord => this.#overheard.opened(record)

  /** Whether a tombstone means this user. */
  readonly isNamed = (name: string | null, userId: string): boolean =>
    managerOf(this.nodes[0]!).core.sealing?.isNamed(name, userId) ?? name === userId

  /** Orders all that is observed. */
  moment(): number {
    return ++this.#moment
  }

  /** A short name, the same in each run of a program. */
  readonly called = (id: string): string => {
    const name = this.#names.get(id) ?? `s${this.#names.size + 1}`
    this.#names.set(id, name)
    return name
  }

  /** A place where anything else may happen first. */
  async pause(label: string): Promise<void> {
    await this.#scheduler.schedule(Promise.resolve(), label)
  }

  /** Lets something go on beside all else. */
  start(label: string, work: () => Promise<void>): void {
    const going: Promise<void> = work()
      .catch((error: unknown) => this.fault(0, `${label} failed: ${error instanceof Error ? error.stack : String(error)}`))
      .finally(() => this.#going.delete(going))
    this.#going.add(going)
  }

  async turns(count: number): Promise<void> {
    await tick()
    for (let turn = 0; turn < count && this.#scheduler.count() > 0; turn++) {
      await this.#scheduler.waitOne()
      await tick()
    }
  }

  /** Until nothing is in flight. */
  async settle(): Promise<void> {
    for (let idle = 0; this.#going.size > 0 && idle < 3000; idle++) {
      await this.turns(Infinity)
      // What waits for no task waits for real time: a writer that lost several times in a row.
      if (this.#going.size > 0) await sleep(1)
    }
    if (this.#going.size > 0) this.fault(0, 'something never came to an end')
  }

  /** Time goes by. Uses of sessions that wait to be noted are sent, as their timer would a second later. */
  pass(ms: number): void {
    const noted = this.model.noting()
    this.start('touches', async () => {
      await Promise.all(this.nodes.map(async (node) => await managerOf(node).toucher.flush()))
      noted()
    })
    this.clock.advance(ms)
  }

  verbBegins(): () => void {
    const verb = { began: this.clock.now() }
    this.#verbs.add(verb)
    return () => {
      this.#verbs.delete(verb)
      this.#slowestVerb = Math.max(this.#slowestVerb, this.clock.now() - verb.began)
    }
  }

  /** How long the store has taken for one answer: a use may be noted by so much too early. */
  slack(): number {
    return Math.max(this.#slowestVerb, ...[...this.#verbs].map(({ began }) => this.clock.now() - began))
  }

  throwFaults(): void {
    if (this.faults.length > 0) throw new Error(this.faults.join('\n'))
  }

  async close(): Promise<void> {
    for (const node of this.nodes) this.start('close', async () => await node.close())
    await this.settle()
  }

  #listen(node: Sessions<Data>): void {
    const { model } = this
    node.on('created', (event) => model.told('created', event))
    node.on('loggedIn', (event) => model.told('loggedIn', event))
    node.on('ended', (event) => model.told('ended', event))
    node.on('expired', (event) => model.told('expired', event))
    node.on('renewed', () => this.reached('a new secret is confirmed'))
    node.on('conflict', ({ id, paths }) => model.conflicted(id, paths))
    node.on('suspected', ({ id, reason }) => model.suspected(id, reason))
    node.on('error', ({ error }) => this.#failed(error))
  }

  /** A request that only read, and was to be given a new secret, finds its session gone: it is served, and that is reported. */
  #failed(error: SojournError): void {
    if (error.code !== 'ERR_SOJOURN_ENDED' && error.code !== 'ERR_SOJOURN_MOVED')
      this.fault(0, `an error was reported: ${error.code} ${error.message}`)
  }
}
