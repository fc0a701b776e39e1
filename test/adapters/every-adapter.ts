import { session } from '../../src/adapters/express.ts'
import { session as fastifySession } from '../../src/adapters/fastify.ts'
import { expressVersions } from './express-application.ts'
import { application as fastifyApplication } from './fastify-application.ts'
import { listen } from './server.ts'
import { site, type SiteHandler, siteOf, type SiteOptions, type VisitedSite } from './site.ts'

/** Each adapter, by one way to serve a handler of sessions over it. */
export const everyAdapter: {
  readonly adapter: string
  start(handler: SiteHandler, options?: Pick<SiteOptions, 'delay' | 'sessions'>): Promise<VisitedSite>
}[] = [
  { adapter: 'node:http', start: (handler, options) => site(handler, options) },
  { adapter: 'node:http2', start: (handler, options) => site(handler, { ...options, http2: true }) },
  ...expressVersions.map(({ version, express }) => ({
    adapter: `Express ${version}`,
    start: (handler: SiteHandler, options?: Pick<SiteOptions, 'delay' | 'sessions'>) =>
      siteOf((sessions) => {
        const app = express()
        app.set('env', 'test') // Its default error handler logs nothing there.
        app.use(session(sessions))
        app.use((req, res, next) => {
          const handled = async (): Promise<void> => void (await handler(req, res, sessions.of(req)))
          handled().catch(next)
        })
        return listen(app)
      }, options),
  })),
  ...[false, true].map((http2) => ({
    adapter: http2 ? 'Fastify 5 on http2' : 'Fastify 5',
    start: (handler: SiteHandler, { delay = 0, sessions: given = {} }: Pick<SiteOptions, 'delay' | 'sessions'> = {}) =>
      fastifyApplication(
        { delay },
        async (app, sessions) => {
          await app.register(fastifySession, { sessions })
          app.all('/*', async (request, reply) => {
            await handler(request.raw, reply.raw, sessions.of(request))
            return reply
          })
        },
        { http2, sessions: given },
      ),
  })),
]
