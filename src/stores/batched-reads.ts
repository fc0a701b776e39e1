import { Call, givenUp, whenGivenUp } from '../core/call.ts'
import type { CallOptions, SessionRecord } from '../core/store.ts'

// More go out in several statements: a long answer holds up those alone that wait for the same one.
const largest = 32
/**
 * For how long, in ms, a read waits for the answer to the statement before it: where the server is near, hardly ever to the end; and where
 * it is far, or does not answer on one of its connections, the next goes out on another.
 */
const patience = 1

interface Asked {
  readonly id: string
  readonly call: CallOptions | undefined
  readonly resolve: (record: SessionRecord | null) => void
  readonly reject: (error: unknown) => void
}

/** What a database has of its own. */
export interface Rows<Row> {
  /** The rows of several IDs, in any order; no row of one that is not there. An ID may be among them twice. */
  read(ids: readonly string[], call: CallOptions | undefined): Promise<readonly Row[]>
  idOf(row: Row): string
  /** @throws SojournError for a row that is no session */
  recordOf(row: Row): SessionRecord
}

/**
 * Reads that are asked for while another is on its way go out together when that is answered, or in a millisecond: what a driver and a
 * server do for a statement costs more than to look one more record up. One that comes alone goes out at once. Each reads what is
 * there after it was asked for, as it would alone.
 *
 * Not by `setImmediate`, which would gather a turn of the event loop: MongoDB's driver (7.9) waits for ever for a command, its own heartbeat among them,
 * that is written after a socket was destroyed and before that is told, and at such a moment immediates run.
 */
export class BatchedReads<Row> {
  readonly #rows: Rows<Row>
  #waiting: Asked[] = []
  /** The statement that was sent last, until it is answered. */
  #last: object | null = null
  #timer: NodeJS.Timeout | null = null

  constructor(rows: Rows<Row>) {
    this.#rows = rows
  }

  get(id: string, call: CallOptions | undefined): Promise<SessionRecord | null> {
    return new Promise((resolve, reject) => {
      const asked = { id, call, resolve, reject }
      // Whoever has a signal of their own may give up at any time; the others would not.
      if (this.#last === null || (!(call instanceof Call) && call?.signal !== undefined)) return void this.#send([asked])
      this.#waiting.push(asked)
      if (this.#waiting.length === largest) this.#sendWaiting()
      else this.#timer ??= setTimeout(this.#sendWaiting, patience)
    })
  }

  readonly #sendWaiting = (): void => {
    if (this.#timer !== null) clearTimeout(this.#timer)
    this.#timer = null
    const waiting = this.#waiting
    this.#waiting = []
    if (waiting.length > 0) void this.#send(waiting)
  }

  async #send(asked: readonly Asked[]): Promise<void> {
    const own = (this.#last = {})
    await this.#read(asked)
    if (this.#last !== own) return
    this.#last = null
    this.#sendWaiting()
  }

  async #read(asked: readonly Asked[]): Promise<void> {
    const found = new Map<string, Row>()
    try {
      const rows = await this.#rows.read(
        asked.map(({ id }) => id),
        asked.length === 1 ? asked[0]!.call : callOf(asked),
      )
      for (const row of rows) found.set(this.#rows.idOf(row), row)
    } catch (error) {
      for (const { reject } of asked) reject(error)
      return
    }
    for (const { id, resolve, reject } of asked) {
      const row = found.get(id)
      try {
        resolve(row === undefined ? null : this.#rows.recordOf(row))
      } catch (error) {
        reject(error)
      }
    }
  }
}

/** Given up when the last who waits for it gives up. */
function callOf(asked: readonly Asked[]): Call {
  const shared = new Call()
  let left = asked.length
  const stop = (reason: Error): void => {
    if (--left === 0) shared.giveUp(reason)
  }
  for (const { call } of asked) {
    const reason = givenUp(call)
    if (reason === null) whenGivenUp(call, stop)
    else stop(reason)
  }
  return shared
}
