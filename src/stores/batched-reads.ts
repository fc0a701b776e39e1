import { setImmediate } from 'node:timers'
import { Call, givenUp, whenGivenUp } from '../core/call.ts'
import type { CallOptions, SessionRecord } from '../core/store.ts'

// More go out in several statements at once, on as many connections: a long answer holds up those alone that wait for the same one.
const largest = 32

interface Asked {
  readonly id: string
  readonly call: CallOptions | undefined
  readonly resolve: (record: SessionRecord | null) => void
  readonly reject: (error: unknown) => void
}

/** What a database has of its own. */
export interface Rows<Row> {
  /** The rows of several IDs, in any order; no row of one that is not there. An ID may be among them twice. */
  read(ids: readonly string[], call: CallOptions): Promise<readonly Row[]>
  idOf(row: Row): string
  /** @throws SojournError for a row that is no session */
  recordOf(row: Row): SessionRecord
}

/**
 * Reads that are asked for in one turn of the event loop go out together: what a driver and a server do for a statement costs more than
 * to look one more record up, and a busy server has several requests in a turn. None waits for anything but the requests that have
 * arrived already. Each reads what was there after it was asked for, as it would alone.
 */
export class BatchedReads<Row> {
  readonly #rows: Rows<Row>
  #waiting: Asked[] = []

  constructor(rows: Rows<Row>) {
    this.#rows = rows
  }

  get(id: string, call: CallOptions | undefined): Promise<SessionRecord | null> {
    return new Promise((resolve, reject) => {
      const asked = { id, call, resolve, reject }
      // Whoever has a signal of their own may give up at any time; the others would not.
      if (!(call instanceof Call) && call?.signal !== undefined) void this.#read([asked])
      else if (this.#waiting.push(asked) === 1) setImmediate(this.#send)
    })
  }

  readonly #send = (): void => {
    const waiting = this.#waiting
    this.#waiting = []
    for (let from = 0; from < waiting.length; from += largest) void this.#read(waiting.slice(from, from + largest))
  }

  async #read(asked: readonly Asked[]): Promise<void> {
    let rows: readonly Row[]
    try {
      rows = await this.#rows.read(
        asked.map(({ id }) => id),
        callOf(asked),
      )
    } catch (error) {
      for (const { reject } of asked) reject(error)
      return
    }
    const found = new Map(rows.map((row) => [this.#rows.idOf(row), row]))
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
