import { givenUp } from '../../core/call.ts'
import { isPromise } from '../../core/routine.ts'
import type { GetOptions, Maybe, SessionRecord, Store } from '../../core/store.ts'
import type { Flight, Flights } from './flights.ts'

/** A read on its way, with whose it is. */
interface Read {
  readonly flight: Flight
  readonly sentAt: number
  readonly answer: Promise<SessionRecord | null>
  readonly options: GetOptions | undefined
}

// How long, in ms, a read may go unanswered before others wait for it no more: the driver may have lost it for good.
const patience = 1000

const freshly: GetOptions = { fresh: true }

/**
 * The reads of `next`. Of one record one is on its way and one waits, however many ask: who needs it fresh shares a read that begins
 * after the call, who does not the one that is on its way.
 */
export class Reads {
  readonly #next: Store
  readonly #now: () => number
  readonly #flights: Flights
  readonly #heard: (id: string, record: SessionRecord | null, sentAt: number, floor: number) => void
  readonly #going = new Map<string, Read>()
  readonly #waiting = new Map<string, { readonly answer: Promise<SessionRecord | null>; readonly options: GetOptions | undefined }>()

  constructor(
    next: Store,
    now: () => number,
    flights: Flights,
    heard: (id: string, record: SessionRecord | null, sentAt: number, floor: number) => void,
  ) {
    this.#next = next
    this.#now = now
    this.#flights = flights
    this.#heard = heard
  }

  /** @param limit how old, in ms, the answer may be */
  any(id: string, limit: number, options?: GetOptions): Maybe<SessionRecord | null> {
    const going = this.#going.get(id)
    // One that is known to bring something old may bring what the caller itself wrote over.
    const isGood = going !== undefined && going.flight.floor === 0 && this.#now() - going.sentAt < Math.min(limit, patience)
    return isGood ? this.#shared(id, going, options) : this.#send(id, options)
  }

  fresh(id: string, options?: GetOptions): Maybe<SessionRecord | null> {
    const going = this.#going.get(id)
    if (going === undefined || this.#now() - going.sentAt >= patience) return this.#send(id, options)
    let waiting = this.#waiting.get(id)
    if (waiting === undefined) {
      const answer = settled(going.answer).then(() => {
        this.#waiting.delete(id)
        return this.#send(id, options)
      })
      waiting = { answer, options }
      this.#waiting.set(id, waiting)
      return answer
    }
    return this.#shared(id, waiting, options)
  }

  /** Whoever began a read may give it up before the others have waited for as long as they would. */
  #shared(id: string, { answer, options }: Pick<Read, 'answer' | 'options'>, own: GetOptions | undefined): Promise<SessionRecord | null> {
    return answer.catch((error: unknown) => {
      if (givenUp(options) === null || givenUp(own) !== null) throw error
      return this.#send(id, own)
    })
  }

  #send(id: string, options: GetOptions | undefined): Maybe<SessionRecord | null> {
    const sentAt = this.#now()
    const found = this.#next.get(id, this.#next.caches === true ? freshOf(options) : options)
    if (!isPromise(found)) {
      this.#heard(id, found, sentAt, 0)
      return found
    }
    const flight = this.#flights.begin(id)
    const over = (): void => {
      this.#flights.end(id, flight)
      if (this.#going.get(id) === read) this.#going.delete(id)
    }
    const answer = found.then(
      (record) => {
        over()
        this.#heard(id, record, sentAt, flight.floor)
        return record
      },
      (error: unknown) => {
        over()
        throw error
      },
    )
    const read: Read = { flight, sentAt, answer, options }
    this.#going.set(id, read)
    return answer
  }
}

/** For a `next` with a cache of its own, which may have what is older than what this one knows. */
function freshOf(options: GetOptions | undefined): GetOptions {
  if (options?.fresh === true) return options
  if (options === undefined || !('signal' in options)) return freshly
  return {
    fresh: true,
    // Made when it is first asked for.
    get signal() {
      return options.signal!
    },
  }
}

async function settled(answer: Promise<unknown>): Promise<void> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<void>((resolve) => (timer = setTimeout(resolve, patience).unref()))
  await Promise.race([
    answer.then(
      () => {},
      () => {},
    ),
    late,
  ])
  clearTimeout(timer)
}
