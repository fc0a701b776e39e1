import type { RootDatabase } from 'lmdb'
import type { Environment } from './environment.ts'
import { failure, reasonOf } from './failure.ts'
import { stampOf } from './record.ts'

/** One change of a record and its index entries: all of it lands, or nothing. */
export interface Write {
  readonly id: string
  /** Lands only on the record with this stamp; null: only where no record is. */
  readonly over: number | null
  /** The stamp that it leaves; null where it leaves no record, or another's. */
  readonly stamp: number | null
  /** Queues the puts and removals. lmdb runs them on a thread of its own, if the condition holds there. */
  readonly apply: () => void
}

interface Waiting {
  readonly id: string
  readonly stamp: number
  readonly landed: () => void
}

/**
 * Sends writes to lmdb as its native conditional batches.
 *
 * The alternative, callbacks in `transaction()`, is as fast for 32 at once on one process, but runs its JavaScript while it
 * holds the lock that all processes write under: one busy event loop would stop the others' writes, and each write costs the
 * main thread twice as much (18 against 8 µs). The condition is the record's stamp: a random number, new with each write and
 * each touch, so that index entries computed from what was read are right whenever the condition holds, and so that who finds
 * its stamp in the store knows that its write landed.
 */
export class Writer {
  #name: string
  #environment: Environment
  #read: (id: string) => Buffer | undefined
  #flush: boolean

  #waiting = new Set<Waiting>()
  #underway = 0
  #whenIdle: (() => void) | null = null

  // After a failed commit: writes go one by one, each in a commit of its own, until none is left.
  #line: Promise<unknown> | null = null
  #failed = false

  constructor(name: string, environment: Environment, read: (id: string) => Buffer | undefined, flush: boolean) {
    this.#name = name
    this.#environment = environment
    this.#read = read
    this.#flush = flush
    if (!flush) whenVisible(environment.root, () => this.#answerVisible())
  }

  /** True once it landed, false if its condition did not hold. Rejects with a SojournError; then it may have landed. */
  write(verb: string, write: Write): Promise<boolean> {
    return new Promise((resolve, reject) => {
      let waiting: Waiting | null = null
      if (!this.#flush && write.stamp !== null) {
        waiting = { id: write.id, stamp: write.stamp, landed: () => resolve(true) }
        this.#waiting.add(waiting)
      }
      this.#underway++
      this.#land(verb, write)
        .then(resolve, reject)
        .finally(() => {
          if (waiting !== null) this.#waiting.delete(waiting)
          if (--this.#underway === 0) this.#whenIdle?.()
        })
    })
  }

  /** Waits for what is under way, and flushes it. */
  async drain(): Promise<void> {
    if (this.#underway > 0) await new Promise<void>((resolve) => (this.#whenIdle = resolve))
    // After a failed commit lmdb waits for a flush that never comes, in `flushed` and in `close`: an empty commit ends that.
    if (this.#failed) await this.#environment.root.batch(() => {}).catch(() => {})
    await this.#environment.root.flushed
  }

  async #land(verb: string, write: Write): Promise<boolean> {
    if (this.#line !== null) return await this.#inLine(verb, write)
    try {
      return await this.#send(write)
    } catch (error) {
      await reasonOf(error)
      this.#failed = true
      // What fails a commit, say one record too large for the disk, fails all that lmdb put into it.
      return await this.#inLine(verb, write)
    }
  }

  async #inLine(verb: string, write: Write): Promise<boolean> {
    const mine = (this.#line ?? Promise.resolve()).then(async () => await this.#alone(verb, write))
    const line = mine.catch(() => {})
    this.#line = line
    try {
      return await mine
    } finally {
      if (this.#line === line) this.#line = null
    }
  }

  async #alone(verb: string, write: Write): Promise<boolean> {
    try {
      if (await this.#send(write)) return true
    } catch (error) {
      throw failure(this.#name, verb, await reasonOf(error))
    }
    // The commit that failed may have been visible, and only its flush have failed.
    if (write.stamp === null || this.#stampOf(write.id) !== write.stamp) return false
    if (this.#flush) throw failure(this.#name, verb, new Error('the disk did not flush it'))
    return true
  }

  async #send({ id, over, apply }: Write): Promise<boolean> {
    const { sessions } = this.#environment
    const sent: Promise<boolean> & { flushed?: Promise<unknown> } =
      over === null ? sessions.ifNoExists(id, apply) : sessions.ifVersion(id, over, apply)
    const landed = await sent
    // lmdb 3.5 answers when a commit is flushed, whatever its README says. Others may answer when it is visible.
    if (this.#flush && landed) await sent.flushed
    return landed
  }

  #answerVisible(): void {
    if (this.#waiting.size === 0) return
    this.#environment.root.resetReadTxn()
    for (const waiting of this.#waiting) {
      if (this.#stampOf(waiting.id) !== waiting.stamp) continue
      this.#waiting.delete(waiting)
      waiting.landed()
    }
  }

  #stampOf(id: string): number | null {
    const bytes = this.#read(id)
    return bytes === undefined ? null : stampOf(bytes)
  }
}

/**
 * Calls back each time that a commit of this process can be read by all, and isn't flushed yet: milliseconds earlier on a slow
 * disk. lmdb signals that to its own thread of writes alone, hence the detour. It is no more than a hint: what has landed is
 * then read from the store, and where the hint stays out (another lmdb, another platform) the flush gives the answer.
 */
function whenVisible(root: RootDatabase<Buffer, Buffer>, listener: () => void): void {
  const visible = 1
  const { env } = root as unknown as { env?: { startWriting?: (address: number, done: (status: number) => unknown) => unknown } }
  const start = env?.startWriting
  if (env === undefined || typeof start !== 'function') return
  Object.defineProperty(env, 'startWriting', {
    value: (address: number, done: (status: number) => unknown) =>
      start.call(env, address, (status) => {
        const answer = done(status)
        if (status === visible) listener()
        return answer
      }),
  })
}
