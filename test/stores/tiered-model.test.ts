/**
 * The near-cache alone, against a store behind it of which the test decides when each call takes effect and when its answer arrives,
 * while others write to it and time passes. One record; what it was at each moment is known.
 *
 * 1. A get answers what was there at some moment since the call, or at most the bound before it.
 * 2. A get that is called after a write of our own was acknowledged sees that write, or what came after it. So does one that is called after we were
 *    told of another's.
 * 3. A fresh get answers what was there at some moment since its call.
 */
import fc from 'fast-check'
import { expect, test } from 'vitest'
import type { ChangeListener, Maybe, SessionRecord, Store, Touch } from '../../src/core/store.ts'
import { WriteThrough } from '../../src/stores/tiered/write-through.ts'
import { turn } from '../core/store-over.ts'

const staleness = { told: 100, untold: 30 }
const id = 'x'.repeat(16)

type Step =
  | {
      readonly do: 'get' | 'fresh get' | 'put' | 'late put' | 'touch' | 'delete' | 'other puts' | 'other deletes' | 'open' | 'cut' | 'tell'
    }
  | { readonly do: 'pass'; readonly ms: number }
  | { readonly do: 'perform' | 'answer' | 'fail'; readonly which: number }

const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 24,
    arbitrary: fc.record({ do: fc.constantFrom('get', 'get', 'fresh get', 'put', 'late put', 'touch') }),
  },
  { weight: 12, arbitrary: fc.record({ do: fc.constantFrom('other puts', 'open', 'cut', 'tell', 'tell') }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constantFrom('delete', 'other deletes') }) },
  { weight: 12, arbitrary: fc.record({ do: fc.constant('pass'), ms: fc.integer({ min: 1, max: 60 }) }) },
  { weight: 56, arbitrary: fc.record({ do: fc.constantFrom('perform', 'answer', 'answer'), which: fc.nat(9) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('fail'), which: fc.nat(9) }) },
)

/** A state of the record, and from when to when it stood. */
interface State {
  readonly record: SessionRecord | null
  until: number
}

/** A call to the store behind, in the test's hands. */
interface Pending {
  perform: () => void
  performed: boolean
  answer: () => void
  fail: () => void
}

class Behind implements Store {
  readonly name = 'behind'
  clock = 0
  moment = 0
  readonly states: State[] = [{ record: null, until: Infinity }]
  readonly pending: Pending[] = []
  readonly news: number[] = []
  listener: ChangeListener | null = null
  isOpen = false
  /** Whether calls are answered at once, as a store in this process does. */
  readonly isPrompt: boolean
  readonly watchChanges?: (listener: ChangeListener) => () => void

  constructor(isPrompt: boolean, tells: boolean) {
    this.isPrompt = isPrompt
    if (tells) {
      this.watchChanges = (listener) => {
        this.listener = listener
        return () => {}
      }
    }
  }

  get current(): SessionRecord | null {
    return this.states.at(-1)!.record
  }

  /** Numbers the states, so that of two that stood within one ms it is known which came first. */
  get at(): number {
    return this.states.length - 1
  }

  set(record: SessionRecord | null, by: 'us' | 'other'): void {
    this.states.at(-1)!.until = this.clock
    this.states.push({ record, until: Infinity })
    if (by === 'other' && this.isOpen) this.news.push(this.at)
  }

  land(record: SessionRecord, expected: number): boolean {
    if ((this.current?.version ?? 0) !== expected) return false
    this.set(record, 'us')
    return true
  }

  get(): Maybe<SessionRecord | null> {
    return this.#call(() => this.current)
  }

  put(record: SessionRecord, expected: number): Maybe<boolean> {
    return this.#call(() => this.land(record, expected))
  }

  touch(batch: readonly Touch[]): Maybe<void> {
    return this.#call(() => {
      for (const { version, lastSeenAt, expiresAt } of batch) {
        const { current } = this
        if (current === null || current.version !== version || current.expiresAt <= lastSeenAt || current.expiresAt >= expiresAt) continue
        this.set({ ...current, lastSeenAt, expiresAt }, 'us')
      }
    })
  }

  delete(): Maybe<boolean> {
    return this.#call(() => {
      const was = this.current !== null
      if (was) this.set(null, 'us')
      return was
    })
  }

  async *list(): AsyncGenerator<SessionRecord, void> {}

  sweep() {
    return { removed: [], more: false }
  }

  close(): void {}

  #call<T>(work: () => T): Maybe<T> {
    if (this.isPrompt) return work()
    return new Promise((resolve, reject) => {
      let result: T
      const call: Pending = {
        performed: false,
        perform: () => {
          if (call.performed) return
          call.performed = true
          result = work()
        },
        answer: () => {
          call.perform()
          this.#over(call)
          resolve(result)
        },
        // What was sent may have landed all the same.
        fail: () => {
          this.#over(call)
          reject(new Error('lost'))
        },
      }
      this.pending.push(call)
    })
  }

  #over(call: Pending): void {
    this.pending.splice(this.pending.indexOf(call), 1)
  }
}

let versions = 0
const newRecord = (): SessionRecord => {
  const version = ++versions
  return { id, version, userId: null, createdAt: 0, lastSeenAt: 0, expiresAt: 1000, head: '', data: `${version}` }
}

interface Seen {
  hits: number
  gets: number
}

async function run(steps: readonly Step[], isPrompt: boolean, tells: boolean, seen: Seen): Promise<void> {
  versions = 0
  const behind = new Behind(isPrompt, tells)
  const store = new WriteThrough(behind, { maxBytes: 1e6, staleness }, () => behind.clock)
  // One that was there before.
  behind.set(newRecord(), 'us')
  /** The state from which on a get must answer: the last that we wrote and know of, or were told of. */
  let floor = 0
  const faults: string[] = []
  const calls: Promise<unknown>[] = []
  const told = (state: number) => (floor = Math.max(floor, state))

  const get = (fresh: boolean) => {
    const from = { floor, time: behind.clock, at: behind.at }
    const bound = behind.isOpen ? staleness.told : staleness.untold
    const check = (answer: SessionRecord | null) => {
      seen.gets++
      const stood = behind.states.map(({ record }, at) => ({ record, at })).filter(({ record }) => isOf(record, answer))
      const last = stood.at(-1)
      if (last === undefined) return void faults.push('never there')
      if (last.at < from.floor) faults.push(`state ${last.at} was answered, and ${from.floor} was known`)
      const { until } = behind.states[last.at]!
      if (fresh && last.at < from.at) faults.push(`state ${last.at} was answered fresh, and ${from.at} stood when it was asked for`)
      if (until < from.time - bound) faults.push(`a state was answered that ended ${from.time - until} ms before`)
    }
    const sent = behind.pending.length
    const answer = store.get(id, fresh ? { fresh } : undefined)
    if (answer instanceof Promise) calls.push(answer.then(check, () => {}))
    else {
      if (!isPrompt && behind.pending.length === sent) seen.hits++
      check(answer)
    }
  }
  const write = (work: () => Maybe<unknown>, state: () => number | null) => {
    const note = () => {
      const landed = state()
      if (landed !== null) told(landed)
    }
    const done = work()
    if (done instanceof Promise) calls.push(done.then(note, () => {}))
    else note()
  }
  const put = (expected: number) => {
    const record = newRecord()
    write(
      () => store.put(record, expected),
      () => {
        const at = behind.states.findIndex((one) => one.record === record)
        return at === -1 ? null : at
      },
    )
  }

  for (const one of steps) {
    switch (one.do) {
      case 'get':
      case 'fresh get':
        get(one.do === 'fresh get')
        break
      case 'put':
        if (behind.current !== null) put(behind.current.version)
        break
      case 'late put':
        put(Math.max(1, (behind.current?.version ?? 0) - 1))
        break
      case 'touch': {
        const { current } = behind
        if (current === null) break
        const touch = { id, userId: null, version: current.version, lastSeenAt: 1, expiresAt: current.expiresAt + 1 }
        write(
          () => store.touch([touch]),
          () => {
            const at = behind.states.findIndex(({ record }) => record?.version === touch.version && record.expiresAt >= touch.expiresAt)
            return at === -1 ? null : at
          },
        )
        break
      }
      case 'delete':
        write(
          () => store.delete(id),
          () => (behind.current === null ? behind.at : null),
        )
        break
      case 'other puts':
        if (behind.current !== null) behind.set(newRecord(), 'other')
        break
      case 'other deletes':
        if (behind.current !== null) behind.set(null, 'other')
        break
      case 'open':
        if (!tells) break
        behind.news.length = 0
        behind.isOpen = true
        behind.listener!.opened()
        // What another wrote before this is out of memory.
        told(behind.at)
        break
      case 'cut':
        if (!tells) break
        behind.news.length = 0
        behind.isOpen = false
        behind.listener!.cut()
        break
      case 'tell': {
        const state = behind.news.shift()
        if (state === undefined) break
        behind.listener!.changed(id)
        told(state)
        break
      }
      case 'pass':
        behind.clock += one.ms
        break
      default: {
        const call = behind.pending[one.which % Math.max(1, behind.pending.length)]
        call?.[one.do]()
      }
    }
    await turn()
    if (faults.length > 0) break
  }
  while (behind.pending.length > 0) {
    behind.pending[0]!.answer()
    await turn()
  }
  await Promise.all(calls)
  expect(faults).toEqual([])
}

/**
 * Whether an answer is this state of the record. A touch that did not land, since another version stood there already, has moved the
 * times of the old one in memory all the same: it is answered for no longer for that.
 */
function isOf(state: SessionRecord | null, answer: SessionRecord | null): boolean {
  if (state === null || answer === null) return state === answer
  return state.version === answer.version && state.expiresAt <= answer.expiresAt
}

test.each([
  ['that answers later', false, false],
  ['that answers later, and tells of changes', false, true],
  ['that answers at once', true, false],
] as const)('no history of a store %s makes the cache answer what it must not', { timeout: 300_000 }, async (_, isPrompt, tells) => {
  const seen = { hits: 0, gets: 0 }
  const runs = Number(process.env['FUZZ_RUNS'] ?? 4000)
  await fc.assert(
    fc.asyncProperty(
      fc.array(step, { minLength: 20, maxLength: 80, size: 'max' }),
      async (steps) => await run(steps, isPrompt, tells, seen),
    ),
    { numRuns: runs },
  )
  console.info(`${runs} histories, ${seen.gets} gets, ${seen.hits} of them from memory`)
  if (!isPrompt) expect(seen.hits).toBeGreaterThan(runs / 4)
})
