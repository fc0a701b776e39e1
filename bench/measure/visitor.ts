import { Agent, request } from 'node:http'
import { text } from 'node:stream/consumers'

export interface Visit {
  readonly status: number
  readonly body: string
}

/** A client with a cookie jar that says of itself what wrk will say: to a server that compares them, both are one client. */
export class Visitor {
  readonly #cookies = new Map<string, string>()
  readonly #origin: string
  readonly #headers: Readonly<Record<string, string>>
  readonly #agent: Agent

  constructor(origin: string, headers: Readonly<Record<string, string>> = {}, agent = new Agent({ keepAlive: true })) {
    this.#origin = origin
    this.#headers = headers
    this.#agent = agent
  }

  /** The Cookie header. */
  get cookie(): string {
    return [...this.#cookies].map(([name, value]) => `${name}=${value}`).join('; ')
  }

  /** @throws unless the answer is a success of 100 bytes */
  async get(path: string): Promise<string> {
    const { status, body } = await this.visit(path)
    if (status !== 200 || body.length !== 100) throw new Error(`${this.#origin}${path} answered ${status}: ${body.slice(0, 500)}`)
    return body.split(' ', 1)[0]!
  }

  async visit(path: string): Promise<Visit> {
    const headers = { ...this.#headers, ...(this.#cookies.size > 0 && { Cookie: this.cookie }) }
    return await new Promise((resolve, reject) => {
      const sent = request(`${this.#origin}${path}`, { headers, agent: this.#agent }, (response) => {
        for (const line of response.headers['set-cookie'] ?? []) this.#keep(line)
        text(response).then((body) => resolve({ status: response.statusCode!, body }), reject)
      })
      sent.on('error', reject)
      sent.end()
    })
  }

  leave(): void {
    this.#agent.destroy()
  }

  #keep(line: string): void {
    const [, name, value] = /^([^=]+)=([^;]*)/.exec(line)!
    this.#cookies.set(name!, value!)
  }
}
