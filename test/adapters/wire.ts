import type { Socket } from 'node:net'
import { connect, type ClientHttp2Session, type IncomingHttpHeaders, type IncomingHttpStatusHeader } from 'node:http2'
import { connect as connectTcp } from 'node:net'
import { once } from 'node:events'

/** An answer as it came over the wire. */
export interface Answer<Seen> {
  readonly status: number
  readonly reason: string
  readonly headers: readonly (readonly [name: string, value: string])[]
  readonly body: Buffer
  readonly trailers: readonly (readonly [name: string, value: string])[]
  /** Statuses of the 1xx answers before it. */
  readonly informational: readonly number[]
  /** What `look` saw when the first byte of the answer came. */
  readonly seen: Seen
}

export interface Asked {
  readonly method: string
  readonly path: string
  readonly cookie?: string | undefined
  readonly headers?: Readonly<Record<string, string>> | undefined
  /** @default 'localhost' */
  readonly host?: string | undefined
}

/** A connection that a test asks over. */
export interface Connection<Seen> {
  /** Sends all requests at once, before the first answer has come. */
  ask(requests: readonly Asked[]): Promise<Answer<Seen>[]>
  close(): Promise<void>
}

export type Protocol = 'HTTP/1.0' | 'HTTP/1.0 with keep-alive' | 'HTTP/1.1' | 'http2'

export async function connection<Seen>(protocol: Protocol, port: number, look: () => Seen): Promise<Connection<Seen>> {
  if (protocol === 'http2') return new Http2Connection(connect(`http://127.0.0.1:${port}`), look)
  const socket = connectTcp(port, '127.0.0.1')
  await once(socket, 'connect')
  return new Http1Connection(socket, protocol, look)
}

/** HTTP/1 by hand: what Node's own clients would tidy up stays visible, and several requests can go out at once. */
class Http1Connection<Seen> implements Connection<Seen> {
  readonly #socket: Socket
  readonly #protocol: Protocol
  readonly #look: () => Seen
  #data = Buffer.alloc(0)
  /** How many bytes came before `#data`. */
  #offset = 0
  /** What was seen as bytes came, up to which offset. */
  readonly #arrivals: { readonly to: number; readonly seen: Seen }[] = []
  #over = false
  #wake = (): void => {}

  constructor(socket: Socket, protocol: Protocol, look: () => Seen) {
    this.#socket = socket
    this.#protocol = protocol
    this.#look = look
    socket.on('data', (chunk) => {
      this.#data = Buffer.concat([this.#data, chunk])
      this.#arrivals.push({ to: this.#offset + this.#data.length, seen: this.#look() })
      this.#wake()
    })
    socket.on('close', () => {
      this.#over = true
      this.#wake()
    })
    socket.on('error', () => {})
  }

  async ask(requests: readonly Asked[]): Promise<Answer<Seen>[]> {
    const version = this.#protocol === 'HTTP/1.1' ? 'HTTP/1.1' : 'HTTP/1.0'
    this.#socket.cork()
    process.nextTick(() => this.#socket.uncork())
    const fixed = this.#protocol === 'HTTP/1.0 with keep-alive' ? 'Connection: keep-alive\r\n' : ''
    for (const asked of requests) {
      const lines = Object.entries(headersOf(asked)).map(([name, value]) => `${name}: ${value}\r\n`)
      this.#socket.write(
        `${asked.method} ${asked.path} ${version}\r\nHost: ${asked.host ?? 'localhost'}\r\n${fixed}${lines.join('')}\r\n`,
        'latin1',
      )
    }
    const answers: Answer<Seen>[] = []
    for (const { method } of requests) answers.push(await this.#read(method))
    return answers
  }

  async close(): Promise<void> {
    if (this.#over) return
    this.#socket.destroy()
    await once(this.#socket, 'close')
  }

  async #read(method: string): Promise<Answer<Seen>> {
    const informational: number[] = []
    for (;;) {
      const from = this.#offset
      await this.#until(() => this.#data.length > 0)
      const { seen } = this.#arrivals.find(({ to }) => to > from) ?? { seen: this.#look() }
      const [line = '', ...fields] = (await this.#head()).split('\r\n')
      const [, status = '', reason = ''] = /^HTTP\/1\.1 (\d{3}) ?(.*)$/.exec(line) ?? []
      if (status.startsWith('1')) {
        informational.push(Number(status))
        continue
      }
      const headers = fields.map(pairOf)
      const { body, trailers } = await this.#body(method, Number(status), headers)
      return { status: Number(status), reason, headers, body, trailers, informational, seen }
    }
  }

  async #body(
    method: string,
    status: number,
    headers: readonly (readonly [string, string])[],
  ): Promise<{ body: Buffer; trailers: (readonly [string, string])[] }> {
    const length = valueOf(headers, 'content-length')
    if (method === 'HEAD' || status === 204 || status === 304) return { body: Buffer.alloc(0), trailers: [] }
    if (valueOf(headers, 'transfer-encoding') === 'chunked') return await this.#chunks()
    if (length !== undefined) return { body: await this.#take(Number(length)), trailers: [] }
    await this.#until(() => false)
    return { body: await this.#take(this.#data.length), trailers: [] }
  }

  async #chunks(): Promise<{ body: Buffer; trailers: (readonly [string, string])[] }> {
    const parts: Buffer[] = []
    for (;;) {
      const size = Number.parseInt(await this.#line(), 16)
      if (!(size >= 0)) throw new Error('a chunk without its size')
      if (size === 0) break
      parts.push(await this.#take(size))
      await this.#line()
    }
    const trailers: (readonly [string, string])[] = []
    for (let line = await this.#line(); line !== ''; line = await this.#line()) trailers.push(pairOf(line))
    return { body: Buffer.concat(parts), trailers }
  }

  async #head(): Promise<string> {
    await this.#until(() => this.#data.includes('\r\n\r\n'))
    const head = (await this.#take(this.#data.indexOf('\r\n\r\n'))).toString('latin1')
    await this.#take(4)
    return head
  }

  async #line(): Promise<string> {
    await this.#until(() => this.#data.includes('\r\n'))
    const line = (await this.#take(this.#data.indexOf('\r\n'))).toString('latin1')
    await this.#take(2)
    return line
  }

  async #take(size: number): Promise<Buffer> {
    await this.#until(() => this.#data.length >= size)
    if (this.#data.length < size) throw new Error(`the connection ended after ${this.#data.length} of ${size} bytes`)
    const taken = this.#data.subarray(0, size)
    this.#data = this.#data.subarray(size)
    this.#offset += size
    return taken
  }

  /** Waits until something holds, or the connection is over. */
  async #until(holds: () => boolean): Promise<void> {
    while (!holds() && !this.#over) await new Promise<void>((resolve) => (this.#wake = resolve))
  }
}

class Http2Connection<Seen> implements Connection<Seen> {
  readonly #session: ClientHttp2Session
  readonly #look: () => Seen

  constructor(session: ClientHttp2Session, look: () => Seen) {
    this.#session = session
    this.#look = look
  }

  async ask(requests: readonly Asked[]): Promise<Answer<Seen>[]> {
    return await Promise.all(requests.map((asked) => this.#ask(asked)))
  }

  async close(): Promise<void> {
    this.#session.destroy()
    if (!this.#session.closed) await once(this.#session, 'close')
  }

  async #ask(asked: Asked): Promise<Answer<Seen>> {
    const authority = asked.host === undefined ? {} : { ':authority': asked.host }
    const head = { ':method': asked.method, ':path': asked.path, ...authority, ...headersOf(asked) }
    const stream = this.#session.request(head, { endStream: true })
    const informational: number[] = []
    let trailers: (readonly [string, string])[] = []
    const parts: Buffer[] = []
    stream.on('headers', (headers) => informational.push(Number(headers[':status'])))
    stream.on('trailers', (headers) => (trailers = pairsOf(headers)))
    stream.on('data', (chunk: Buffer) => parts.push(chunk))
    const answer = new Promise<{ headers: IncomingHttpHeaders & IncomingHttpStatusHeader; seen: Seen }>((resolve, reject) => {
      stream.once('response', (headers) => resolve({ headers, seen: this.#look() }))
      stream.once('error', reject)
    })
    const over = once(stream, 'close')
    const { headers, seen } = await answer
    await over
    return {
      status: headers[':status'] ?? 0,
      reason: '',
      headers: pairsOf(headers),
      body: Buffer.concat(parts),
      trailers,
      informational,
      seen,
    }
  }
}

function headersOf({ cookie, headers }: Asked): Record<string, string> {
  return { ...(cookie !== undefined && { cookie }), ...headers }
}

export function valueOf(headers: readonly (readonly [string, string])[], name: string): string | undefined {
  return headers.find(([other]) => other.toLowerCase() === name)?.[1]
}

export function valuesOf(headers: readonly (readonly [string, string])[], name: string): string[] {
  return headers.filter(([other]) => other.toLowerCase() === name).map(([, value]) => value)
}

function pairOf(line: string): readonly [string, string] {
  const colon = line.indexOf(':')
  return [line.slice(0, colon), line.slice(colon + 1).trim()]
}

function pairsOf(headers: IncomingHttpHeaders): (readonly [string, string])[] {
  return Object.entries(headers)
    .filter(([name]) => !name.startsWith(':'))
    .flatMap(([name, value]) => (Array.isArray(value) ? value : [String(value)]).map((one) => [name, one] as const))
}
