import { setTimeout as sleep } from 'node:timers/promises'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import type { SojournError } from '../../src/core/errors.ts'
import type { CallOptions, Maybe, SessionRecord, Store, Swept, Touch } from '../../src/core/store.ts'
import { TimedStore } from '../../src/core/timed-store.ts'
import { createSessions } from '../../src/sessions.ts'
import { memory } from '../../src/stores/memory.ts'
import { newRecord } from '../../src/testing/store-cases/rule.ts'
import { Later } from './store-over.ts'
import { Visitor } from './visitor.ts'

const limit = 60

/** A store whose server can stop answering, for all that is asked meanwhile or from one record of a list on. */
class Silent implements Store {
  readonly name = 'silent'
  isSilent = false
  /** How many records a list answers before it falls silent. */
  listed = Infinity
  returns = 0
  readonly signals: (AbortSignal | undefined)[] = []
  readonly #next = new Later(memory())
  readonly #waiting: ((error: Error) => void)[] = []

  /** Answers at last what was asked, with a failure. */
  failLate(): void {
    for (const reject of this.#waiting.splice(0)) reject(new Error('the server is gone'))
  }

  #ask<T>(options: CallOptions | undefined, answer: () => Maybe<T>): Maybe<T> {
    if (!this.isSilent) return answer()
    this.signals.push(options?.signal)
    return new Promise((_, reject) => this.#waiting.push(reject))
  }

  get(id: string, options?: CallOptions): Maybe<SessionRecord | null> {
    return this.#ask(options, () => this.#next.get(id))
  }

  put(record: SessionRecord, expected: number, options?: CallOptions): Maybe<boolean> {
    return this.#ask(options, () => this.#next.put(record, expected))
  }

  touch(batch: readonly Touch[], options?: CallOptions): Maybe<void> {
    return this.#ask(options, () => this.#next.touch(batch))
  }

  delete(id: string, options?: CallOptions): Maybe<boolean> {
    return this.#ask(options, () => this.#next.delete(id))
  }

  async *list(userId?: string, options?: CallOptions): AsyncGenerator<SessionRecord> {
    try {
      let count = 0
      for await (const record of this.#next.list(userId)) {
        this.isSilent ||= count++ >= this.listed
        await this.#ask(options, () => {})
        yield record
      }
    } finally {
      this.returns++
    }
  }

  sweep(now: number, count: number, options?: CallOptions): Maybe<Swept> {
    return this.#ask(options, () => this.#next.sweep(now, count))
  }

  time(options?: CallOptions): Maybe<number> {
    return this.#ask(options, () => Date.now())
  }

  close(): void {}
}

const unhandled: unknown[] = []
const note = (reason: unknown) => void unhandled.push(reason)
beforeEach(() => void process.on('unhandledRejection', note))
afterEach(async () => {
  vi.restoreAllMocks()
  await new Promise((resolve) => setTimeout(resolve, 5))
  process.off('unhandledRejection', note)
  if (unhandled.length > 0) throw new Error('a rejection was left unhandled', { cause: unhandled.splice(0) })
})

const within = async (ask: () => unknown): Promise<SojournError> => {
  const start = performance.now()
  const error = await (async () => await ask())().then(
    () => null,
    (failure: unknown) => failure,
  )
  const took = performance.now() - start
  expect(took).toBeGreaterThanOrEqual(limit - 2)
  // A busy machine's timers are late.
  expect(took).toBeLessThan(limit + 500)
  return error as SojournError
}

const listAll = async (store: Store): Promise<number> => {
  let count = 0
  for await (const _ of store.list()) count++
  return count
}

test('a signal that is first asked for when the time limit is over is aborted from the start, and many may listen to one', async () => {
  let asked: AbortSignal | undefined
  const warnings: string[] = []
  const warn = ({ name }: Error) => void warnings.push(name)
  process.on('warning', warn)
  class Slow extends Silent {
    override async get(_id: string, options?: CallOptions): Promise<null> {
      await new Promise((resolve) => setTimeout(resolve, 2 * limit))
      asked = options?.signal
      return null
    }
    override async touch(_batch: readonly Touch[], options?: CallOptions): Promise<void> {
      for (let i = 0; i < 50; i++) options!.signal!.addEventListener('abort', () => {})
    }
  }
  const store = new TimedStore(new Slow(), limit)
  await store.touch([])
  await expect(store.get('x')).rejects.toMatchObject({ code: 'ERR_SOJOURN_STORE' })
  await vi.waitFor(() => expect(asked?.aborted).toBe(true), { timeout: 5000 })
  expect(asked!.reason).toMatchObject({ code: 'ERR_SOJOURN_STORE' })
  await new Promise((resolve) => setTimeout(resolve, 5))
  process.off('warning', warn)
  expect(warnings).toEqual([])
})

describe('a store that does not answer', () => {
  const verbs: Readonly<Record<string, (store: Store) => unknown>> = {
    get: (store) => store.get('x'),
    put: (store) => store.put(newRecord(), 0),
    touch: (store) => store.touch([newRecord()]),
    delete: (store) => store.delete('x'),
    list: (store) => listAll(store),
    sweep: (store) => store.sweep(Date.now(), 10),
    time: (store) => store.time!(),
  }

  test.each(Object.entries(verbs))(
    '%s fails within the limit; the signal is aborted, the late failure unheard, and it recovers by itself',
    async (verb, ask) => {
      const silent = new Silent()
      const store = new TimedStore(silent, limit)
      await store.put(newRecord(), 0)
      silent.isSilent = true
      const error = await within(() => ask(store))
      expect(error).toMatchObject({ code: 'ERR_SOJOURN_STORE', status: 503, headers: { 'Retry-After': '1' } })
      expect(error.message).toContain(`(silent) did not answer '${verb}' within ${limit} ms`)
      expect(silent.signals).toHaveLength(1)
      expect(silent.signals[0]).toMatchObject({ aborted: true, reason: error })
      silent.failLate()
      await new Promise((resolve) => setTimeout(resolve, 5))
      silent.isSilent = false
      await ask(store)
    },
  )

  test('each step of a list has the limit for itself, and a list that fell silent lets go once it can', async () => {
    const silent = new Silent()
    const store = new TimedStore(silent, limit)
    for (let index = 0; index < 4; index++) await store.put(newRecord(), 0)
    let count = 0
    for await (const _ of store.list()) {
      count++
      await new Promise((resolve) => setTimeout(resolve, limit / 2))
    }
    expect(count).toBe(4)
    for (silent.listed = 1; silent.listed < 4; silent.listed++) {
      silent.isSilent = false
      const before = silent.returns
      let seen = 0
      const error = await within(async () => {
        for await (const _ of store.list()) seen++
      })
      expect(error).toMatchObject({ code: 'ERR_SOJOURN_STORE' })
      expect(seen).toBe(silent.listed)
      silent.failLate()
      await new Promise((resolve) => setTimeout(resolve, 5))
      expect(silent.returns).toBe(before + 1)
    }
  })

  test('a list that is left early is left in the store too', async () => {
    const silent = new Silent()
    const store = new TimedStore(silent, limit)
    for (let index = 0; index < 3; index++) await store.put(newRecord(), 0)
    for await (const _ of store.list()) break
    await new Promise((resolve) => setImmediate(resolve))
    expect(silent.returns).toBe(1)
  })
})

test('a store that answers at once pays for no timer', async () => {
  const timers = vi.spyOn(globalThis, 'setTimeout')
  const store = new TimedStore(memory(), limit)
  const record = newRecord()
  expect(store.put(record, 0)).toBe(true)
  expect(store.get(record.id)).toEqual(record)
  expect(store.touch([record])).toBeUndefined()
  expect(store.sweep(0, 10)).toEqual({ removed: [], more: false })
  expect(store.delete(record.id)).toBe(true)
  expect(timers).not.toHaveBeenCalled()
})

test('an answer in time leaves no timer behind that a process would wait for', async () => {
  const timers = () => process.getActiveResourcesInfo().filter((kind) => kind === 'Timeout').length
  const store = new TimedStore(new Later(memory()), 60_000)
  const before = timers()
  const waiting = store.get('x')
  expect(timers()).toBe(before + 1)
  await waiting
  expect(timers()).toBe(before)
  const record = newRecord()
  await store.put(record, 0)
  const [one, other] = [store.get(record.id), store.get(record.id)]
  expect(timers()).toBe(before + 1)
  await Promise.all([one, other])
  expect(await listAll(store)).toBe(1)
  expect(timers()).toBe(before)
})

test('each call has the whole limit, whenever it begins and whatever is answered meanwhile', async () => {
  const span = 300
  const answers: (() => void)[] = []
  const store = new TimedStore(
    Object.assign(new Later(memory()), { get: () => new Promise<null>((resolve) => answers.push(() => resolve(null))) }),
    span,
  )
  const ends: Promise<number>[] = []
  for (let i = 0; i < 8; i++) {
    const began = performance.now()
    ends.push(
      Promise.resolve(store.get('x')).then(
        () => -1,
        () => performance.now() - began,
      ),
    )
    await sleep(span / 6)
    // The oldest, one in the middle, the newest.
    if (i === 1) answers[0]!()
    if (i === 4) answers[3]!()
    if (i === 6) answers[6]!()
  }
  const took = await Promise.all(ends)
  expect(took.map((time) => time === -1)).toEqual([true, false, false, true, false, false, true, false])
  for (const time of took.filter((time) => time !== -1)) {
    expect(time).toBeGreaterThanOrEqual(span - 2)
    expect(time).toBeLessThan(span * 2)
  }
})

test('a limit longer than Node’s timers know is as good as none, not none at all', async () => {
  const store = new TimedStore(new Later(memory()), 90 * 86_400_000)
  expect(await store.get('x')).toBeNull()
  let isOver = false
  const silent = new Silent()
  silent.isSilent = true
  const asked = Promise.resolve(new TimedStore(silent, 90 * 86_400_000).get('x')).catch(() => void (isOver = true))
  await new Promise((resolve) => setTimeout(resolve, 20))
  expect(isOver).toBe(false)
  silent.failLate()
  await asked
})

test('requests fail within the limit, two limits for a write, and work again when the server does', async () => {
  const silent = new Silent()
  const sessions = createSessions<{ count: number }>({ store: silent, storeTimeout: limit, initial: () => ({ count: 0 }) })
  sessions.on('error', () => {})
  const visitor = new Visitor(sessions)
  await visitor.visit((session) => void session.data.count++)
  const opened = await visitor.open()
  opened.data.count++
  silent.isSilent = true
  expect(await within(() => visitor.open())).toMatchObject({ code: 'ERR_SOJOURN_STORE' })
  expect(await within(() => opened.commit())).toMatchObject({ code: 'ERR_SOJOURN_UNKNOWN_OUTCOME', status: 503 })
  expect(await within(() => sessions.sweep())).toMatchObject({ code: 'ERR_SOJOURN_STORE' })
  silent.isSilent = false
  silent.failLate()
  await visitor.visit((session) => void session.data.count++)
  expect(await visitor.read()).toEqual({ count: 2 })
  await sessions.close()
})

test.each([0, -1, 'soon', Number.NaN, Infinity])('storeTimeout %j is refused', (storeTimeout) => {
  expect(() => createSessions({ storeTimeout })).toThrow(expect.objectContaining({ code: 'ERR_SOJOURN_OPTION' }))
})
