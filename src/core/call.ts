import { setMaxListeners } from 'node:events'
import type { CallOptions, GetOptions } from './store.ts'

type Stop = (reason: Error) => void

/**
 * What goes with one call of a store. Who can give up is told by a plain function where it is sojourn's own: a signal, and who listens
 * to it, cost as much as a short read. A controller is made for a store that asks for its signal alone.
 */
export class Call implements GetOptions {
  readonly fresh?: boolean
  #givenUp: Error | null = null
  #controller: AbortController | null = null
  #stop: Stop | null = null
  /** A batch gives up each of its statements. */
  #others: Set<Stop> | null = null

  constructor(fresh?: boolean) {
    if (fresh !== undefined) this.fresh = fresh
  }

  get signal(): AbortSignal {
    return (this.#controller ??= this.#begin()).signal
  }

  giveUp(reason: Error): void {
    this.#givenUp = reason
    this.#controller?.abort(reason)
    this.#stop?.(reason)
    this.#others?.forEach((stop) => stop(reason))
  }

  get givenUp(): Error | null {
    return this.#givenUp
  }

  hear(stop: Stop): void {
    if (this.#stop === null) this.#stop = stop
    else (this.#others ??= new Set()).add(stop)
  }

  leave(stop: Stop): void {
    if (this.#stop === stop) this.#stop = null
    else this.#others?.delete(stop)
  }

  #begin(): AbortController {
    const controller = new AbortController()
    // A batch listens once for each of its commands.
    setMaxListeners(0, controller.signal)
    // A store may ask only when it has waited for something else first.
    if (this.#givenUp !== null) controller.abort(this.#givenUp)
    return controller
  }
}

/** Why the core waits no more; null while it does. */
export function givenUp(call: CallOptions | undefined): Error | null {
  if (call instanceof Call) return call.givenUp
  return call?.signal?.aborted === true ? (call.signal.reason as Error) : null
}

/**
 * Has `stop` called when the core stops waiting.
 *
 * @returns takes it back
 */
export function whenGivenUp(call: CallOptions | undefined, stop: Stop): () => void {
  if (call instanceof Call) {
    call.hear(stop)
    return () => call.leave(stop)
  }
  const signal = call?.signal
  if (signal === undefined) return nothing
  const listener = (): void => stop(signal.reason as Error)
  signal.addEventListener('abort', listener, { once: true })
  return () => signal.removeEventListener('abort', listener)
}

function nothing(): void {}
