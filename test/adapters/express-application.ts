import { createRequire } from 'node:module'
import express5, { type Express, type Request, type RequestHandler } from 'express'
import type { Sessions } from '../../src/core/sessions.ts'
import { listen } from './server.ts'
import { type Data, siteOf, type SiteOptions, type VisitedSite } from './site.ts'
import { type Answer, valuesOf } from './wire.ts'

// Express 4 is installed under another name, for which there are no types: what is used here is the same in both.
const express4 = createRequire(import.meta.url)('express4') as typeof express5

export const expressVersions = [
  { version: 5, express: express5 },
  { version: 4, express: express4 },
] as const

/** Each version of Express, with a store that takes so many ms. */
export const expressRows = expressVersions.flatMap((row) =>
  [0, 4].map((delay) => ({ ...row, delay, answers: delay === 0 ? 'at once' : 'late' })),
)

/** A request as those type it who don't merge declarations. */
export type WithSession = Request & { session?: { data: Data } }

/** An application around sessions, gone when the test is over. */
export function application(
  { express, delay }: (typeof expressRows)[number],
  build: (app: Express, sessions: Sessions<Data>) => void,
  more: SiteOptions['sessions'] = {},
): Promise<VisitedSite> {
  const serve = (sessions: Sessions<Data>) => {
    const app = express()
    app.set('env', 'test') // Its default error handler logs nothing there.
    build(app, sessions)
    return listen(app)
  }
  return siteOf(serve, { delay, sessions: more })
}

/** Middleware that changes the session. */
export function counting(sessions: Sessions<Data>): RequestHandler {
  return (req, _res, next) => {
    sessions.of(req).data.count += 1
    next()
  }
}

/** The session cookies that an answer sets. */
export function sids({ headers }: Answer<unknown>): string[] {
  return valuesOf(headers, 'set-cookie').filter((value) => value.startsWith('sid='))
}
