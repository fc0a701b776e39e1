import { setTimeout } from 'node:timers/promises'
import type { RootDatabase } from 'lmdb'

type Start = (address: number, done: (status: number) => unknown) => unknown

// What lmdb's thread of writes reports before it ends: that all can read the commit, or that it wants a callback run.
const visible = 1
const callback = 2

/**
 * Follows the commits of one environment, each on a thread of lmdb's. Two moments matter that lmdb keeps to itself:
 *
 * - all processes can read the commit, and it isn't flushed yet: on a slow disk that is milliseconds earlier than lmdb's own
 *   answer. It is a hint, no more: what has landed is then read from the store, and without the hint the flush answers.
 * - its thread has ended: lmdb 3.5 closes an environment a little before that if two commits overlap, and crashes the process.
 */
export class Commits {
  #running = 0
  #whenNone: (() => void) | null = null
  #followed = false

  constructor(root: RootDatabase<Buffer, Buffer>, onVisible: () => void) {
    const { env } = root as unknown as { env?: { startWriting?: Start } }
    const start = env?.startWriting
    if (env === undefined || typeof start !== 'function') return
    this.#followed = true
    const follow: Start = (address, done) => {
      this.#running++
      return start.call(env, address, (status) => {
        const answer = done(status)
        if (status !== visible && status !== callback) this.#ended()
        else if (status === visible) onVisible()
        return answer
      })
    }
    Object.defineProperty(env, 'startWriting', { value: follow })
  }

  /** Waits until no commit has a thread. */
  async end(): Promise<void> {
    if (!this.#followed) await setTimeout(100)
    else if (this.#running > 0) await new Promise<void>((resolve) => (this.#whenNone = resolve))
  }

  #ended(): void {
    this.#running--
    if (this.#running === 0) this.#whenNone?.()
  }
}
