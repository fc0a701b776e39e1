import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net'

/** A connection through the wire: whether the server was asked to tell of changes on it. */
interface Pair {
  readonly client: Socket
  readonly server: Socket
  isChannel: boolean
}

const channelWords = /bcast|LISTEN/i

/**
 * A TCP proxy before a server, that can take away the connections on which changes are told of, and those alone: `cut` breaks them and
 * each new one, `silent` lets them stand and swallows what comes.
 */
export class Wire {
  mode: 'open' | 'cut' | 'silent' = 'open'
  readonly #server: Server
  readonly #pairs = new Set<Pair>()

  private constructor(to: URL) {
    this.#server = createServer((client) => this.#carry(client, to))
  }

  /** @returns the wire, and the server's URL by it */
  static async to(url: string): Promise<{ wire: Wire; url: string }> {
    const by = new URL(url)
    const wire = new Wire(new URL(url))
    wire.#server.listen(0, '127.0.0.1')
    await once(wire.#server, 'listening')
    by.hostname = '127.0.0.1'
    by.port = String((wire.#server.address() as AddressInfo).port)
    return { wire, url: by.href }
  }

  set(mode: Wire['mode']): void {
    this.mode = mode
    if (mode === 'cut') for (const pair of this.#pairs) if (pair.isChannel) this.#end(pair)
  }

  close(): void {
    this.#server.close()
    for (const pair of this.#pairs) this.#end(pair)
  }

  #carry(client: Socket, { hostname, port }: URL): void {
    const pair: Pair = { client, server: connect(Number(port), hostname), isChannel: false }
    this.#pairs.add(pair)
    const swallows = () => pair.isChannel && this.mode === 'silent'
    client.on('data', (bytes: Buffer) => {
      pair.isChannel ||= channelWords.test(bytes.toString('latin1'))
      if (pair.isChannel && this.mode === 'cut') this.#end(pair)
      else if (!swallows()) pair.server.write(bytes)
    })
    pair.server.on('data', (bytes: Buffer) => {
      if (!swallows()) client.write(bytes)
    })
    for (const socket of [client, pair.server]) {
      socket.on('error', () => this.#end(pair))
      socket.on('close', () => this.#end(pair))
    }
  }

  #end(pair: Pair): void {
    this.#pairs.delete(pair)
    pair.client.destroy()
    pair.server.destroy()
  }
}
