import type { Maybe, SessionRecord, Store } from '../../src/core/store.ts'
import { isPromise } from '../../src/core/routine.ts'
import { StoreOver, turn } from './store-over.ts'

/** What becomes of a put whose answer is lost. */
export interface Fate {
  /** Whether it is performed. */
  readonly lands: boolean
  /** What happens between that and the loss. */
  readonly meanwhile?: (record: SessionRecord, expected: number) => void
}

/** A store some of whose puts are performed, or not, and then fail, at once or later, as when a connection breaks. */
export class Unanswering extends StoreOver {
  /** What becomes of the next puts; when there are none, they are answered. */
  fates: Fate[] = []
  /** So many reads fail after the next lost put. */
  blindReads = 0
  /** The puts since the last `expect`. */
  puts: { record: SessionRecord; expected: number }[] = []
  /** Called before each put that is answered. */
  beforePut: (() => void) | null = null
  readonly #later: boolean
  #blind = 0

  constructor(next: Store, later: boolean) {
    super(next)
    this.#later = later
  }

  /** Lets the next puts come to these ends, and counts from here. */
  lose(...fates: Fate[]): void {
    this.fates = fates
    this.puts = []
  }

  override get(id: string, options?: { readonly fresh?: boolean }): Maybe<SessionRecord | null> {
    if (this.#blind > 0) {
      this.#blind--
      return this.#fail('no answer to the read')
    }
    const record = super.get(id, options)
    return this.#later ? turn().then(() => record) : record
  }

  override put(record: SessionRecord, expected: number): Maybe<boolean> {
    this.puts.push({ record, expected })
    const fate = this.fates.shift()
    if (fate === undefined) {
      this.beforePut?.()
      this.beforePut = null
      const landed = super.put(record, expected)
      return this.#later ? turn().then(() => landed) : landed
    }
    if (fate.lands && super.put(record, expected) !== true) throw new Error('the test wanted this put to land')
    fate.meanwhile?.(record, expected)
    this.#blind = this.blindReads
    return this.#fail('no answer to the put')
  }

  #fail<T>(message: string): Maybe<T> {
    if (!this.#later) throw new Error(message)
    return turn().then(() => {
      throw new Error(message)
    })
  }

  /** What is stored, whatever becomes of answers. */
  stored(id: string): SessionRecord | null {
    const record = this.next.get(id)
    if (isPromise(record)) throw new Error('the store below must answer at once')
    return record
  }

  /** Another writer's put over what is stored, with data that these words are changed in. */
  overwrite(id: string, step: number, [from, to]: readonly [string, string]): void {
    const record = this.stored(id)!
    const next = { ...record, version: record.version + step, data: record.data.replace(from, to) }
    if (next.data === record.data || this.next.put(next, record.version) !== true) throw new Error('the other put did not land')
  }
}
