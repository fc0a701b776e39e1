import { connect, type Socket } from 'node:net'

/**
 * One connection of a client that sends one request after the other, and does next to nothing beside: node:http's own client takes as
 * long for a request as a server does, so that with hundreds at once it would measure itself.
 */
export class Connection {
  readonly #socket: Socket
  readonly #host: string
  #answer = ''
  #answered: () => void = () => {}
  #failed: (error: Error) => void = () => {}

  static async open(origin: string): Promise<Connection> {
    const { host, hostname, port } = new URL(origin)
    const socket = connect({ host: hostname, port: Number(port), noDelay: true })
    await new Promise((resolve, reject) => socket.once('connect', resolve).once('error', reject))
    return new Connection(socket, host)
  }

  private constructor(socket: Socket, host: string) {
    this.#socket = socket
    this.#host = host
    socket.setEncoding('latin1')
    socket.on('data', (text: string) => {
      this.#answer += text
      // A whole body has 100 bytes.
      if (this.#answer.length >= 100 && this.#answer.indexOf('\r\n\r\n') === this.#answer.length - 104) this.#answered()
    })
    socket.on('error', (error) => this.#failed(error))
    socket.on('close', () => this.#failed(new Error(`The connection to ${host} was closed.`)))
  }

  /** @returns how long it took until the whole answer was there, in ms. @throws unless it is a success */
  async time(path: string, cookie: string): Promise<number> {
    if (this.#socket.destroyed) throw new Error(`The connection to ${this.#host} was closed while it was idle.`)
    this.#answer = ''
    const whole = new Promise<void>((resolve, reject) => {
      this.#answered = resolve
      this.#failed = reject
    })
    const began = performance.now()
    this.#socket.write(`GET ${path} HTTP/1.1\r\nHost: ${this.#host}\r\nCookie: ${cookie}\r\n\r\n`)
    await whole
    const took = performance.now() - began
    if (!this.#answer.startsWith('HTTP/1.1 200 ')) throw new Error(`${this.#host}${path} answered ${this.#answer}`)
    return took
  }

  close(): void {
    this.#socket.destroy()
  }
}
