import type { Maybe } from './store.ts'

/**
 * A piece of work that waits only where it must. The same code serves a store that answers at once, without a single
 * microtask, and one that answers later: `const record = yield* wait(store.get(id))`.
 */
export type Routine<T> = Generator<Promise<unknown>, T, unknown>

/** Inside a routine: the value, or what the promise brings. Both a throw and a rejection arrive as a throw. */
export function* wait<T>(value: Maybe<T>): Routine<T> {
  return isPromise(value) ? ((yield value) as T) : value
}

/** Runs a routine: its result at once if nothing had to be waited for, else a promise of it. */
export function run<T>(routine: Routine<T>): Maybe<T> {
  const step = routine.next()
  return step.done ? step.value : goOn(routine, step.value)
}

async function goOn<T>(routine: Routine<T>, first: Promise<unknown>): Promise<T> {
  let waiting = first
  for (;;) {
    let step: IteratorResult<Promise<unknown>, T>
    let answer: unknown
    let failed = false
    try {
      answer = await waiting
    } catch (error) {
      failed = true
      answer = error
    }
    step = failed ? routine.throw(answer) : routine.next(answer)
    if (step.done) return step.value
    waiting = step.value
  }
}

export function isPromise<T>(value: Maybe<T>): value is Promise<T> {
  return typeof value === 'object' && value !== null && 'then' in value && typeof value.then === 'function'
}
