import type { Clock } from '../../src/core/core.ts'
import { Random } from './random.ts'

/** Something that will happen, unless it is cancelled. */
export interface Event {
  readonly at: number
  readonly order: number
  action: (() => void) | null
}

const nextTurn = setImmediate

/**
 * The simulation's time: events in the order of their times, and a clock that jumps from one to the next. Between two events all
 * that waits on promises goes on, so that the real manager runs as it is.
 */
export class VirtualTime {
  /** Ms since the beginning, with fractions. */
  now = 0
  readonly random: Random
  /** What the manager is given. */
  readonly clock: Clock = { now: () => this.begin + Math.floor(this.now) }
  readonly begin = Date.UTC(2026, 0, 5)
  readonly #heap: Event[] = []
  #order = 0

  constructor(seed: number) {
    this.random = new Random(seed)
  }

  at(time: number, action: () => void): Event {
    const event = { at: Math.max(time, this.now), order: this.#order++, action }
    this.#push(event)
    return event
  }

  after(ms: number, action: () => void): Event {
    return this.at(this.now + ms, action)
  }

  sleep(ms: number): Promise<void> {
    return new Promise((resolve) => this.after(ms, resolve))
  }

  /** Lets happen what happens until then. */
  async run(until: number): Promise<void> {
    while (this.#heap.length > 0 && this.#heap[0]!.at <= until) await this.#step()
    this.now = Math.max(this.now, until)
  }

  /** Lets time go by until a promise is settled. */
  async settle<T>(promise: Promise<T>): Promise<T> {
    const state = { settled: false }
    const over = (): void => void (state.settled = true)
    promise.then(over, over)
    await turn()
    while (!state.settled) {
      if (this.#heap.length === 0) throw new Error('The simulation waits for something that will never happen.')
      await this.#step()
    }
    return await promise
  }

  /**
   * Makes the globals that the library uses (timers, `Date.now`, `performance.now`, `Math.random`) those of the simulation.
   *
   * @returns what gives them back
   */
  takeOver(): () => void {
    const real = { setTimeout, clearTimeout, setImmediate, random: Math.random, dateNow: Date.now }
    const later = (ms: number, action: () => void): Timer => new Timer(this.after(ms, action))
    const virtual = {
      setTimeout: (action: (...args: unknown[]) => void, ms = 0, ...args: unknown[]) => later(ms, () => action(...args)),
      clearTimeout: (timer: Timer | null | undefined) => timer?.cancel(),
      setImmediate: (action: (...args: unknown[]) => void, ...args: unknown[]) => later(0, () => action(...args)),
    }
    Object.assign(globalThis, virtual)
    Math.random = () => this.random.next()
    Date.now = () => this.clock.now()
    performance.now = () => this.now
    return () => {
      Object.assign(globalThis, { setTimeout: real.setTimeout, clearTimeout: real.clearTimeout, setImmediate: real.setImmediate })
      Math.random = real.random
      Date.now = real.dateNow
      // The own property goes, and the prototype's is there again.
      Reflect.deleteProperty(performance, 'now')
    }
  }

  async #step(): Promise<void> {
    const event = this.#pop()
    if (event.action === null) return
    this.now = event.at
    event.action()
    await turn()
  }

  #push(event: Event): void {
    const heap = this.#heap
    let at = heap.length
    heap.push(event)
    while (at > 0) {
      const above = (at - 1) >> 1
      if (!isBefore(event, heap[above]!)) break
      heap[at] = heap[above]!
      at = above
    }
    heap[at] = event
  }

  #pop(): Event {
    const heap = this.#heap
    const first = heap[0]!
    const last = heap.pop()!
    if (heap.length === 0) return first
    let at = 0
    for (;;) {
      let below = 2 * at + 1
      if (below >= heap.length) break
      if (below + 1 < heap.length && isBefore(heap[below + 1]!, heap[below]!)) below++
      if (!isBefore(heap[below]!, last)) break
      heap[at] = heap[below]!
      at = below
    }
    heap[at] = last
    return first
  }
}

/** What `setTimeout` answers. */
class Timer {
  readonly #event: Event

  constructor(event: Event) {
    this.#event = event
  }

  cancel(): void {
    this.#event.action = null
  }

  ref(): this {
    return this
  }

  unref(): this {
    return this
  }
}

function isBefore(one: Event, other: Event): boolean {
  return one.at < other.at || (one.at === other.at && one.order < other.order)
}

/** Everything that waits on promises alone has gone on after one turn of the real event loop. */
function turn(): Promise<void> {
  return new Promise((resolve) => nextTurn(resolve))
}
