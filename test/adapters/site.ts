import type { IncomingMessage, ServerResponse } from 'node:http'
import { onTestFinished } from 'vitest'
import { type CommitOptions, withSession } from '../../src/adapters/node.ts'
import type { SojournError } from '../../src/core/errors.ts'
import type { Sessions } from '../../src/core/sessions.ts'
import type { Session } from '../../src/core/session.ts'
import { createSessions, type SessionsOptions } from '../../src/sessions.ts'
import { type Listening, listen } from './server.ts'
import { watchedStore, type WatchedStore } from './watched-store.ts'
import { type Answer, type Asked, connection } from './wire.ts'

export interface Data {
  count: number
}

export interface VisitedSite {
  readonly sessions: Sessions<Data>
  readonly store: WatchedStore
  /** The codes of the `error` events. */
  readonly errors: string[]
  /** Resolves when the next `error` event comes. */
  nextError(): Promise<SojournError>
  readonly port: number
  /** One request on a connection of its own. */
  ask(asked?: Partial<Asked>): Promise<Answer<null>>
}

export interface SiteOptions extends CommitOptions {
  readonly http2?: boolean
  /** What each verb of the store takes, in ms; 0: it answers at once. */
  readonly delay?: number
  readonly sessions?: Partial<SessionsOptions<Data>>
}

export type SiteHandler = (req: IncomingMessage, res: ServerResponse, session: Session<Data>) => unknown

/** A server with sessions, gone when the test is over. */
export async function site(
  handler: SiteHandler,
  { http2 = false, delay = 0, sessions: given = {}, ...options }: SiteOptions = {},
): Promise<VisitedSite> {
  return await siteOf((sessions) => listen(withSession(sessions, handler, options), { http2 }), { http2, delay, sessions: given })
}

/** The same for a server that is built otherwise, around the sessions that it is handed. */
export async function siteOf(
  serve: (sessions: Sessions<Data>) => Promise<Listening>,
  { http2 = false, delay = 0, sessions: given = {} }: Pick<SiteOptions, 'http2' | 'delay' | 'sessions'> = {},
): Promise<VisitedSite> {
  const store = watchedStore(delay)
  const sessions = createSessions<Data>({ store, ...given, initial: () => ({ count: 0 }) })
  const errors: string[] = []
  sessions.on('error', ({ error }) => void errors.push(error.code))
  const server = await serve(sessions)
  onTestFinished(async () => {
    await server.close()
    await sessions.close()
  })
  return {
    sessions,
    store,
    errors,
    port: server.port,
    nextError: () =>
      new Promise((resolve) => {
        const off = sessions.on('error', ({ error }) => {
          off()
          resolve(error)
        })
      }),
    async ask({ method = 'GET', path = '/', ...more } = {}) {
      const over = await connection(http2 ? 'http2' : 'HTTP/1.1', server.port, () => null)
      const [answer] = await over.ask([{ method, path, ...more }])
      await over.close()
      return answer!
    },
  }
}

/** What came back, of a handler that tells it: the test's own assertions run where they can fail the test. */
export function told<T>(): { tell: (value: T) => void; heard: Promise<T> } {
  let tell: (value: T) => void = () => {}
  const heard = new Promise<T>((resolve) => (tell = resolve))
  return { tell, heard }
}

/** Resolves when the client has gone (or has its answer). */
export function gone(res: ServerResponse): Promise<void> {
  return new Promise((resolve) => void res.once('close', () => resolve()))
}
