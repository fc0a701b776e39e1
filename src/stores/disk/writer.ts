import { Commits } from './commits.ts'
import type { Environment } from './environment.ts'
import { failure, reasonOf } from './failure.ts'
import type { Reader } from './reader.ts'
import type { Room } from './room.ts'

/** One change of a record and its index entries: all of it lands, or nothing. */
export interface Write {
  readonly id: string
  /** The stamp that it leaves; null where it leaves no record, or another's. */
  readonly stamp: number | null
  /** How many bytes it writes, and by how many the sessions become larger. */
  readonly bytes: number
  readonly growth: number
  /** Queues it with lmdb, which runs it on a thread of its own, if its condition holds there. Called again where its commit failed. */
  readonly send: () => Sent
}

/** False where the condition did not hold. */
export type Sent = Promise<boolean> & { readonly flushed?: Promise<unknown> }

interface Waiting {
  readonly write: Write
  readonly resolve: (landed: boolean) => void
}

// With the pages that even a small write makes lmdb write anew.
function bytesOf(write: Write): number {
  return write.bytes + 16 * 2 ** 10
}

/**
 * Sends writes to lmdb as its native conditional puts and batches.
 *
 * The alternative, callbacks in `transaction()`, commits as many a second (24,000 with 32 at once, one process), but waits for
 * the event loop while it holds the lock that all processes write under, so that one busy process would stop the others; and
 * it keeps the main thread busy for twice as long (18 against 8 µs a write). The condition is the record's stamp: a random
 * number, new with each put and each touch, so that the index entries of the record that was read are those to replace
 * whenever it holds, and so that whoever finds its stamp in the store knows that its write landed.
 */
export class Writer {
  #name: string
  #environment: Environment
  #reader: Reader
  #room: Room
  #flush: boolean
  #commits: Commits

  #waiting = new Set<Waiting>()
  #underway = 0
  #bytesUnderway = 0
  #whenIdle: (() => void)[] = []

  // While another process comes in.
  #held: Promise<void> | null = null

  // Where the disk is all but full, and after a failed commit: writes go one by one, each in a commit of its own, until none is left.
  #line: Promise<unknown> | null = null
  #failed = false

  constructor(name: string, environment: Environment, reader: Reader, room: Room, flush: boolean) {
    this.#name = name
    this.#environment = environment
    this.#reader = reader
    this.#room = room
    this.#flush = flush
    this.#commits = new Commits(environment.root, () => this.#answerVisible())
    environment.door.answer(async (work) => await this.hold(work))
  }

  /** True once it landed, false if its condition did not hold. Rejects with a SojournError; then it may have landed. */
  write(verb: string, write: Write): Promise<boolean> {
    if (this.#held !== null) return this.#held.then(async () => await this.write(verb, write))
    return new Promise((resolve, reject) => {
      const together = this.#line === null && this.#fits(write)
      const bytes = together ? bytesOf(write) : 0
      const waiting = { write, resolve }
      this.#underway++
      this.#bytesUnderway += bytes
      if (!this.#flush) this.#waiting.add(waiting)
      const settle = (answer: () => void): void => {
        this.#waiting.delete(waiting)
        this.#bytesUnderway -= bytes
        answer()
        if (--this.#underway === 0) for (const idle of this.#whenIdle.splice(0)) idle()
      }
      const failed = (error: unknown): void => settle(() => reject(error))
      const landed = (answer: boolean): void => settle(() => resolve(answer))
      if (together) this.#send(write).then(landed, (error) => void this.#afterFailure(verb, waiting, error).then(landed, failed))
      else this.#inLine(verb, write).then(landed, failed)
    })
  }

  /**
   * Keeps all processes from committing while the work lasts. This one's writes wait outside: lmdb would run them within the
   * transaction that holds the lock, and answer before they are committed.
   */
  async hold(work: () => Promise<void>): Promise<void> {
    while (this.#held !== null) await this.#held
    let release = (): void => {}
    this.#held = new Promise((resolve) => (release = resolve))
    try {
      await this.#idle()
      await this.#environment.root.transaction(work)
    } catch (error) {
      void reasonOf(error)
    } finally {
      this.#held = null
      release()
    }
  }

  /** Waits for what is under way, and flushes it. */
  async drain(): Promise<void> {
    while (this.#held !== null) await this.#held
    await this.#idle()
    // After a failed commit lmdb waits for a flush that never comes, in `flushed` and in `close`: an empty commit ends that.
    if (this.#failed) await this.#emptyCommit()
    await this.#environment.root.flushed
    await this.#commits.end()
  }

  async #idle(): Promise<void> {
    if (this.#underway > 0) await new Promise<void>((resolve) => this.#whenIdle.push(resolve))
  }

  /** True if there is room for it among what is under way, false if it should wait for that. */
  #fits(write: Write): boolean {
    try {
      this.#room.take(write.growth, bytesOf(write), this.#bytesUnderway)
      return true
    } catch (error) {
      if (write.growth > 0 || this.#bytesUnderway === 0) throw error
      return false
    }
  }

  // What fails a commit, say one record too large for the disk, fails all that lmdb put into it: each is sent again, alone.
  async #afterFailure(verb: string, waiting: Waiting, error: unknown): Promise<boolean> {
    this.#failed = true
    void reasonOf(error)
    // Visible and acknowledged, and then not flushed: sent again it could land on what came after it.
    if (!this.#flush && !this.#waiting.has(waiting)) return true
    return await this.#inLine(verb, waiting.write)
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
    // lmdb tells why a commit failed only if no earlier one is still being flushed then.
    await this.#emptyCommit()
    this.#room.take(write.growth, bytesOf(write), 0)
    try {
      if (await this.#send(write)) return true
    } catch (error) {
      throw failure(this.#name, verb, await reasonOf(error))
    }
    // The commit that failed may have been visible, and only its flush have failed.
    if (write.stamp === null || this.#reader.stampOf(verb, write.id) !== write.stamp) return false
    if (this.#flush) throw failure(this.#name, verb, new Error('the disk did not flush it'))
    return true
  }

  #send(write: Write): Promise<boolean> {
    try {
      const sent = write.send()
      // lmdb 3.5 answers when a commit is flushed, whatever its README says. Another may answer when it is visible.
      return this.#flush ? sent.then(async (landed) => landed && (await sent.flushed, true)) : sent
    } catch (error) {
      return Promise.reject(error)
    }
  }

  async #emptyCommit(): Promise<void> {
    try {
      await this.#environment.root.batch(() => {})
    } catch (error) {
      void reasonOf(error)
    }
  }

  #answerVisible(): void {
    if (this.#waiting.size === 0) return
    try {
      this.#reader.refresh()
      for (const waiting of this.#waiting) {
        const { id, stamp } = waiting.write
        if (stamp === null || this.#reader.stampOf('put', id) !== stamp) continue
        this.#waiting.delete(waiting)
        waiting.resolve(true)
      }
    } catch {
      // What can't be read now is answered by the flush.
    }
  }
}
