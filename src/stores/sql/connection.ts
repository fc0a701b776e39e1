import { givenUp, whenGivenUp } from '../../core/call.ts'
import type { CallOptions } from '../../core/store.ts'
import type { Answer, Value } from './dialect.ts'

/** One connection of a pool, for the time of one verb. */
export interface Connection {
  query(statement: string, values: readonly Value[]): Promise<Answer>
  /** Gives it back; `broken`: to be closed, not used again. */
  release(broken: boolean): void
}

/** Asks a pool for a connection. By a callback, as pools have it: a promise more for each statement would be for nothing. */
export type Connect = (done: (error: Error | null, connection?: Connection) => void) => void

/**
 * Has `use` work on a connection, which is given back whatever happens. When the core stops waiting, nothing more is sent: a
 * connection that was waited for goes to whoever is next, and one that has not answered is closed, so that nobody else gets it
 * with the answer still to come.
 *
 * @param isSound tells of an error whether the connection can go on after it.
 */
export function lend<T>(
  connect: Connect,
  isSound: (error: unknown) => boolean,
  call: CallOptions | undefined,
  use: (connection: Connection) => Promise<T>,
): Promise<T> {
  // A driver may never settle what was sent on a connection that it has closed.
  return new Promise((resolve, reject) => {
    let reason = givenUp(call)
    if (reason !== null) return reject(reason)
    let connection: Connection | null = null
    const leave = whenGivenUp(call, (why) => {
      reason = why
      connection?.release(true)
      reject(why)
    })
    const fail = (error: Error): void => {
      leave()
      reject(error)
    }
    connect((refused, lent) => {
      if (lent === undefined) return fail(refused!)
      if (reason !== null) return lent.release(false)
      connection = lent
      const settle = (broken: boolean): void => {
        if (reason === null) lent.release(broken)
        connection = null
        leave()
      }
      use(lent).then(
        (value) => {
          settle(false)
          resolve(value)
        },
        (error: Error) => {
          settle(!isSound(error))
          reject(error)
        },
      )
    })
  })
}
