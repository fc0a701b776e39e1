import type { Theme } from '../../examples/shop/sessions.ts'

/** What /api/session answers. */
export interface SessionAnswer {
  id: string | null
  userId: string | null
  cart: { sku: string; qty: number }[]
  preferences: { theme: Theme }
  createdAt: number | null
  lastSeenAt: number | null
  expiresAt: number | null
}

export interface ActiveSession {
  id: string
  current: boolean
  createdAt: number
  lastSeenAt: number
  device: string | null
}

export interface Answer {
  readonly status: number
  readonly headers: Headers
  readonly setCookies: readonly string[]
  readonly text: string
}

interface Sent {
  readonly json?: unknown
  readonly form?: Readonly<Record<string, string>>
  readonly headers?: Readonly<Record<string, string>>
}

/** One browser without scripts: it keeps cookies by hand and follows no redirect by itself. */
export class Visitor {
  url: string
  readonly cookies = new Map<string, string>()

  constructor(url: string) {
    this.url = url
  }

  /** Another client that holds the same cookies now. */
  copy(): Visitor {
    const copy = new Visitor(this.url)
    for (const [name, value] of this.cookies) copy.cookies.set(name, value)
    return copy
  }

  get token(): string | undefined {
    return this.cookies.get('sid')
  }

  async send(method: string, path: string, { json, form, headers }: Sent = {}): Promise<Answer> {
    const body = json !== undefined ? JSON.stringify(json) : form !== undefined ? new URLSearchParams(form) : null
    const response = await fetch(this.url + path, {
      method,
      redirect: 'manual',
      body,
      headers: {
        ...(json !== undefined && { 'Content-Type': 'application/json' }),
        ...(this.cookies.size > 0 && { Cookie: [...this.cookies].map((pair) => pair.join('=')).join('; ') }),
        ...headers,
      },
    })
    const setCookies = response.headers.getSetCookie()
    for (const line of setCookies) this.#keep(line)
    return { status: response.status, headers: response.headers, setCookies, text: await response.text() }
  }

  get(path: string, sent?: Sent): Promise<Answer> {
    return this.send('GET', path, sent)
  }

  post(path: string, json?: unknown): Promise<Answer> {
    return this.send('POST', path, { json })
  }

  submit(path: string, form: Readonly<Record<string, string>> = {}): Promise<Answer> {
    return this.send('POST', path, { form })
  }

  async session(): Promise<SessionAnswer> {
    return read<SessionAnswer>(await this.get('/api/session'))
  }

  async activeSessions(): Promise<ActiveSession[]> {
    return read<ActiveSession[]>(await this.get('/api/account/sessions'))
  }

  logIn(username = 'ada', password = 'countess'): Promise<Answer> {
    return this.post('/api/login', { username, password })
  }

  #keep(line: string): void {
    const [, name = '', value = ''] = /^([^=]+)=([^;]*)/.exec(line) ?? []
    if (/;\s*max-age=0\b/i.test(line)) this.cookies.delete(name)
    else this.cookies.set(name, value)
  }
}

/** The JSON of a successful answer. */
export function read<T>({ status, text }: Answer): T {
  if (status !== 200) throw new Error(`answered ${status}: ${text}`)
  return JSON.parse(text) as T
}

/** The code of an error answer, after a look at its shape. */
export function errorCode({ text, headers }: Answer): string {
  const { error, ...rest } = JSON.parse(text) as { error: { code: string; message: string } }
  const shape = [Object.keys(rest).length, Object.keys(error).sort().join(), typeof error.code, typeof error.message].join(' ')
  if (shape !== '0 code,message string string') throw new Error(`not the shape of an error: ${text}`)
  if (!headers.get('content-type')?.startsWith('application/json')) throw new Error(`not JSON: ${headers.get('content-type')}`)
  return error.code
}
