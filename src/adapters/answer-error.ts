import type { IncomingMessage, ServerResponse } from 'node:http'
import type { SojournError } from '../core/errors.ts'

// A Content-Security-Policy is the site's, whatever the answer.
const ofTheAnswer =
  /^(?:content-(?!security-policy).*|transfer-encoding|trailer|etag|last-modified|location|refresh|set-cookie|clear-site-data|cache-control)$/

/** Takes back what a handler had said of an answer that will not go out. */
export function discardAnswer(res: ServerResponse): void {
  for (const name of res.getHeaderNames()) if (ofTheAnswer.test(name)) res.removeHeader(name)
  // http2 has no status message, and warns of any.
  if (!('stream' in res)) res.statusMessage = ''
}

/** The default answer when a session can't be opened or committed. */
export function answerError(error: SojournError, req: IncomingMessage, res: ServerResponse): void {
  const message = error.status < 500 ? error.message : 'The session could not be opened or stored.'
  const json = /\bjson\b/.test(req.headers.accept ?? '') || /\bjson\b/.test(req.headers['content-type'] ?? '')
  const body = json ? JSON.stringify({ error: { code: error.code, message } }) : `${message}\n`
  res.statusCode = error.status
  for (const [name, value] of Object.entries(error.headers)) res.setHeader(name, value)
  res.setHeader('Cache-Control', 'no-store')
  res.setHeader('Content-Type', json ? 'application/json; charset=utf-8' : 'text/plain; charset=utf-8')
  res.setHeader('Content-Length', Buffer.byteLength(body))
  res.end(body)
}
