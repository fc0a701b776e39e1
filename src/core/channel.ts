import type { ChangeListener } from './store.ts'

/** A connection on which a server tells of changes. */
export interface Line {
  /** Resolves when the server has answered: a line on which nothing comes may be one that nobody knows to be broken. */
  ping(): Promise<unknown>
  close(): void
}

/**
 * Opens a line; it resolves when changes are told on it. `broken` is to be called when it is no more, also while it opens. When the signal
 * aborts while it opens, nobody wants it any more, and what there is of it is to be closed: an answer may never come.
 */
export type OpenLine = (broken: () => void, givenUp: AbortSignal) => Promise<Line>

// In ms. A line that says nothing is found to be dead within two of the former.
const pingEvery = 5000
const openLimit = 5000
const [firstPause, longestPause] = [100, 2000]

/**
 * Keeps a line open: opens it again when it broke, at growing intervals, and tells the listener of both.
 *
 * @returns ends it
 */
export function keepOpen(open: OpenLine, listener: Pick<ChangeListener, 'opened' | 'cut'>): () => void {
  const stop = new AbortController()
  const stopped = new Promise<void>((resolve) => stop.signal.addEventListener('abort', () => resolve()))
  const work = async (): Promise<void> => {
    let pause = firstPause
    while (!stop.signal.aborted) {
      let broken = (): void => {}
      // Whatever an event brings along is nothing here.
      const over = new Promise<void>((resolve) => (broken = () => resolve()))
      const giveUp = new AbortController()
      const opening = open(broken, giveUp.signal)
      const line = await Promise.race([opening, over, stopped, after(openLimit)]).catch(() => undefined)
      if (line === undefined) {
        giveUp.abort()
        opening.then(
          (late) => late.close(),
          () => {},
        )
      } else {
        listener.opened()
        pause = firstPause
        await Promise.race([over, stopped, silence(line)])
        if (!stop.signal.aborted) listener.cut()
        line.close()
      }
      if (stop.signal.aborted) return
      await Promise.race([stopped, after(pause * (1 + Math.random() / 4))])
      pause = Math.min(pause * 2, longestPause)
    }
  }
  void work()
  return () => stop.abort()
}

/** Resolves when a line has left a ping unanswered. */
async function silence(line: Line): Promise<void> {
  for (;;) {
    await after(pingEvery)
    const answered = await Promise.race([line.ping().then(() => true), after(pingEvery)]).catch(() => undefined)
    if (answered !== true) return
  }
}

function after(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms).unref())
}
