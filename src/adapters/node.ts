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
  const { trustProxy } = opener
  // Closures are made for a request that has to wait, or whose handler is asynchronous: for all others they would be a cost that shows.
  const serve = (request: Req, response: Res, session: Committable & Face): unknown => {
    const { req, res } = nodes(request, response)
    guardAlone(req, res, session, options)
    return handler(request, response, session)
  }
  const answer = (error: unknown, request: Req, response: Res): void => {
    const { req, res } = nodes(request, response)
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
  return (request, response) => {
    const { req, res } = nodes(request, response)
    const view = new NodeView(req, trustProxy)
    try {
      const opened = opener.openFor(req, view)
      guardAddress(view, res)
      const served = isPromise(opened) ? opened.then((session) => serve(request, response, session)) : serve(request, response, opened)
      if (served instanceof Promise) served.catch((error: unknown) => answer(error, request, response))
    } catch (error) {
      guardAddress(view, res)
      answer(error, request, response)
    }
  }
}

/** http2's compatibility API has what is used here of http's own classes. */
function nodes(request: object, response: object): { readonly req: IncomingMessage; readonly res: NodeResponse } {
  return { req: request as IncomingMessage, res: response as NodeResponse }
}
