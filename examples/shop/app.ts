import express, { type Express, type NextFunction, type Request, type Response } from 'express'
import { fileURLToPath } from 'node:url'
import { session } from 'sojourn/express'
import { accessLog } from './access-log.ts'
import { answerError, answerErrors, notFound } from './errors.ts'
import { LoginLimit } from './login-limit.ts'
import { adminRoutes } from './routes/admin.ts'
import { apiRoutes } from './routes/api.ts'
import { pageRoutes } from './routes/pages.ts'
import type { ShopSessions } from './sessions.ts'
import type { Settings } from './settings.ts'
import type { Credentials } from './users.ts'

/** The shop over its sessions. What stands above `session(sessions)` never touches one. */
export function createShop(
  sessions: ShopSessions,
  credentials: Credentials,
  { recentLogin, accessLog: logs }: Pick<Settings, 'recentLogin' | 'accessLog'>,
): Express {
  const app = express()
  app.disable('x-powered-by')
  app.disable('etag')
  if (logs) app.use(accessLog)
  app.use(protect)

  app.get('/health', (_req, res) => {
    res.type('text').send('ok')
  })
  // The page after a logout loads it: what the browser kept of pages for the one who logged out must not show on the way back.
  app.get('/forget.css', (_req, res) => {
    res.set({ 'Clear-Site-Data': '"cache"', 'Cache-Control': 'no-store' }).type('css').send()
  })
  app.use(express.static(fileURLToPath(new URL('./public', import.meta.url)), { index: false }))

  // Refuses what another site makes a visitor's browser send (CSRF), too.
  app.use(session(sessions, { answerError }))
  app.use(fresh)

  const door = { credentials, limit: new LoginLimit(), recentLogin }
  app.use('/api', express.json({ limit: '16kb' }), apiRoutes(sessions, door))
  app.use('/api', notFound)
  app.use(express.urlencoded({ limit: '16kb', extended: false }), pageRoutes(sessions, door), adminRoutes(sessions, credentials))
  app.use(notFound)
  app.use(answerErrors(sessions))
  return app
}

function protect(_req: Request, res: Response, next: NextFunction): void {
  res.set({
    'Content-Security-Policy':
      "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
    'X-Content-Type-Options': 'nosniff',
    // Not no-referrer: with it a browser sends `Origin: null` with the shop's own forms.
    'Referrer-Policy': 'same-origin',
    'Cross-Origin-Opener-Policy': 'same-origin',
  })
  next()
}

/** Whatever is made for one visitor is shown once: going back after a logout must not show the account again. */
function fresh(_req: Request, res: Response, next: NextFunction): void {
  res.set('Cache-Control', 'no-store')
  next()
}
