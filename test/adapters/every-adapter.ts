import { session } from '../../src/adapters/express.ts'
import { expressVersions } from './express-application.ts'
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
]
