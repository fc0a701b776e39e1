import type { IncomingMessage } from 'node:http'
import { isUint8Array } from 'node:util/types'
import type { Committable } from '../core/opener.ts'
import { type CommitOptions, Gate, type NodeResponse, type Original, swallow } from './gate.ts'
import { isOdd, isStatus, setHeaders } from './write-head.ts'

type WriteHeadArguments = Parameters<NodeResponse['writeHead']>

const gates = new WeakMap<NodeResponse, Gate>()

/** Has the session committed before this response begins. The response's prototype must have been hooked. */
export function guard(req: IncomingMessage, res: NodeResponse, original: Original, session: Committable, options: CommitOptions): void {
  let gate = gates.get(res)
  if (gate === undefined) {
    gates.set(res, (gate = new Gate(req, res, original, options)))
    // Middleware that came before put its own methods over this very response; they may know of Node's own alone.
    if (methods.some((name) => Object.hasOwn(res, name))) hook(res)
    if (Object.hasOwn(res, 'on')) overhear(res, gate)
  }
  gate.add(session)
}

const methods = ['writeHead', 'write', 'end', 'flushHeaders'] as const

/**
 * Compression takes those who listen for 'drain' to a stream of its own, which knows nothing of a write that waited for the
 * commit before it came there.
 */
function overhear(res: NodeResponse, gate: Gate): void {
  const on = res.on as (this: NodeResponse, type: string, listener: () => void) => NodeResponse
  const value = function (this: NodeResponse, type: string, listener: () => void): NodeResponse {
    if (type === 'drain') gate.tellDrained(listener)
    return on.call(this, type, listener)
  }
  Object.defineProperty(res, 'on', { value, writable: true, configurable: true })
}

/**
 * Puts the gate before the methods of a response prototype, once. A hook on a prototype costs a request nothing; methods put
 * on each response cost Express 5 to 8 µs.
 */
export function hook(prototype: NodeResponse & { _implicitHeader?: () => void }): Original {
  const { writeHead, write, end, flushHeaders, setHeader, appendHeader, removeHeader, _implicitHeader } = prototype
  const original: Original = {
    writeHead,
    write,
    end,
    flushHeaders,
    setHeader,
    appendHeader,
    removeHeader,
    ...(_implicitHeader && { _implicitHeader }),
  }
  const sent = getterOf(prototype, 'headersSent')
  const over = getterOf(prototype, 'writableEnded')

  const hooked: Record<string, unknown> = {
    writeHead(this: NodeResponse, ...args: [status: number, reason?: unknown, headers?: unknown]): NodeResponse {
      const gate = gates.get(this)
      if (gate === undefined || gate.state === 'open') return writeHead.apply(this, args as WriteHeadArguments)
      if (gate.state === 'failed') return this
      const [status, reason, headers] = args
      // Node's own checks speak for themselves, before anything is committed for an answer that can't go out.
      if (gate.state === 'pending' || !isStatus(status) || isOdd(headers ?? reason))
        return refuseHead(this, gate, () => writeHead.apply(this, args as WriteHeadArguments))
      this.statusCode = status
      if (typeof reason === 'string') this.statusMessage = reason
      setHeaders(this, original, typeof reason === 'string' ? headers : (headers ?? reason))
      begin(gate, () => writeHead.call(this, status)) // The reason stands in statusMessage, the headers are set.
      return this
    },
    write(this: NodeResponse, ...args: Parameters<NodeResponse['write']>): boolean {
      const gate = gates.get(this)
      if (gate === undefined || gate.state === 'open') return write.apply(this, args)
      if (gate.state !== 'failed') checkChunk(args[0])
      if (gate.state === 'idle') gate.begin()
      if (pendingOf(gate)) return gate.hold(() => write.apply(this, args), args)
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
      if (gate.state !== 'failed' && args[0] && typeof args[0] !== 'function') checkChunk(args[0])
      if (gate.state === 'idle') gate.begin()
      gate.ended = true
      if (pendingOf(gate)) gate.later(() => end.apply(this, args), args)
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
    setHeader: whileUnsent('set', setHeader),
    appendHeader: whileUnsent('append', appendHeader),
    removeHeader: whileUnsent('remove', removeHeader),
  }
  // Node's old name for the same.
  if ('writeHeader' in prototype) hooked['writeHeader'] = hooked['writeHead']
  if (_implicitHeader === undefined) delete hooked['_implicitHeader']
  for (const [name, value] of Object.entries(hooked))
    Object.defineProperty(prototype, name, { value, writable: true, configurable: true, enumerable: false })
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

function whileUnsent<Args extends unknown[], Result>(
  verb: string,
  method: (this: NodeResponse, ...args: Args) => Result,
): (this: NodeResponse, ...args: Args) => Result {
  return function (this: NodeResponse, ...args: Args) {
    if (gates.get(this)?.state === 'pending') throw headersSentError(this, verb)
    return method.apply(this, args)
  }
}

/** The error that Node throws once a head is out. */
function headersSentError(res: NodeResponse, verb: string): Error {
  if ('stream' in res) return Object.assign(new Error('Response has already been initiated.'), { code: 'ERR_HTTP2_HEADERS_SENT' })
  return Object.assign(new Error(`Cannot ${verb} headers after they are sent to the client`), { code: 'ERR_HTTP_HEADERS_SENT' })
}

/** What Node would throw for, it must throw at the call: once it waits for the commit nobody can be told. */
function checkChunk(chunk: unknown): void {
  if (typeof chunk === 'string' || isUint8Array(chunk)) return
  const received = chunk === null ? 'null' : `type ${typeof chunk}`
  throw Object.assign(
    new TypeError(`The "chunk" argument must be of type string or an instance of Buffer or Uint8Array. Received ${received}`),
    {
      code: 'ERR_INVALID_ARG_TYPE',
    },
  )
}

function refuseHead(res: NodeResponse, gate: Gate, ask: () => NodeResponse): NodeResponse {
  if (gate.state === 'pending') throw headersSentError(res, 'write')
  // Node throws here; were it ever to accept, the answer goes out as it is.
  gate.state = 'open'
  try {
    return ask()
  } catch (error) {
    if (!res.headersSent) gate.state = 'idle'
    throw error
  }
}

function getterOf(prototype: object, name: string): () => boolean {
  for (let at: object | null = prototype; at !== null; at = Object.getPrototypeOf(at) as object | null) {
    const getter = Object.getOwnPropertyDescriptor(at, name)?.get
    if (getter !== undefined) return getter as () => boolean
  }
  throw new TypeError(`a response without ${name}`)
}
