import type { IncomingMessage, OutgoingHttpHeaders } from 'node:http'
import { isUint8Array } from 'node:util/types'
import { attachedTo, type Committable } from '../core/opener.ts'
import { type CommitOptions, Gate, type NodeResponse, type Original, swallow } from './gate.ts'
import { isApart, isOdd, isStatus, setHeaders } from './write-head.ts'

type WriteHeadArguments = Parameters<NodeResponse['writeHead']>

type GateOf = (res: NodeResponse) => Gate | undefined

/** The gate that was made last: nearly all calls are of its response, and to find that otherwise takes several searches (see `attachedTo`). */
let latest: Gate | null = null

/** The gate of a response whose prototype was hooked: found by its request, which Express has set nothing on but the session. */
const gateByRequest: GateOf = (res) => {
  if (latest !== null && latest.isOf(res)) return latest
  const gate = attachedTo(res.req)?.gate as Gate | null | undefined
  // A request may be handed on with a response of somebody's own, as of a part of a page.
  return gate?.isOf(res) === true ? gate : undefined
}

/** Where another response has its gate. It leads to the request and back, for which a WeakMap is too dear (see `Opener`). */
const gateKey = Symbol('sojourn.gate')
const gateOnResponse: GateOf = (res) => (res as { readonly [gateKey]?: Gate })[gateKey]

/** Has the session of this request committed before its response begins, whose prototype must have been hooked. */
export function guard(req: IncomingMessage, res: NodeResponse, original: Original, session: Committable, options: CommitOptions): void {
  const first = attachedTo(req)!
  let gate = first.gate as Gate | null
  if (gate === null) {
    first.gate = latest = gate = new Gate(req, res, original, options)
    if (Object.hasOwn(res, 'on')) overhear(res, gate)
    if (hasOwnMethods(res)) hook(res)
  }
  gate.add(session)
}

/** The same for a response whose prototype is not ours to hook. */
export function guardAlone(req: IncomingMessage, res: NodeResponse, session: Committable, options: CommitOptions): void {
  let gate = gateOnResponse(res)
  if (gate === undefined) {
    const prototype = prototypeOf(res)
    const { original, methods } = patchFor(prototype)
    gate = new Gate(req, res, original, options)
    ;(res as { [gateKey]?: Gate })[gateKey] = gate
    if (res.on !== prototype.on) overhear(res, gate)
    if (isPatched(res, prototype)) hook(res, gateOnResponse)
    else putOn(res, methods)
  }
  gate.add(session)
}

/**
 * Whether middleware that came before put its own methods over this very response; they may know of Node's own alone. For a response
 * whose prototype was set: to compare them, as below, V8 would search for each anew (see `attachedTo`).
 */
function hasOwnMethods(res: NodeResponse): boolean {
  return Object.hasOwn(res, 'end') || Object.hasOwn(res, 'write') || Object.hasOwn(res, 'writeHead') || Object.hasOwn(res, 'flushHeaders')
}

/** The same for a response as Node made it. */
function isPatched(res: NodeResponse, { end, write, writeHead, flushHeaders }: NodeResponse): boolean {
  // Compared, since V8 knows where a method is, and would have to search for an own one.
  return res.end !== end || res.write !== write || res.writeHead !== writeHead || res.flushHeaders !== flushHeaders
}

function prototypeOf(res: NodeResponse): NodeResponse {
  return Object.getPrototypeOf(res) as NodeResponse
}

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

/** The methods of a response with the gate before them. */
interface Methods {
  writeHead(this: NodeResponse, status: number, reason?: unknown, headers?: unknown): NodeResponse
  write(this: NodeResponse, ...args: Parameters<NodeResponse['write']>): boolean
  end(this: NodeResponse, ...args: Parameters<NodeResponse['end']>): NodeResponse
  flushHeaders(this: NodeResponse): void
  _implicitHeader(this: NodeResponse): void
  setHeader: NodeResponse['setHeader']
  appendHeader: NodeResponse['appendHeader']
  removeHeader: NodeResponse['removeHeader']
}

type Looks = Readonly<Record<'headersSent' | 'writableEnded', PropertyDescriptor>>

type Prototype = NodeResponse & { _implicitHeader?: () => void }

/** What is put on the responses of a prototype. */
interface Patch {
  readonly prototype: NodeResponse
  readonly original: Original
  readonly methods: Methods
}

const known = new WeakMap<object, Patch>()
// Nearly all are of one prototype.
let last: Patch | null = null

function patchFor(prototype: NodeResponse): Patch {
  if (last !== null && last.prototype === prototype) return last
  let patch = known.get(prototype)
  if (patch === undefined) {
    // The same getters for all responses: with some of its own, each would be of a shape of its own.
    const looks = disguise(prototype, gateOnResponse)
    const made = methodsOver(prototype, gateOnResponse, (res) => holdBack(res, made.methods, looks))
    patch = { prototype, ...made }
    known.set(prototype, patch)
  }
  return (last = patch)
}

/**
 * Puts the gate before what begins an answer of one response, by plain assignments, always in the same order, so that all
 * responses stay of one shape: that costs nothing that can be measured. A prototype with the methods on it, given to each response
 * by `Object.setPrototypeOf`, cost 30 µs a request: Node's code lost its inline caches, and responses outlived their requests.
 */
function putOn(res: NodeResponse, methods: Methods): void {
  res.writeHead = methods.writeHead
  res.write = methods.write as NodeResponse['write']
  res.end = methods.end as NodeResponse['end']
  res.flushHeaders = methods.flushHeaders
  if ('writeHeader' in res) res.writeHeader = methods.writeHead // Node's old name for the same.
}

/** The rest of the methods, for a response that has to wait, or whose handler goes on after the commit failed. */
function holdBack(res: NodeResponse, methods: Methods, looks: Looks): void {
  res.setHeader = methods.setHeader
  res.appendHeader = methods.appendHeader
  res.removeHeader = methods.removeHeader
  const { _implicitHeader } = methods
  if ('_implicitHeader' in res) Object.assign(res, { _implicitHeader })
  // One by one: `defineProperties` takes twice as long.
  Object.defineProperty(res, 'headersSent', looks.headersSent)
  Object.defineProperty(res, 'writableEnded', looks.writableEnded)
}

/**
 * Puts the gate before the methods of a response prototype, once. A hook on a prototype costs a request nothing; methods put
 * on each response cost Express 5 to 8 µs, since it sets the prototype of each.
 */
export function hook(prototype: Prototype, gateOf: GateOf = gateByRequest): Original {
  const { original, methods } = methodsOver(prototype, gateOf, () => {})
  const hasImplicit = '_implicitHeader' in prototype
  for (const [name, value] of Object.entries(methods)) {
    if (name === '_implicitHeader' && !hasImplicit) continue
    Object.defineProperty(prototype, name, { value, writable: true, configurable: true, enumerable: false })
  }
  if ('writeHeader' in prototype)
    Object.defineProperty(prototype, 'writeHeader', { value: methods.writeHead, writable: true, configurable: true, enumerable: false })
  Object.defineProperties(prototype, disguise(prototype, gateOf))
  return original
}

/** What has a response look as if its head were out, and its end called, while it waits for the commit. */
function disguise(prototype: NodeResponse, gateOf: GateOf): Looks {
  const sent = getterOf(prototype, 'headersSent')
  const over = getterOf(prototype, 'writableEnded')
  return {
    headersSent: {
      get(this: NodeResponse) {
        return gateOf(this)?.state === 'pending' || sent.call(this)
      },
      configurable: true,
    },
    writableEnded: {
      get(this: NodeResponse) {
        const gate = gateOf(this)
        return (gate?.state === 'pending' && gate.ended) || over.call(this)
      },
      configurable: true,
    },
  }
}

/** @param hold called with a response whose own head is not to go out by now, or at all */
function methodsOver(prototype: Prototype, gateOf: GateOf, hold: (res: NodeResponse) => void): { original: Original; methods: Methods } {
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
  const begin = (res: NodeResponse, gate: Gate): void => {
    gate.begin()
    if (gate.state !== 'open') hold(res)
  }
  const beginHead = (res: NodeResponse, gate: Gate): void => {
    // http2's responses make their heads otherwise, and so may one whose method was replaced meanwhile.
    if (_implicitHeader === undefined || res.writeHead !== methods.writeHead) gate.begin()
    else gate.beginHead()
    if (gate.state !== 'open') hold(res)
  }
  const beginBy = (res: NodeResponse, gate: Gate, call: () => void): void => {
    begin(res, gate)
    if (pendingOf(gate)) gate.later(call)
    else if (!failedOf(gate)) call()
  }

  const methods: Methods = {
    writeHead(...args) {
      const gate = gateOf(this)
      if (gate === undefined) return writeHead.apply(this, args as WriteHeadArguments)
      if (gate.state === 'open') {
        const kept = gate.takeKept()
        if (kept === null) return writeHead.apply(this, args as WriteHeadArguments)
        if (args.length === 1) return writeHead.call(this, args[0], kept)
        gate.addHeaders()
        return writeHead.apply(this, args as WriteHeadArguments)
      }
      if (gate.state === 'failed') return this
      const [status, reason, headers] = args
      // Node's own checks speak for themselves, before anything is committed for an answer that can't go out.
      if (gate.state === 'pending' || !isStatus(status) || isOdd(headers ?? reason))
        return refuseHead(this, gate, () => writeHead.apply(this, args as WriteHeadArguments))
      this.statusCode = status
      if (typeof reason === 'string') this.statusMessage = reason
      const given = typeof reason === 'string' ? headers : (headers ?? reason)
      if (isApart(this, given)) {
        const all = gate.beginWith(given)
        if (all !== null) return goOut(this, gate, original, status, all)
        hold(this)
        if (pendingOf(gate)) gate.later(() => writeHead.call(this, status))
        return this
      }
      setHeaders(this, original, given)
      beginBy(this, gate, () => writeHead.call(this, status)) // The reason stands in statusMessage, the headers are set.
      return this
    },
    write(...args) {
      const gate = gateOf(this)
      if (gate === undefined || gate.state === 'open') return write.apply(this, args)
      if (gate.state !== 'failed') checkChunk(args[0])
      if (gate.state === 'idle') beginHead(this, gate)
      if (pendingOf(gate)) return gate.hold(() => write.apply(this, args), args)
      if (!failedOf(gate)) return write.apply(this, args)
      swallow(args)
      return true
    },
    end(...args) {
      const gate = gateOf(this)
      if (gate === undefined) return end.apply(this, args)
      if (gate.state === 'open') {
        if (!gate.ended) gate.watch()
        gate.ended = true
        return end.apply(this, args)
      }
      if (gate.state !== 'failed' && args[0] && typeof args[0] !== 'function') checkChunk(args[0])
      if (gate.state === 'idle') beginHead(this, gate)
      gate.ended = true
      if (pendingOf(gate)) gate.later(() => end.apply(this, args), args)
      else if (failedOf(gate)) swallow(args)
      else end.apply(this, args)
      return this
    },
    flushHeaders() {
      const gate = gateOf(this)
      if (gate === undefined || gate.state === 'open') return flushHeaders.call(this)
      if (gate.state === 'idle') beginBy(this, gate, () => flushHeaders.call(this))
      else if (gate.state === 'pending') gate.later(() => flushHeaders.call(this))
    },
    _implicitHeader() {
      // Middleware such as compression asks for the head again before each write, as long as it does not see one.
      const state = gateOf(this)?.state
      if (state !== 'pending' && state !== 'failed') _implicitHeader?.call(this)
    },
    setHeader: whileUnsent('set', setHeader, gateOf),
    appendHeader: whileUnsent('append', appendHeader, gateOf),
    removeHeader: whileUnsent('remove', removeHeader, gateOf),
  }
  return { original, methods }
}

function goOut(res: NodeResponse, gate: Gate, { writeHead }: Original, status: number, headers: OutgoingHttpHeaders): NodeResponse {
  try {
    return writeHead.call(res, status, headers)
  } catch (error) {
    if (!res.headersSent) gate.addHeaders() // Another answer will be tried.
    throw error
  }
}

// The state changes inside gate.begin(), which TypeScript's narrowing can't see.
function pendingOf(gate: Gate): boolean {
  return gate.state === 'pending'
}

function failedOf(gate: Gate): boolean {
  return gate.state === 'failed'
}

function whileUnsent<Args extends unknown[], Result>(
  verb: string,
  method: (this: NodeResponse, ...args: Args) => Result,
  gateOf: GateOf,
): (this: NodeResponse, ...args: Args) => Result {
  return function (this: NodeResponse, ...args: Args) {
    if (gateOf(this)?.state === 'pending') throw headersSentError(this, verb)
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
