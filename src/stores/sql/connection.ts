import type { Answer, Value } from './dialect.ts'

/** One connection of a pool, for the time of one verb. */
export interface Connection {
  query(statement: string, values: readonly Value[]): Promise<Answer>
  /** Gives it back; `broken`: to be closed, not used again. */
  release(broken: boolean): void
}

/**
 * Has `use` work on a connection, which is given back whatever happens. When the signal aborts, nothing more is sent: a
 * connection that was waited for goes to whoever is next, and one that has not answered is closed, so that nobody else gets it
 * with the answer still to come.
 *
 * @param isSound tells of an error whether the connection can go on after it.
 */
export async function lend<T>(
  connect: () => Promise<Connection>,
  isSound: (error: unknown) => boolean,
  signal: AbortSignal | undefined,
  use: (connection: Connection) => Promise<T>,
): Promise<T> {
  signal?.throwIfAborted()
  const loan = new Loan()
  const work = loan.work(connect, isSound, use)
  if (signal === undefined) return await work
  // A driver may never settle what was sent on a connection that it has closed.
  return await new Promise((resolve, reject) => {
    const stop = () => {
      loan.end()
      reject(signal.reason as Error)
    }
    signal.addEventListener('abort', stop, { once: true })
    const settled = () => signal.removeEventListener('abort', stop)
    work.then(
      (value) => {
        settled()
        resolve(value)
      },
      (error: Error) => {
        settled()
        reject(error)
      },
    )
  })
}

class Loan {
  #connection: Connection | null = null
  #ended = false

  async work<T>(
    connect: () => Promise<Connection>,
    isSound: (error: unknown) => boolean,
    use: (connection: Connection) => Promise<T>,
  ): Promise<T> {
    const connection = await connect()
    if (this.#ended) {
      connection.release(false)
      throw new Error('given up while it waited for a connection')
    }
    this.#connection = connection
    let broken = false
    try {
      return await use(connection)
    } catch (error) {
      broken = !isSound(error)
      throw error
    } finally {
      this.#release(broken)
    }
  }

  end(): void {
    this.#ended = true
    this.#release(true)
  }

  #release(broken: boolean): void {
    this.#connection?.release(broken)
    this.#connection = null
  }
}
