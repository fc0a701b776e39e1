import type { IncomingMessage, ServerResponse } from 'node:http'
import fastify, { type FastifyInstance, type FastifyServerOptions } from 'fastify'
import { onTestFinished } from 'vitest'
import type { Sessions } from '../../src/core/sessions.ts'
import { listen } from './server.ts'
import { type Data, siteOf, type SiteOptions, type VisitedSite } from './site.ts'

/** Each with a store that takes so many ms. */
export const fastifyRows = [
  { delay: 0, answers: 'at once' },
  { delay: 4, answers: 'late' },
] as const

/** What a server of the tests calls with each request, once the application is ready. */
export function listenerOf(app: FastifyInstance): (req: IncomingMessage, res: ServerResponse) => void {
  return (req, res) => void app.ready(() => app.routing(req, res))
}

/** An application around sessions, gone when the test is over. */
export async function application(
  { delay }: { readonly delay: number },
  build: (app: FastifyInstance, sessions: Sessions<Data>) => unknown,
  {
    http2 = false,
    sessions = {},
    fastify: options = () => ({}),
  }: Pick<SiteOptions, 'http2' | 'sessions'> & { readonly fastify?: (sessions: Sessions<Data>) => FastifyServerOptions } = {},
): Promise<VisitedSite> {
  const serve = async (sessions: Sessions<Data>) => {
    const app = fastify(options(sessions))
    onTestFinished(() => app.close())
    await build(app, sessions)
    return await listen(listenerOf(app), { http2 })
  }
  return await siteOf(serve, { delay, http2, sessions })
}

/** The session of a request as those type it who don't merge declarations. */
export function sessionOf(request: object): { data: Data } {
  return (request as { session: { data: Data } }).session
}
