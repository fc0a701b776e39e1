import type { ErrorRequestHandler, Request, RequestHandler } from 'express'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { SojournError } from 'sojourn'
import type { ShopSessions } from './sessions.ts'
import { errorPage } from './views/error.ts'
import { stranger, visitorOf, type Visitor } from './visitor.ts'

/** An answer that is not the one asked for: told to the client as it stands. */
export class ShopError extends Error {
  override readonly name = 'ShopError'
  readonly status: number
  readonly code: string
  /** Seconds, for the header Retry-After. */
  readonly retryAfter: number | undefined

  constructor(status: number, code: string, message: string, retryAfter?: number) {
    super(message)
    this.status = status
    this.code = code
    this.retryAfter = retryAfter
  }
}

export const notFound: RequestHandler = () => {
  throw new ShopError(404, 'not_found', 'There is nothing at this address.')
}

/** Answers what the routes throw. */
export function answerErrors(sessions: ShopSessions): ErrorRequestHandler {
  return (cause: unknown, req, res, next) => {
    if (res.headersSent) return next(cause)
    answerError(cause, req, res, frameOf(sessions, req, cause))
  }
}

/** Answers an error: as JSON under /api, as a page elsewhere. What went wrong inside is logged and stays inside. */
export function answerError(cause: unknown, req: IncomingMessage, res: ServerResponse, visitor = stranger): void {
  const error = toShopError(cause)
  if (error.status >= 500) console.error(cause)
  res.statusCode = error.status
  if (error.retryAfter !== undefined) res.setHeader('Retry-After', error.retryAfter)
  res.setHeader('Cache-Control', 'no-store')
  res.setHeader('Content-Type', isApi(req) ? 'application/json; charset=utf-8' : 'text/html; charset=utf-8')
  res.end(isApi(req) ? JSON.stringify({ error: { code: error.code, message: error.message } }) : errorPage(visitor, error).text)
}

function frameOf(sessions: ShopSessions, req: Request, cause: unknown): Visitor {
  // Where the session is the trouble, the page must do without it.
  if (cause instanceof SojournError) return stranger
  try {
    return visitorOf(sessions.of(req))
  } catch {
    // The request failed before its session was open, or the session can't be read; the page is about the first error.
    return stranger
  }
}

function isApi(req: IncomingMessage): boolean {
  // Express takes the router's own part off `url`.
  const path = 'originalUrl' in req ? String(req.originalUrl) : req.url
  return /^\/api(?:[/?]|$)/.test(path ?? '')
}

/** Only words of our own go out: the message of a parser or of a store may quote what it was given. */
function toShopError(cause: unknown): ShopError {
  if (cause instanceof ShopError) return cause
  const status = statusOf(cause)
  if (cause instanceof SojournError)
    return new ShopError(status, cause.code, messages[cause.code] ?? messages[status] ?? internal, status === 503 ? 1 : undefined)
  if (status === 413) return new ShopError(413, 'too_large', 'The request is too large.')
  if (status < 500) return new ShopError(status, 'bad_request', 'The request could not be read.')
  return new ShopError(500, 'internal', internal)
}

const internal = 'Something went wrong on our side.'

const messages: Record<number | string, string> = {
  ERR_SOJOURN_CROSS_ORIGIN: 'This request came from another site, so it was not carried out.',
  401: 'This step needs a recent login. Log in again, then repeat it.',
  403: 'The login was refused. Try again.',
  409: 'Your session ended or moved on while this was under way, so nothing was changed. Go back and try again.',
  503: 'Sessions are out of reach just now. Try again in a moment.',
}

function statusOf(cause: unknown): number {
  const status: unknown = cause instanceof Error && 'status' in cause ? cause.status : undefined
  return typeof status === 'number' && status >= 400 && status <= 599 ? status : 500
}
