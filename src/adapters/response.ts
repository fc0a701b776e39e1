import type { IncomingMessage, ServerResponse } from 'node:http'
import { isGone, SojournError } from '../core/errors.ts'
import type { OpenSession } from '../core/open-session.ts'
import { isPromise } from '../core/routine.ts'
import type { Maybe } from '../core/store.ts'

/** How an adapter commits. */
export interface CommitOptions {
  /** Whether changes are committed when the answer's status is 500 or above. @default true */
  readonly commitOnServerError?: boolean | undefined
  /**
   * Answers when the commit failed, in place of the handler's answer: status, `Content-*`, `ETag` and `Set-Cookie` are already
   * those of an error without a body.
   * @default the error's status with its code, as JSON where the client asked for that
   */
  readonly answerError?: ((error: SojournError, req: IncomingMessage, res: ServerResponse) => void) | undefined
}

/** Node's own response: of http, or of http2's compatibility API, which has the same methods. */
export type NodeResponse = ServerResponse

/** What a response needs of its session: nothing that depends on the type of its data. */
type Committable = Pick<OpenSession<never>, 'settle' | 'headers' | 'report' | 'watch'>

type WriteHeadArguments = Parameters<NodeResponse['writeHead']>

/**
 * Holds a response back until the session is committed, since what is told to the client must be true. Each way of beginning
 * an answer (`writeHead`, `write`, `end`, `flushHeaders`) comes by here. On a store that answers at once nothing is held;
 * else what the handler does meanwhile is kept in order and done afterwards, and the response looks as if its head were out.
 */
class Gate {
  state: 'idle' | 'pending' | 'open' | 'failed' = 'idle'
  ended = false
  readonly #waiting: (() => void)[] = []
  readonly #sessions: Committable[] = []
  readonly #req: IncomingMessage
  readonly #res: NodeResponse
  readonly #original: Original
  readonly #options: CommitOptions
  #drain = false

  constructor(req: IncomingMessage, res: NodeResponse, original: Original, options: CommitOptions) {
    this.#req = req
    this.#res = res
    this.#original = original
    this.#options = options
  }

  add(session: Committable): void {
    this.#sessions.push(session)
  }

  /** Commits, at the first sign of an answer. Afterwards the state is open, failed, or pending. */
  begin(): void {
    this.state = 'pending'
    const isPublic = /\bpublic\b|\bs-maxage\b/i.test(String(this.#res.getHeader('cache-control') ?? ''))
    let committed: Maybe<void>
    try {
      committed = this.#commit(0, isPublic)
    } catch (error) {
      this.#fail(error)
      return
    }
    if (!isPromise(committed)) return this.#open()
    committed.then(
      () => this.#finish(() => this.#open()),
      (error: unknown) => this.#finish(() => this.#fail(error)),
    )
  }

  #commit(first: number, isPublic: boolean): Maybe<void> {
    if (this.#options.commitOnServerError === false && this.#res.statusCode >= 500) return
    for (let i = first; i < this.#sessions.length; i++) {
      const session = this.#sessions[i]!
      const passOver = (error: unknown): void => {
        // A safe request has changed nothing that its client was promised: the loss is told, and the answer goes out.
        if (!isGone(error) || !isSafe(this.#req.method)) throw error
        session.report(error)
      }
      let settled: Maybe<void>
      try {
        settled = session.settle(isPublic)
      } catch (error) {
        passOver(error)
        continue
      }
      if (isPromise(settled)) return settled.catch(passOver).then(() => this.#commit(i + 1, isPublic))
    }
  }

  /** Later: the handler's calls run, and what they throw ends this response alone. */
  #finish(work: () => void): void {
    try {
      work()
      for (const call of this.#waiting.splice(0)) call()
      if (this.#drain && !this.ended && !this.#res.writableNeedDrain) this.#res.emit('drain')
    } catch (error) {
      this.#res.destroy(error instanceof Error ? error : new Error(String(error)))
    }
  }

  #open(): void {
    this.state = 'open' // First: Node's appendHeader calls the response's own setHeader.
    for (const session of this.#sessions) {
      for (const [name, value] of session.headers()) this.#addHeader(name, value)
    }
    this.watch()
  }

  watch(): void {
    for (const session of this.#sessions) session.watch()
  }

  #addHeader(name: string, value: string): void {
    const { setHeader, appendHeader } = this.#original
    if (name !== 'Cache-Control') appendHeader.call(this.#res, name, value)
    else setHeader.call(this.#res, name, cacheControl(this.#res.getHeader('cache-control'), value))
  }

  #fail(failure: unknown): void {
    const res = this.#res
    const error =
      failure instanceof SojournError
        ? failure
        : new SojournError('ERR_SOJOURN_STORE', `The session could not be committed: ${failure instanceof Error ? failure.message : String(failure)}`, { cause: failure })
    this.state = 'open' // The answer below is ours.
    this.ended = true
    this.#waiting.length = 0
    for (const session of this.#sessions) session.report(error)
    for (const name of res.getHeaderNames()) if (/^(?:content-|transfer-encoding$|etag$|last-modified$|set-cookie$|cache-control$)/.test(name)) res.removeHeader(name)
    res.statusCode = error.status
    res.statusMessage = ''
    res.setHeader('Cache-Control', 'no-store')
    for (const [name, value] of Object.entries(error.headers)) res.setHeader(name, value)
    try {
      ;(this.#options.answerError ?? answerError)(error, this.#req, res)
    } finally {
      // The handler goes on with an answer that nobody will get.
      this.state = 'failed'
    }
  }

  later(call: () => void): void {
    this.#waiting.push(call)
  }

  /** A write that has to wait: the handler is told to wait as well. */
  hold(call: () => void): false {
    this.#waiting.push(call)
    this.#drain = true
    return false
  }
}

function isSafe(method: string | undefined): boolean {
  return method === 'GET' || method === 'HEAD' || method === 'OPTIONS' || method === 'TRACE'
}

/** What stands in Cache-Control, made at least as strict as the session asks. */
function cacheControl(set: number | string | string[] | undefined, asked: string): string {
  const present = set === undefined ? '' : String(set)
  if (asked === 'no-store' || present === '') return /\bno-store\b/i.test(present) ? present : asked
  return /\b(?:private|no-store|no-cache|public|s-maxage)\b/i.test(present) ? present : `${present}, ${asked}`
}

/** The default answer when a session can't be opened or committed. */
export function answerError(error: SojournError, req: IncomingMessage, res: ServerResponse): void {
  const message = error.status < 500 ? error.message : 'The session could not be opened or stored.'
  const json = /\bjson\b/.test(req.headers.accept ?? '') || /\bjson\b/.test(req.headers['content-type'] ?? '')
  const body = json ? JSON.stringify({ error: { code: error.code, message } }) : `${message}\n`
  res.statusCode = error.status
  for (const [name, value] of Object.entries(error.headers)) res.setHeader(name, value)
  res.setHeader('Cache-Control', 'no-store')
  res.setHeader('Content-Type', json ? 'application/json; charset=utf-8' : 'text/plain; charset=utf-8')
  res.setHeader('Content-Length', Buffer.byteLength(body))
  res.end(body)
}

const gates = new WeakMap<NodeResponse, Gate>()

/** Has the session committed before this response begins. The response's prototype must have been hooked. */
export function guard(req: IncomingMessage, res: NodeResponse, original: Original, session: Committable, options: CommitOptions): void {
  let gate = gates.get(res)
  if (gate === undefined) gates.set(res, (gate = new Gate(req, res, original, options)))
  gate.add(session)
}

/** The methods as they were before they were hooked. */
export type Original = Pick<NodeResponse, 'writeHead' | 'write' | 'end' | 'flushHeaders' | 'setHeader' | 'appendHeader' | 'removeHeader'> & { _implicitHeader?: () => void }

/**
 * Puts the gate before the methods of a response prototype, once. A hook on a prototype costs a request nothing; methods put
 * on each response cost Express 5 to 8 µs.
 */
export function hook(prototype: NodeResponse & { _implicitHeader?: () => void }): Original {
  const { writeHead, write, end, flushHeaders, setHeader, appendHeader, removeHeader, _implicitHeader } = prototype
  const original: Original = { writeHead, write, end, flushHeaders, setHeader, appendHeader, removeHeader, ..._implicitHeader && { _implicitHeader } }
  const sent = getterOf(prototype, 'headersSent')
  const over = getterOf(prototype, 'writableEnded')

  const hooked: Record<string, unknown> = {
    writeHead(this: NodeResponse, ...args: [status: number, reason?: unknown, headers?: unknown]): NodeResponse {
      const gate = gates.get(this)
      if (gate === undefined || gate.state === 'open') return writeHead.apply(this, args as WriteHeadArguments)
      if (gate.state === 'failed') return this
      const [status, reason, headers] = args
      // Node's own checks speak for themselves, before anything is committed for an answer that can't go out.
      if (gate.state === 'pending' || !isStatus(status) || isOdd(headers ?? reason)) return refuseHead(this, gate, () => writeHead.apply(this, args as WriteHeadArguments))
      this.statusCode = status
      if (typeof reason === 'string') this.statusMessage = reason
      setHeaders(this, original, typeof reason === 'string' ? headers : (headers ?? reason))
      begin(gate, () => writeHead.call(this, status)) // The reason stands in statusMessage, the headers are set.
      return this
    },
    write(this: NodeResponse, ...args: Parameters<NodeResponse['write']>): boolean {
      const gate = gates.get(this)
      if (gate === undefined || gate.state === 'open') return write.apply(this, args)
      if (gate.state === 'idle') gate.begin()
      if (pendingOf(gate)) return gate.hold(() => write.apply(this, args))
      if (!failedOf(gate)) return write.apply(this, args)
      swallow(args)
      return true
    },
    end(this: NodeResponse, ...args: Parameters<NodeResponse['end']>): NodeResponse {
      const gate = gates.get(this)
      if (gate === undefined) return end.apply(this, args)
      if (gate.state === 'open') {
        if (!gate.ended) gate.watch()
        gate.ended = true
        return end.apply(this, args)
      }
      if (gate.state === 'idle') gate.begin()
      gate.ended = true
      if (pendingOf(gate)) gate.later(() => end.apply(this, args))
      else if (failedOf(gate)) swallow(args)
      else end.apply(this, args)
      return this
    },
    flushHeaders(this: NodeResponse): void {
      const gate = gates.get(this)
      if (gate === undefined || gate.state === 'open') return flushHeaders.call(this)
      if (gate.state === 'idle') begin(gate, () => flushHeaders.call(this))
      else if (gate.state === 'pending') gate.later(() => flushHeaders.call(this))
    },
    _implicitHeader(this: NodeResponse): void {
      // Middleware such as compression asks for the head again before each write, as long as it does not see one.
      const state = gates.get(this)?.state
      if (state !== 'pending' && state !== 'failed') _implicitHeader?.call(this)
    },
    setHeader: whileUnsent(setHeader),
    appendHeader: whileUnsent(appendHeader),
    removeHeader: whileUnsent(removeHeader),
  }
  if (_implicitHeader === undefined) delete hooked['_implicitHeader']
  for (const [name, value] of Object.entries(hooked)) Object.defineProperty(prototype, name, { value, writable: true, configurable: true, enumerable: false })
  Object.defineProperty(prototype, 'headersSent', {
    get(this: NodeResponse) {
      return gates.get(this)?.state === 'pending' || sent.call(this)
    },
    configurable: true,
  })
  Object.defineProperty(prototype, 'writableEnded', {
    get(this: NodeResponse) {
      const gate = gates.get(this)
      return (gate?.state === 'pending' && gate.ended) || over.call(this)
    },
    configurable: true,
  })
  return original
}

// The state changes inside gate.begin(), which TypeScript's narrowing can't see.
function pendingOf(gate: Gate): boolean {
  return gate.state === 'pending'
}

function failedOf(gate: Gate): boolean {
  return gate.state === 'failed'
}

function begin(gate: Gate, call: () => void): void {
  gate.begin()
  if (pendingOf(gate)) gate.later(call)
  else if (!failedOf(gate)) call()
}

/** Nobody gets these bytes; whoever waits for them to be written goes on. */
function swallow(args: readonly unknown[]): void {
  const callback = args.findLast((arg) => typeof arg === 'function')
  if (callback !== undefined) process.nextTick(callback)
}

function whileUnsent<Args extends unknown[], Result>(method: (this: NodeResponse, ...args: Args) => Result): (this: NodeResponse, ...args: Args) => Result {
  return function (this: NodeResponse, ...args: Args) {
    if (gates.get(this)?.state === 'pending') throw headersSentError()
    return method.apply(this, args)
  }
}

function headersSentError(): Error {
  return Object.assign(new Error('Cannot set headers after they are sent to the client'), { code: 'ERR_HTTP_HEADERS_SENT' })
}

function refuseHead(res: NodeResponse, gate: Gate, ask: () => NodeResponse): NodeResponse {
  if (gate.state === 'pending') throw headersSentError()
  // Node throws here; were it ever to accept, the answer goes out as it is.
  gate.state = 'open'
  try {
    return ask()
  } catch (error) {
    if (!res.headersSent) gate.state = 'idle'
    throw error
  }
}

function isStatus(status: unknown): boolean {
  const code = Number(status) | 0
  return code >= 100 && code <= 999
}

function isOdd(headers: unknown): boolean {
  return Array.isArray(headers) && !Array.isArray(headers[0]) && headers.length % 2 !== 0
}

/** Sets what `writeHead` was given, as Node does: an object's entries, a flat list of names and values, or a list of pairs. */
function setHeaders(res: NodeResponse, { setHeader, appendHeader, removeHeader }: Original, headers: unknown): void {
  if (typeof headers !== 'object' || headers === null) return
  if (!Array.isArray(headers)) {
    for (const [name, value] of Object.entries(headers)) if (value !== undefined) setHeader.call(res, name, value as string | string[])
    return
  }
  const pairs: [string, string][] = Array.isArray(headers[0]) ? headers : pairUp(headers)
  for (const [name] of pairs) removeHeader.call(res, name)
  for (const [name, value] of pairs) appendHeader.call(res, name, typeof value === 'number' ? String(value) : value)
}

function pairUp(flat: readonly string[]): [string, string][] {
  const pairs: [string, string][] = []
  for (let i = 0; i < flat.length; i += 2) pairs.push([flat[i]!, flat[i + 1]!])
  return pairs
}

function getterOf(prototype: object, name: string): () => boolean {
  for (let at: object | null = prototype; at !== null; at = Object.getPrototypeOf(at) as object | null) {
    const getter = Object.getOwnPropertyDescriptor(at, name)?.get
    if (getter !== undefined) return getter as () => boolean
  }
  throw new TypeError(`a response without ${name}`)
}
