import type { ErrorRequestHandler, Request, RequestHandler } from 'express'
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

/** Answers every error: as JSON under /api, as a page elsewhere. What went wrong inside is logged and stays inside. */
export function answerErrors(sessions: ShopSessions): ErrorRequestHandler {
  return (cause: unknown, req, res, next) => {
    const error = toShopError(cause)
    if (error.status >= 500) console.error(cause)
    if (res.headersSent) return next(cause)
    res.status(error.status)
    if (error.retryAfter !== undefined) res.set('Retry-After', String(error.retryAfter))
    if (isApi(req)) res.json({ error: { code: error.code, message: error.message } })
    else res.send(errorPage(cause instanceof SojournError ? stranger : frameOf(sessions, req), error).text)
  }
}

function frameOf(sessions: ShopSessions, req: Request): Visitor {
  try {
    return visitorOf(sessions.of(req))
  } catch {
    // The request failed before its session was opened, or with it; the page is about the first error, which is known.
    return stranger
  }
}

function isApi({ path }: Request): boolean {
  return path === '/api' || path.startsWith('/api/')
}

/** Only words of our own go out: the message of a parser or of a store may quote what it was given. */
function toShopError(cause: unknown): ShopError {
  if (cause instanceof ShopError) return cause
  const status = statusOf(cause)
  if (cause instanceof SojournError) return new ShopError(status, cause.code, sessionMessages[status] ?? internal)
  if (status === 413) return new ShopError(413, 'too_large', 'The request is too large.')
  if (status < 500) return new ShopError(status, 'bad_request', 'The request could not be read.')
  return new ShopError(500, 'internal', internal)
}

const internal = 'Something went wrong on our side.'

const sessionMessages: Record<number, string> = {
  403: 'The login was refused. Try again.',
  409: 'Your session ended or moved on while this was under way, so nothing was changed. Go back and try again.',
  503: 'Sessions are out of reach just now. Try again in a moment.',
}

function statusOf(cause: unknown): number {
  const status: unknown = cause instanceof Error && 'status' in cause ? cause.status : undefined
  return typeof status === 'number' && status >= 400 && status <= 599 ? status : 500
}
