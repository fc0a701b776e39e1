import { randomBytes } from 'node:crypto'
import express, { type Express, type Request, type RequestHandler, type Response } from 'express'
import { session } from '../../src/adapters/express.ts'
import type { Sessions } from '../../src/core/sessions.ts'
import { createSessions, type SessionsOptions } from '../../src/index.ts'

export interface Data {
  cart: string[]
  /** What a login at the identity provider was begun with. */
  login?: { state: string }
}

/** How the first request that comes back from the identity provider gets on where it brought no cookie. */
export type Mend = 'page' | 'redirect' | 'none'

export interface LoginSite {
  readonly app: Express
  readonly sessions: Sessions<Data>
  /** How each request to the ways back arrived. */
  readonly arrivals: string[]
}

const text = (value: unknown): string => (typeof value === 'string' ? value : '')
const escape = (value: string): string => value.replace(/[&<>"']/g, (sign) => `&#${sign.charCodeAt(0)};`)

/**
 * The site of docs/external-login.md.
 *
 * @param provider the identity provider's origin
 * @param bounceAbove whether the form that it sends is met above the session middleware
 */
export function loginSite(
  options: Pick<SessionsOptions<Data>, 'cookie' | 'crossOrigin'>,
  provider: () => string,
  { mend = 'page', bounceAbove = false }: { readonly mend?: Mend; readonly bounceAbove?: boolean } = {},
): LoginSite {
  const sessions = createSessions<Data>({ ...options, initial: () => ({ cart: [] }) })
  const arrivals: string[] = []
  const app = express()
  app.set('env', 'test') // Its default error handler logs nothing there.
  app.use(express.urlencoded())

  const note: RequestHandler = (req, _res, next) => {
    const { 'sec-fetch-site': site, origin } = req.headers
    arrivals.push(
      `${req.method} ${site}${req.method === 'POST' ? ` ${origin}` : ''} ${req.headers.cookie === undefined ? 'bare' : 'cookie'}`,
    )
    next()
  }
  app.all(['/callback', '/acs'], note)
  if (bounceAbove) app.post('/acs', (req, res, next) => (bodyOf(req)['again'] === undefined ? sendFormAgain(req, res) : next()))
  app.use(session(sessions))

  app.get('/', (req, res) => {
    const { data, userId } = sessions.of(req)
    res.send(`<p id="who">${userId ?? 'nobody'} with ${data.cart.join() || 'nothing'}</p>`)
  })
  app.get('/cart/tea', (req, res) => {
    sessions.of(req).data.cart.push('tea')
    res.send('tea is in the cart')
  })
  app.get('/login', (req, res) => {
    const state = randomBytes(16).toString('base64url')
    sessions.of(req).data.login = { state }
    res.redirect(303, `${provider()}/authorize?by=${text(req.query['by'])}&state=${state}`)
  })

  const finish = async (req: Request, res: Response, state: string): Promise<void> => {
    const mine = sessions.of(req)
    const { login } = mine.data
    if (login === undefined || login.state !== state) return void res.status(400).send('This login was not begun here; begin again.')
    delete mine.data.login
    await mine.login('ada')
    res.redirect(303, '/')
  }

  // OAuth: back by a redirect.
  app.get('/callback', async (req, res) => {
    const isFirst = sessions.of(req).isNew && req.query['again'] === undefined
    if (!isFirst || mend === 'none') return await finish(req, res, text(req.query['state']))
    const again = `${req.originalUrl}&again`
    if (mend === 'redirect') return res.redirect(303, again)
    res.set({ 'Cache-Control': 'no-store', 'Referrer-Policy': 'no-referrer' })
    res.send(`<!doctype html><meta http-equiv="refresh" content="0; url=${escape(again)}"><a href="${escape(again)}">Go on</a>`)
  })

  // SAML: back by a form.
  app.post('/acs', async (req, res) => {
    const { RelayState, again } = bodyOf(req)
    if (sessions.of(req).isNew && again === undefined) return sendFormAgain(req, res)
    await finish(req, res, text(RelayState))
  })
  return { app, sessions, arrivals }
}

const bodyOf = (req: Request) => req.body as Record<string, unknown>

function sendFormAgain(req: Request, res: Response): void {
  const { SAMLResponse, RelayState } = bodyOf(req)
  res.set('Cache-Control', 'no-store')
  res.send(`<!doctype html>
    <form method="post">
      <input type="hidden" name="SAMLResponse" value="${escape(text(SAMLResponse))}">
      <input type="hidden" name="RelayState" value="${escape(text(RelayState))}">
      <button name="again" value="yes">Go on</button>
    </form>
    <script>document.querySelector('button').click()</script>`)
}

/** An identity provider that asks for consent, then sends the browser back: by a redirect, or by a form (`by=form`). */
export function identityProvider(site: () => string, referrerPolicy = 'strict-origin-when-cross-origin'): Express {
  const app = express()
  app.use(express.urlencoded())
  app.use((_req, res, next) => {
    res.set('Referrer-Policy', referrerPolicy)
    next()
  })
  app.get('/authorize', (req, res) => {
    res.send(
      `<form method="post" action="/consent?${escape(new URLSearchParams(req.query as Record<string, string>).toString())}"><button>Yes, it is me</button></form>`,
    )
  })
  app.post('/consent', (req, res) => {
    const state = text(req.query['state'])
    if (req.query['by'] !== 'form') return res.redirect(302, `${site()}/callback?code=1234&state=${encodeURIComponent(state)}`)
    res.send(`<form method="post" action="${site()}/acs">
      <input type="hidden" name="SAMLResponse" value="PD94bWw+"><input type="hidden" name="RelayState" value="${escape(state)}">
      <button>Back</button></form><script>document.querySelector('button').click()</script>`)
  })
  return app
}
