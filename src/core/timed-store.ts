import { Call } from './call.ts'
import { Deadlines, Limited } from './deadlines.ts'
import { SojournError } from './errors.ts'
import type { CallOptions, ChangeListener, GetOptions, Maybe, Removed, SessionRecord, Store, Swept, Touch } from './store.ts'
import { isPromise } from './routine.ts'

/**
 * A store whose verbs answer within a time limit, and by the contract, or fail: nothing in the core waits for a server that says
 * nothing, or takes what it says for "yes" where it is no answer.
 */
export class TimedStore implements Store {
  readonly name: string
  readonly caches: boolean
  readonly time?: (options?: CallOptions) => Maybe<number>
  readonly watchChanges?: (listener: ChangeListener) => () => void
  readonly #store: Store
  readonly #limit: number
  readonly #deadlines: Deadlines

  constructor(store: Store, limit: number) {
    this.name = store.name
    this.caches = store.caches === true
    this.#store = store
    this.#limit = limit
    this.#deadlines = new Deadlines(limit)
    if (store.time !== undefined) this.time = () => this.#within('time', (call) => store.time!(call))
    if (store.watchChanges !== undefined) this.watchChanges = (listener) => store.watchChanges!(listener)
  }

  set onEvicted(listener: ((removed: Removed) => void) | undefined) {
    this.#store.onEvicted = listener
  }

  get(id: string, options?: GetOptions): Maybe<SessionRecord | null> {
    // Written out: each request asks, and closures would take as long as a store in memory.
    const call = new Call(options?.fresh)
    const answer = this.#store.get(id, call)
    if (isPromise(answer)) return this.#limited('get', call, answer, (later) => isRecordOf(id, later))
    if (isRecordOf(id, answer)) return answer
    throw this.#noAnswer('get', answer)
  }

  put(record: SessionRecord, expected: number): Maybe<boolean> {
    return this.#within('put', (call) => this.#store.put(record, expected, call), isBoolean)
  }

  touch(batch: readonly Touch[]): Maybe<void> {
    return this.#within('touch', (call) => this.#store.touch(batch, call))
  }

  delete(id: string): Maybe<boolean> {
    return this.#within('delete', (call) => this.#store.delete(id, call), isBoolean)
  }

  sweep(now: number, limit: number): Maybe<Swept> {
    return this.#within('sweep', (call) => this.#store.sweep(now, limit, call))
  }

  /** Each step is limited, not the whole: a long list is no failure. */
  async *list(userId?: string): AsyncGenerator<SessionRecord, void> {
    const call = new Call()
    const records = this.#store.list(userId, call)[Symbol.asyncIterator]()
    try {
      for (;;) {
        const step = await this.#limited('list', call, records.next(), isAny)
        if (step.done === true) return
        if (!isRecord(step.value)) throw this.#noAnswer('list', step.value)
        yield step.value
      }
    } finally {
      // Not waited for: a server that says nothing must not hold the one who leaves.
      records.return?.(undefined)?.catch(() => {})
    }
  }

  close(): Maybe<void> {
    return this.#store.close()
  }

  #within<T>(verb: string, work: (call: Call) => Maybe<T>, isAnswer: IsAnswer = isAny): Maybe<T> {
    const call = new Call()
    const answer = work(call)
    if (isPromise(answer)) return this.#limited(verb, call, answer, isAnswer)
    if (isAnswer(answer)) return answer
    throw this.#noAnswer(verb, answer)
  }

  #limited<T>(verb: string, call: Call, answer: Promise<T>, isAnswer: IsAnswer): Promise<T> {
    return new Promise((resolve, reject) => {
      const waiting = new Waiting(this.#tooLate, verb, call, reject)
      this.#deadlines.begin(waiting)
      answer.then(
        (value) => {
          this.#deadlines.end(waiting)
          if (isAnswer(value)) resolve(value)
          else reject(this.#noAnswer(verb, value))
        },
        (error: unknown) => {
          this.#deadlines.end(waiting)
          reject(error instanceof Error ? error : new Error(String(error)))
        },
      )
    })
  }

  readonly #tooLate = (verb: string): SojournError =>
    new SojournError(
      'ERR_SOJOURN_STORE',
      `The session store (${this.name}) did not answer '${verb}' within ${this.#limit} ms; look whether its server is up and not overloaded, or raise storeTimeout.`,
    )

  #noAnswer(verb: string, answer: unknown): SojournError {
    const isError = answer instanceof Error
    const what = isError ? 'an error that it returned instead of throwing it' : `what is no answer to that (${typeof answer})`
    return new SojournError(
      'ERR_SOJOURN_STORE',
      `The session store (${this.name}) answered '${verb}' with ${what}, so nothing is taken for read or done; mend the store by the contract in sojourn/store, or what stands before it.`,
      isError ? { cause: answer } : {}, // Anything else may hold a session's data.
    )
  }
}

/** A call that has not been answered. */
class Waiting extends Limited {
  readonly #tooLate: (verb: string) => SojournError
  readonly #verb: string
  readonly #call: Call
  readonly #reject: (error: SojournError) => void

  constructor(tooLate: (verb: string) => SojournError, verb: string, call: Call, reject: (error: SojournError) => void) {
    super()
    this.#tooLate = tooLate
    this.#verb = verb
    this.#call = call
    this.#reject = reject
  }

  override expire(): void {
    const error = this.#tooLate(this.#verb)
    this.#reject(error)
    this.#call.giveUp(error)
  }
}

type IsAnswer = (answer: unknown) => boolean

function isAny(): boolean {
  return true
}

function isBoolean(answer: unknown): boolean {
  return typeof answer === 'boolean'
}

function isRecordOf(id: string, answer: unknown): boolean {
  return answer === null || (isRecord(answer) && answer.id === id)
}

/** Whether it has all that the core decides by. */
function isRecord(answer: unknown): answer is SessionRecord {
  if (typeof answer !== 'object' || answer === null) return false
  const { id, version, userId, createdAt, lastSeenAt, expiresAt, head, data } = answer as Partial<Record<keyof SessionRecord, unknown>>
  return (
    typeof id === 'string' &&
    typeof head === 'string' &&
    typeof data === 'string' &&
    (userId === null || typeof userId === 'string') &&
    Number.isFinite(version) &&
    Number.isFinite(createdAt) &&
    Number.isFinite(lastSeenAt) &&
    Number.isFinite(expiresAt)
  )
}
