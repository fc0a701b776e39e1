import { Router, type Response } from 'express'
import { SojournError } from 'sojourn'
import { activeSessions, changePassword, type Door, endOtherSessions, endSession, logIn } from '../account.ts'
import { addToCart, priceCart, removeFromCart } from '../cart.ts'
import { allProducts, findProduct } from '../catalogue.ts'
import { ShopError } from '../errors.ts'
import { bodyOf, fromForm, readNext, readQty, readSku, readText, readTheme } from '../input.ts'
import type { ShopSessions } from '../sessions.ts'
import { accountPage } from '../views/account.ts'
import { cartPage } from '../views/cart.ts'
import { homePage } from '../views/home.ts'
import type { Html } from '../views/html.ts'
import { loginPage } from '../views/login.ts'
import { findUser } from '../users.ts'
import { visitorOf } from '../visitor.ts'

/** The shop for people: pages, and forms that change something and lead on to a page (303). */
export function pageRoutes(sessions: ShopSessions, door: Door): Router {
  const router = Router()

  router.get('/', (req, res) => {
    show(res, homePage(visitorOf(sessions.of(req)), allProducts(), { loggedOut: 'bye' in req.query }))
  })

  router.get('/cart', (req, res) => {
    const session = sessions.of(req)
    show(res, cartPage(visitorOf(session), priceCart(session.data.cart)))
  })

  router.post('/cart', async (req, res) => {
    const session = sessions.of(req)
    const body = bodyOf(req)
    const sku = readSku(body)
    const qty = readQty(fromForm(body.qty ?? 1))
    session.flash('notice', `Added ${qty} × ${findProduct(sku)?.name} to your cart.`)
    await addToCart(session, sku, qty)
    res.redirect(303, session.url('/cart'))
  })

  router.post('/cart/remove', async (req, res) => {
    const session = sessions.of(req)
    const body = bodyOf(req)
    const qty = body.qty === undefined ? undefined : readQty(fromForm(body.qty))
    await removeFromCart(session, readText(body, 'sku'), qty)
    res.redirect(303, session.url('/cart'))
  })

  router.get('/login', (req, res) => {
    const session = sessions.of(req)
    const next = readNext(req.query.next, '/')
    const again = session.userId !== null && 'again' in req.query
    if (session.userId !== null && !again) return res.redirect(303, session.url(next))
    show(res, loginPage(visitorOf(session), { next, again, username: session.userId ?? undefined }))
  })

  router.post('/login', async (req, res) => {
    const session = sessions.of(req)
    const body = bodyOf(req)
    const next = readNext(body.next, '/')
    const credentials = { username: readText(body, 'username'), password: readText(body, 'password'), remember: body.remember === 'on' }
    try {
      const user = await logIn(session, credentials, door, req.ip ?? '')
      session.flash('notice', `You are logged in. Welcome, ${user.name}.`)
      res.redirect(303, session.url(next))
    } catch (cause) {
      if (!(cause instanceof ShopError)) throw cause
      if (cause.retryAfter !== undefined) res.set('Retry-After', String(cause.retryAfter))
      show(res.status(cause.status), loginPage(visitorOf(session), { next, username: credentials.username, problem: cause.message }))
    }
  })

  router.post('/logout', async (req, res) => {
    const session = sessions.of(req)
    await session.logout()
    res.redirect(303, session.url('/?bye'))
  })

  router.post('/preferences', (req, res) => {
    const session = sessions.of(req)
    const body = bodyOf(req)
    // A plain change: it is saved before the redirect leaves.
    session.data.preferences.theme = readTheme(body)
    res.redirect(303, session.url(readNext(body.next, '/')))
  })

  router.get('/account', async (req, res) => {
    const session = sessions.of(req)
    const user = findUser(session.userId)
    if (user === null) return res.redirect(303, session.url('/login?next=/account'))
    show(res, accountPage(visitorOf(session), await activeSessions(sessions, session), Date.now()))
  })

  router.post('/account/sessions/end', async (req, res) => {
    const session = sessions.of(req)
    if (session.userId === null) return res.redirect(303, session.url('/login?next=/account'))
    const body = bodyOf(req)
    try {
      if (body.others !== undefined) {
        await endOtherSessions(sessions, session, door.recentLogin)
        session.flash('notice', 'You are logged out everywhere else.')
        return res.redirect(303, session.url('/account'))
      }
      const id = readText(body, 'id')
      const current = id === session.id
      const ended = await endSession(sessions, session, id, door.recentLogin)
      if (current) return res.redirect(303, session.url('/?bye'))
      session.flash('notice', ended ? 'That session is ended.' : 'That session had ended already.')
      res.redirect(303, session.url('/account'))
    } catch (cause) {
      if (!(cause instanceof SojournError) || cause.code !== 'ERR_SOJOURN_LOGIN_REQUIRED') throw cause
      res.redirect(303, session.url('/login?again&next=/account'))
    }
  })

  router.post('/account/password', async (req, res) => {
    const session = sessions.of(req)
    if (session.userId === null) return res.redirect(303, session.url('/login?next=/account'))
    const body = bodyOf(req)
    const endOthers = body.others === 'on'
    const form = { current: readText(body, 'current'), next: readText(body, 'next'), endOthers }
    try {
      await changePassword(sessions, session, form, door, req.ip ?? '')
      session.flash('notice', `Your password is changed${endOthers ? ', and you are logged out everywhere else' : ''}.`)
      res.redirect(303, session.url('/account'))
    } catch (cause) {
      if (!(cause instanceof ShopError)) throw cause
      if (cause.retryAfter !== undefined) res.set('Retry-After', String(cause.retryAfter))
      show(res.status(cause.status), accountPage(visitorOf(session), await activeSessions(sessions, session), Date.now(), cause.message))
    }
  })

  return router
}

function show(res: Response, page: Html): void {
  res.type('html').send(page.text)
}
