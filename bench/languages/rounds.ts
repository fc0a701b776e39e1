import { load } from './load.ts'
import type { Server } from './server.ts'

/** R reads one value of a session, W changes one. */
export type Kind = 'R' | 'W'
export const kinds: readonly Kind[] = ['R', 'W']

/** A server with sessions, and the same one without. */
export interface Pair {
  readonly name: string
  readonly bare: Server
  readonly sessions: Server
  /** The Cookie headers of the sessions that the requests take in turn; the bare server is sent the same. */
  readonly cookies: readonly string[]
}

export interface Measured {
  readonly rate: number
  /** µs of processor for a request. */
  readonly cost: number
}

/** What one pair came to in one round. */
export type Outcome = Readonly<Record<'bare' | 'sessions', Measured>>

/** @param seconds under load that count; one second before them does not */
export async function measurePair(pair: Pair, kind: Kind, seconds: number): Promise<Outcome> {
  return { bare: await measure(pair.bare, pair, kind, seconds), sessions: await measure(pair.sessions, pair, kind, seconds) }
}

async function measure(server: Server, { cookies }: Pair, kind: Kind, seconds: number): Promise<Measured> {
  const url = server.origin + pathOf[kind]
  await load(url, cookies, 1)
  const before = server.cpu()
  const { requests, rate } = await load(url, cookies, seconds)
  return { rate, cost: (server.cpu() - before) / requests }
}

/** Until so many requests of each kind have been answered, which is what compilers count; or for half a minute. */
export async function warmUp(server: Server, cookies: readonly string[], requests: number): Promise<void> {
  for (const kind of kinds)
    for (let answered = 0, times = 0; answered < requests && times < 15; times++)
      answered += (await load(server.origin + pathOf[kind], cookies, 2)).requests
}

const pathOf: Record<Kind, string> = { R: '/r', W: '/w' }

/** Begins sessions, and sees that each reads what was put into it, and that what is written stays. @returns their Cookie headers */
export async function begin(name: string, server: Server, count: number): Promise<readonly string[]> {
  const cookies: string[] = []
  for (let begun = 0; begun < count; begun++) {
    const { cookie } = await server.get('/new')
    if (cookie === '' || cookies.includes(cookie)) throw new Error(`${name} began no session: its cookie is '${cookie}'.`)
    const { value } = await server.get('/r', cookie)
    if (value !== 'dark') throw new Error(`${name} read '${value}' where 'dark' had been written.`)
    for (const expected of ['1', '2']) {
      const { value } = await server.get('/w', cookie)
      if (value !== expected) throw new Error(`${name} counted '${value}' instead of ${expected}: it does not keep what is written.`)
    }
    cookies.push(cookie)
  }
  return cookies
}

export function medianOf(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b)
  const middle = sorted.length >> 1
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2
}
