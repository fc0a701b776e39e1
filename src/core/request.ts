/** What the core and the transports need to know of a request, whatever framework it came through. */
export interface RequestView {
  /** A header's value by its lower-case name; several lines of one name joined as Node joins them. */
  header(name: string): string | undefined
  /** How many lines of a name there are, where that can be known: of some Node keeps the first alone. */
  countOf(name: string): number
  /** Whether the client's connection is known to be https: its own TLS, or a proxy that the application trusts says so. */
  readonly secure: boolean
  /** The client's address, as far as it is known. */
  readonly address: string | undefined
  /** Undefined where headers are all that is known of the request. */
  readonly method: string | undefined
  /** The host and port that the request was sent to, as it says itself: never what a proxy says of it. */
  readonly host: string | undefined
  /** The target: path and query, or the whole URL; undefined where headers alone are known. */
  readonly url: string | undefined
  /** Takes a token out of the target, so that whoever looks at the request after this can't log it. */
  hideToken(strip: (url: string) => string): void
  /** Whether the target bore a token: then the page's address does, which is nobody else's business. */
  readonly boreToken: boolean
}

/** What a request tells of its client. */
export type ClientView = Pick<RequestView, 'address' | 'header'>

/** A Fetch request, its headers alone, or Node's own request. */
export type AnyRequest = NodeRequest | FetchRequest | FetchHeaders

/** The part of Node's request that is used, of http and of http2. */
export interface NodeRequest {
  readonly method?: string | undefined
  url?: string | undefined
  readonly rawHeaders?: string[] | undefined
  readonly headers: Readonly<Record<string, string | string[] | undefined>>
  readonly socket: { readonly remoteAddress?: string | undefined }
}

/** The part of the Fetch standard's Request that is used. */
export interface FetchRequest {
  readonly method?: string | undefined
  readonly url: string
  readonly headers: FetchHeaders
}

export interface FetchHeaders {
  get(name: string): string | null
}

export function viewOf(request: AnyRequest, trustProxy: boolean): RequestView {
  // Express's request has a `get` as well. Headers alone don't tell how they came; in production that is https.
  if (!('headers' in request)) return new FetchView(request, process.env['NODE_ENV'] === 'production', trustProxy)
  if (isFetch(request)) return new FetchView(request.headers, request.url.startsWith('https:'), trustProxy, request)
  return new NodeView(request, trustProxy)
}

function isFetch(request: NodeRequest | FetchRequest): request is FetchRequest {
  return typeof request.headers['get'] === 'function'
}

export class NodeView implements RequestView {
  readonly #request: NodeRequest
  /** Read once: of a request whose prototype was set, as Express does, V8 searches for each property anew. */
  readonly #headers: NodeRequest['headers']
  readonly #trustProxy: boolean
  boreToken = false

  constructor(request: NodeRequest, trustProxy: boolean) {
    this.#request = request
    this.#headers = request.headers
    this.#trustProxy = trustProxy
  }

  header(name: string): string | undefined {
    const headers = this.#headers
    // What each request is asked for by a name of its own: by one that changes, it would be searched for each time.
    const value =
      name === 'cookie'
        ? headers['cookie']
        : name === 'user-agent'
          ? headers['user-agent']
          : name === 'upgrade'
            ? headers['upgrade']
            : headers[name]
    return Array.isArray(value) ? value.join(', ') : value
  }

  countOf(name: string): number {
    const { rawHeaders } = this.#request
    if (rawHeaders === undefined) return this.#headers[name] === undefined ? 0 : 1
    let count = 0
    for (let i = 0; i < rawHeaders.length; i += 2) if (rawHeaders[i]!.toLowerCase() === name) count++
    return count
  }

  get url(): string | undefined {
    return this.#request.url
  }

  hideToken(strip: (url: string) => string): void {
    this.boreToken = true
    const request = this.#request
    if (request.url !== undefined) request.url = strip(request.url)
    // http2 has the target among its headers as well, and follows in all of them but the raw ones.
    const { rawHeaders = [] } = request
    const at = rawHeaders.indexOf(':path')
    if (at !== -1 && at % 2 === 0) rawHeaders[at + 1] = strip(rawHeaders[at + 1]!)
  }

  get secure(): boolean {
    // http2 keeps the TLS socket behind a proxy object that knows `encrypted` as well.
    if ('encrypted' in this.#request.socket && this.#request.socket.encrypted === true) return true
    return this.#trustProxy && saysHttps(this)
  }

  get address(): string | undefined {
    return (this.#trustProxy ? forwardedFor(this) : undefined) ?? this.#request.socket.remoteAddress
  }

  get method(): string | undefined {
    return this.#request.method
  }

  get host(): string | undefined {
    return this.header(':authority') ?? this.header('host') // http2 has the first.
  }
}

class FetchView implements RequestView {
  readonly #headers: FetchHeaders
  readonly url: string | undefined
  readonly #secure: boolean
  readonly #trustProxy: boolean
  readonly #request: FetchRequest | null
  boreToken = false

  constructor(headers: FetchHeaders, secure: boolean, trustProxy: boolean, request: FetchRequest | null = null) {
    this.#headers = headers
    this.url = request?.url
    this.#secure = secure
    this.#trustProxy = trustProxy
    this.#request = request
  }

  header(name: string): string | undefined {
    return this.#headers.get(name) ?? undefined
  }

  /** Several lines are one value here, with commas in it. */
  countOf(name: string): number {
    return this.#headers.get(name) === null ? 0 : 1
  }

  /** A Fetch request can't be changed: whoever has it sees its URL as it came. */
  hideToken(): void {
    this.boreToken = true
  }

  get secure(): boolean {
    return this.#secure || (this.#trustProxy && saysHttps(this))
  }

  get address(): string | undefined {
    return this.#trustProxy ? forwardedFor(this) : undefined
  }

  get method(): string | undefined {
    return this.#request?.method
  }

  get host(): string | undefined {
    const { url = '' } = this.#request ?? {}
    return this.header('host') ?? (URL.canParse(url) ? new URL(url).host : undefined)
  }
}

// The last entry is the one that the nearest proxy wrote; those before it may be the client's own.
function lastOf(list: string | undefined): string | undefined {
  return list?.slice(list.lastIndexOf(',') + 1).trim() || undefined
}

/** Whether a proxy in front claims that the client came by https. */
export function saysHttps(request: RequestView): boolean {
  return lastOf(request.header('x-forwarded-proto'))?.toLowerCase() === 'https'
}

function forwardedFor(request: RequestView): string | undefined {
  return lastOf(request.header('x-forwarded-for'))
}
