import type { Sessions } from '../../src/core/sessions.ts'
import type { Session } from '../../src/core/session.ts'

/** A visitor's browser, without the wire: it keeps the cookie, and each visit opens the session, works on it, commits it. */
export class Visitor<Data extends object> {
  readonly #sessions: Sessions<Data>
  cookie: string | null

  constructor(sessions: Sessions<Data>, cookie: string | null = null) {
    this.#sessions = sessions
    this.cookie = cookie
  }

  /** Another tab with the cookie of now. */
  copy(): Visitor<Data> {
    return new Visitor(this.#sessions, this.cookie)
  }

  async open(): Promise<Session<Data>> {
    return await this.#sessions.open(new Headers(this.cookie === null ? {} : { cookie: this.cookie }))
  }

  async visit<Result>(handler: (session: Session<Data>) => Result | Promise<Result>): Promise<Result> {
    const session = await this.open()
    const result = await handler(session)
    this.take(await session.commit())
    return result
  }

  async read(): Promise<Data> {
    return (await this.open()).data
  }

  /** Does what a browser does with a response's cookie. */
  take(headers: Headers): void {
    for (const line of headers.getSetCookie()) this.cookie = line.includes('Max-Age=0') ? null : line.slice(0, line.indexOf(';'))
  }
}
