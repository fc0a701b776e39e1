import type { Sessions } from '../../src/core/sessions.ts'
import type { Session } from '../../src/core/session.ts'

/** What tells one client from another. */
export interface Client {
  readonly agent: string
  readonly address: string
}

export const firefox: Client = {
  agent: 'Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:145.0) Gecko/20100101 Firefox/145.0',
  address: '192.0.2.7',
}
export const chrome: Client = {
  agent: 'Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36',
  address: '198.51.100.9',
}

/** A client with a cookie jar, over plain http. */
export class Browser<Data extends object> {
  readonly #sessions: Sessions<Data>
  readonly #client: Client
  /** What the session's cookie holds. */
  token: string | null
  /** The Set-Cookie header of the last answer. */
  setCookie: string | null = null

  constructor(sessions: Sessions<Data>, client: Client = firefox, token: string | null = null) {
    this.#sessions = sessions
    this.#client = client
    this.token = token
  }

  get id(): string | null {
    return this.token?.slice(0, 16) ?? null
  }

  open(): Promise<Session<Data>> {
    const headers: Record<string, string> = { 'user-agent': this.#client.agent }
    if (this.token !== null) headers['cookie'] = `theme=dark; sid=${this.token}`
    return this.#sessions.open({ headers, socket: { remoteAddress: this.#client.address } })
  }

  /** One request from beginning to end; its answer arrives. */
  async send<Result>(handler: (session: Session<Data>) => Result): Promise<Awaited<Result>> {
    const session = await this.open()
    const result = await handler(session)
    this.receive(await session.commit())
    return result
  }

  receive(headers: Headers): void {
    this.setCookie = headers.getSetCookie()[0] ?? null
    if (this.setCookie === null) return
    const value = this.setCookie.slice('sid='.length, this.setCookie.indexOf(';'))
    this.token = value === '' ? null : value
  }

  /** The user that a request of this browser is served as. */
  visit(): Promise<string | null> {
    return this.send((session) => session.userId)
  }
}
