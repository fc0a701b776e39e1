import { createServer, type RequestListener } from 'node:http'
import type { AddressInfo } from 'node:net'
import { onTestFinished } from 'vitest'

export interface Answer {
  readonly status: number
  readonly body: string
  readonly setCookies: readonly string[]
}

/** Serves on a port of its own, until the test is over. @returns the URL */
export async function serve(listener: RequestListener): Promise<string> {
  const server = createServer(listener)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  onTestFinished(async () => {
    server.closeAllConnections()
    await new Promise((resolve) => server.close(resolve))
  })
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}

/** A browser on the wire: it sends the cookie that it has, and keeps the one that an answer brings. */
export class HttpVisitor {
  readonly #url: string
  cookie: string | null

  constructor(url: string, cookie: string | null = null) {
    this.#url = url
    this.cookie = cookie
  }

  /** Another tab with the cookie of now. */
  copy(): HttpVisitor {
    return new HttpVisitor(this.#url, this.cookie)
  }

  async get(path: string): Promise<Answer> {
    return await this.#send('GET', path)
  }

  async post(path: string): Promise<Answer> {
    return await this.#send('POST', path)
  }

  async #send(method: string, path: string): Promise<Answer> {
    const response = await fetch(this.#url + path, { method, headers: this.cookie === null ? {} : { cookie: this.cookie } })
    const setCookies = response.headers.getSetCookie()
    for (const line of setCookies) this.cookie = line.includes('Max-Age=0') ? null : line.slice(0, line.indexOf(';'))
    return { status: response.status, body: await response.text(), setCookies }
  }
}
