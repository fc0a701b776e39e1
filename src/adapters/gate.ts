import type { IncomingMessage, OutgoingHttpHeaders, ServerResponse } from 'node:http'
import type { Readable } from 'node:stream'
import { isGone, SojournError } from '../core/errors.ts'
import { type Committable, justPrivate } from '../core/opener.ts'
import { isPromise } from '../core/routine.ts'
import type { Maybe } from '../core/store.ts'
import { answerError, discardAnswer } from './answer-error.ts'
import { cacheControl, headWith } from './session-head.ts'
import { setHeaders } from './write-head.ts'

const privateHead = justPrivate.flat()

/** How an adapter commits. */
export interface CommitOptions {
  /** Whether changes are committed when the answer's status is 500 or above. @default true */
  readonly commitOnServerError?: boolean | undefined
  /**
   * Answers when the commit failed, in place of the handler's answer: the status is set, and the headers that spoke of the
   * handler's answer (`Content-*`, `ETag`, `Location`, `Set-Cookie` and their like) are gone. It must end the response before
   * it returns; else the default answer goes out.
   * @default the error's status with a line of text, or with its code as JSON where the client asked for that
   */
  readonly answerError?: ((error: SojournError, req: IncomingMessage, res: ServerResponse) => void) | undefined
}

/** Node's own response: of http, or of http2's compatibility API, which has the same methods. */
export type NodeResponse = ServerResponse

/** A response's methods as they were before they were hooked. */
export type Original = Pick<
  NodeResponse,
  'writeHead' | 'write' | 'end' | 'flushHeaders' | 'setHeader' | 'appendHeader' | 'removeHeader'
> & { _implicitHeader?: () => void }

/** A call of the handler's that waits for the commit. */
interface Call {
  readonly run: () => unknown
  readonly args: readonly unknown[]
}

/**
 * Holds a response back until the session is committed, since what is told to the client must be true. Each way of beginning
 * an answer (`writeHead`, `write`, `end`, `flushHeaders`) comes by here. On a store that answers at once nothing is held;
 * else what the handler does meanwhile is kept in order and done afterwards, and the response looks as if its head were out.
 */
export class Gate {
  state: 'idle' | 'pending' | 'open' | 'failed' = 'idle'
  ended = false
  // Made when they are needed: on a store that answers at once they never are.
  #waiting: Call[] | null = null
  readonly #sessions: Committable[] = []
  readonly #req: IncomingMessage
  readonly #res: NodeResponse
  readonly #original: Original
  readonly #options: CommitOptions
  /** By which Node makes the head when the commit is done; null where the handler makes it. Who replaces it meanwhile knows nothing of `#kept`. */
  #maker: NodeResponse['writeHead'] | null = null
  /** Headers that are to go into the head when Node makes it. */
  #kept: string[] | null = null
  #drain = false
  #drains: (() => void)[] | null = null
  /** The answer's status says that changes are not to be committed. */
  #leftOut = false

  constructor(req: IncomingMessage, res: NodeResponse, original: Original, options: CommitOptions) {
    this.#req = req
    this.#res = res
    this.#original = original
    this.#options = options
  }

  isOf(res: NodeResponse): boolean {
    return res === this.#res
  }

  add(session: Committable): void {
    if (!this.#sessions.includes(session)) this.#sessions.push(session)
  }

  /** Commits, at the first sign of an answer. Afterwards the state is open, failed, or pending. */
  begin(): void {
    if (this.#settle(null)) this.#open()
  }

  /**
   * The same where Node is about to make the head by itself, by calling the response's `writeHead`. Where there is no other header, the
   * session's is kept for that (`takeKept`): to set the first header of a response takes a quarter of all that Node does for a small one.
   */
  beginHead(): void {
    if (this.#settle(null)) this.#openHead()
    else if (this.state === 'pending') this.#maker = this.#res.writeHead
  }

  #openHead(): void {
    const [first] = this.#sessions
    if (this.#sessions.length > 1 || first!.headers() !== justPrivate || this.#hasHeaders()) return this.#open()
    this.state = 'open'
    this.#kept = privateHead
    this.watch()
  }

  #hasHeaders(): boolean {
    // Most have this one, which is sooner asked than all names are listed.
    const res = this.#res
    return res.getHeader('content-type') !== undefined || res.getHeaderNames().length > 0
  }

  takeKept(): string[] | null {
    const kept = this.#kept
    this.#kept = null
    return kept
  }

  /**
   * The same for a head that brings headers of its own, none of which is one that a session adds: they are set only where the
   * answer has to wait or fails.
   *
   * @returns what is to be written as the head: these and the session's; null where the state is not open
   */
  beginWith(given: OutgoingHttpHeaders): OutgoingHttpHeaders | null {
    if (!this.#settle(given)) return null
    this.state = 'open'
    const head = headWith(given, this.#sessions)
    this.watch()
    return head
  }

  /** The headers that `beginWith` answered did not go out after all. */
  addHeaders(): void {
    for (const session of this.#sessions) {
      for (const [name, value] of session.headers()) this.#addHeader(name, value)
    }
  }

  /** @returns whether the commit is done */
  #settle(given: OutgoingHttpHeaders | null): boolean {
    this.state = 'pending'
    const set = this.#res.getHeader('cache-control')
    const isPublic = set !== undefined && /\bpublic\b|\bs-maxage\b/i.test(String(set))
    let committed: Maybe<void>
    try {
      committed = this.#commit(0, isPublic)
    } catch (error) {
      setHeaders(this.#res, this.#original, given)
      this.#fail(error)
      return false
    }
    if (!isPromise(committed)) return true
    setHeaders(this.#res, this.#original, given)
    // As if the head were out: what is set from here on is too late, whichever store there is.
    const { statusCode, statusMessage } = this.#res
    committed.then(
      () => {
        this.#res.statusCode = statusCode
        this.#res.statusMessage = statusMessage
        this.#finish(() => (this.#maker === this.#res.writeHead ? this.#openHead() : this.#open()))
      },
      (error: unknown) => this.#finish(() => this.#fail(error)),
    )
    return false
  }

  #commit(first: number, isPublic: boolean): Maybe<void> {
    this.#leftOut = this.#options.commitOnServerError === false && this.#res.statusCode >= 500
    if (this.#leftOut) return
    for (let i = first; i < this.#sessions.length; i++) {
      const session = this.#sessions[i]!
      let settled: Maybe<void>
      try {
        settled = session.settle(isPublic)
      } catch (error) {
        this.#passOver(session, error)
        continue
      }
      if (isPromise(settled))
        return settled.then(
          () => this.#commit(i + 1, isPublic),
          (error: unknown) => {
            this.#passOver(session, error)
            return this.#commit(i + 1, isPublic)
          },
        )
    }
  }

  /** A safe request has changed nothing that its client was promised: the loss is told, and the answer goes out. */
  #passOver(session: Committable, error: unknown): void {
    if (!isGone(error) || !isSafe(this.#req.method)) throw error
    session.report(error)
  }

  /** Later: the handler's calls run, and what they throw ends this response alone. */
  #finish(work: () => void): void {
    try {
      work()
      let isFull = false
      for (const { run } of this.#takeWaiting()) isFull = run() === false
      // Where the last write found no room, the response itself tells when there is.
      if (this.#drain && (this.state === 'failed' || (!this.ended && !isFull))) this.#drained()
    } catch (error) {
      this.#res.destroy(error instanceof Error ? error : new Error(String(error)))
    }
  }

  #drained(): void {
    this.#res.emit('drain')
    for (const listener of this.#drains ?? []) listener.call(this.#res)
  }

  #open(): void {
    this.state = 'open' // First: Node's appendHeader calls the response's own setHeader.
    this.addHeaders()
    this.watch()
  }

  watch(): void {
    if (this.#leftOut) return
    for (const session of this.#sessions) session.watch()
  }

  #addHeader(name: string, value: string): void {
    const { setHeader, appendHeader } = this.#original
    if (name === 'Set-Cookie') appendHeader.call(this.#res, name, value)
    else setHeader.call(this.#res, name, name === 'Cache-Control' ? cacheControl(this.#res.getHeader('cache-control'), value) : value)
  }

  #fail(failure: unknown): void {
    const res = this.#res
    const error =
      failure instanceof SojournError
        ? failure
        : new SojournError(
            'ERR_SOJOURN_CALLBACK',
            `The session could not be committed, since a function of the application's failed: ${messageOf(failure)}`,
            { cause: failure },
          )
    for (const session of this.#sessions) session.report(error)
    this.state = 'open' // The answer below is ours.
    this.#answer(error)
    // The handler goes on with an answer that nobody will get.
    this.state = 'failed'
    this.ended = true
    for (const { args } of this.#takeWaiting()) swallow(args)
    // A response that has finished lets a piped source go, unread: its end would never come.
    res.on('unpipe', (source: Readable) => source.resume())
  }

  /** What others put over the response (such as compression) would take this for the rest of the handler's answer: it goes past them. */
  #answer(error: SojournError): void {
    const res = this.#res
    const { writeHead, write, end, flushHeaders } = this.#original
    const restore = putOver(res, { writeHead, write, end, flushHeaders })
    try {
      void this.#answered(this.#options.answerError?.(error, this.#req, this.#prepared(error)))
    } catch (cause) {
      this.#answerFailed(cause)
    }
    if (res.headersSent && !res.writableEnded) res.end()
    else if (!res.headersSent) answerError(error, this.#req, this.#prepared(error))
    restore()
  }

  /** An answerError that is asynchronous is not waited for; its failure is told. */
  async #answered(answer: unknown): Promise<void> {
    try {
      await answer
    } catch (cause) {
      this.#answerFailed(cause)
    }
  }

  #answerFailed(cause: unknown): void {
    const error = new SojournError('ERR_SOJOURN_CALLBACK', `The option answerError failed: ${messageOf(cause)}`, { cause })
    for (const session of this.#sessions) session.report(error)
  }

  /** The response as it was before the handler began, but for the error's status and headers, and the token of a login that landed. */
  #prepared(error: SojournError): NodeResponse {
    const res = this.#res
    discardAnswer(res)
    res.statusCode = error.status
    res.setHeader('Cache-Control', 'no-store')
    for (const [name, value] of Object.entries(error.headers)) res.setHeader(name, value)
    this.addHeaders()
    return res
  }

  /** Tells this listener of the end of the waiting, since it does not hear the response itself. */
  tellDrained(listener: () => void): void {
    if (this.state === 'idle' || this.state === 'pending') (this.#drains ??= []).push(listener)
  }

  later(run: () => unknown, args: readonly unknown[] = []): void {
    ;(this.#waiting ??= []).push({ run, args })
  }

  #takeWaiting(): Call[] {
    const waiting = this.#waiting ?? []
    this.#waiting = null
    return waiting
  }

  /** A write that has to wait: the handler is told to wait as well. */
  hold(run: () => unknown, args: readonly unknown[]): false {
    this.later(run, args)
    this.#drain = true
    return false
  }
}

/** Nobody gets these bytes; whoever waits for them to be written goes on. */
export function swallow(args: readonly unknown[]): void {
  const callback = args.findLast((arg) => typeof arg === 'function')
  if (callback !== undefined) process.nextTick(callback)
}

/** Puts methods over whatever the response has of its own. @returns a function that takes them off again */
function putOver(res: NodeResponse, methods: Readonly<Record<string, unknown>>): () => void {
  const before = Object.keys(methods).map((name) => [name, Object.getOwnPropertyDescriptor(res, name)] as const)
  for (const [name, value] of Object.entries(methods)) Object.defineProperty(res, name, { value, writable: true, configurable: true })
  return () => {
    for (const [name, own] of before) {
      if (own === undefined) Reflect.deleteProperty(res, name)
      else Object.defineProperty(res, name, own)
    }
  }
}

function messageOf(cause: unknown): string {
  return cause instanceof Error ? cause.message : String(cause)
}

function isSafe(method: string | undefined): boolean {
  return method === 'GET' || method === 'HEAD' || method === 'OPTIONS' || method === 'TRACE'
}
