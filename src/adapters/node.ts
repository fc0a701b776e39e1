import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Http2ServerRequest, Http2ServerResponse } from 'node:http2'
import { SojournError } from '../core/errors.ts'
import { type Committable, openerOf, type Opens } from '../core/opener.ts'
import { NodeView } from '../core/request.ts'
import { isPromise } from '../core/routine.ts'
import { guardAddress } from './address.ts'
import { answerError, discardAnswer } from './answer-error.ts'
import type { CommitOptions, NodeResponse } from './gate.ts'
import { guardAlone } from './hook.ts'

export type { CommitOptions } from './gate.ts'

/**
 * Gives a request handler its session: `http.createServer(withSession(sessions, (req, res, session) => …))`; for http, https and http2.
 * What was changed is committed before the response's first byte.
 *
 * A SojournError that the handler throws, or rejects with, is answered with its status; once the head is out, it is reported and
 * the response destroyed.
 */
export function withSession<
  Face,
  Req extends IncomingMessage | Http2ServerRequest = IncomingMessage,
  Res extends ServerResponse | Http2ServerResponse = ServerResponse,
>(
  sessions: Opens<Face>,
  handler: (req: Req, res: Res, session: Face) => unknown,
  options: CommitOptions = {},
): (req: Req, res: Res) => void {
  const opener = openerOf(sessions)
  return (request, response) => {
    // http2's compatibility API has what is used here of http's own classes.
    const req = request as unknown as IncomingMessage
    const res = response as unknown as NodeResponse
    const answer = (error: unknown): void => {
      if (!(error instanceof SojournError)) throw error
      if (res.headersSent) {
        // The client has the head: a broken body is all that it can be told.
        opener.report(error, null)
        res.destroy(error)
      } else {
        discardAnswer(res)
        answerError(error, req, res)
      }
    }
    const view = new NodeView(req, opener.trustProxy)
    const serve = (session: Committable & Face): unknown => {
      guardAlone(req, res, session, options)
      return handler(request, response, session)
    }
    try {
      const opened = opener.openFor(req, view)
      guardAddress(view, res)
      const served = isPromise(opened) ? opened.then(serve) : serve(opened)
      if (served instanceof Promise) served.catch(answer)
    } catch (error) {
      guardAddress(view, res)
      answer(error)
    }
  }
}
