import { Router, type Response } from 'express'
import { setTimeout as delay } from 'node:timers/promises'
import { activeSessions, adminOf, changePassword, type Door, endOtherSessions, endSession, logIn } from '../account.ts'
import { endEverybodysSessions, endSessionsOf, letIn, lockOut, userStates } from '../administration.ts'
import { addToCart } from '../cart.ts'
import { ShopError } from '../errors.ts'
import { bodyOf, readDelay, readFlag, readQty, readSku, readText, readTheme } from '../input.ts'
import type { ShopSession, ShopSessions } from '../sessions.ts'

/** The shop for scripts: the same as the pages, in JSON. */
export function apiRoutes(sessions: ShopSessions, door: Door): Router {
  const router = Router()

  router.get('/session', (req, res) => {
    res.json(describe(sessions.of(req)))
  })

  router.post('/cart', async (req, res) => {
    const session = sessions.of(req)
    const body = bodyOf(req)
    const { qty = 1, delayMs = 0 } = body
    const [sku, count, pause] = [readSku(body), readQty(qty), readDelay(delayMs)]
    // For demonstrations: other requests may change the session while this one has it open.
    if (pause > 0) await delay(pause)
    await addToCart(session, sku, count)
    await answer(res, session)
  })

  router.post('/preferences', async (req, res) => {
    const session = sessions.of(req)
    session.data.preferences.theme = readTheme(bodyOf(req))
    await answer(res, session)
  })

  router.post('/login', async (req, res) => {
    const session = sessions.of(req)
    const body = bodyOf(req)
    const { remember = false } = body
    const credentials = {
      username: readText(body, 'username'),
      password: readText(body, 'password'),
      remember: readFlag(remember, 'remember'),
    }
    await logIn(session, credentials, door, req.ip ?? '')
    await answer(res, session)
  })

  router.post('/logout', async (req, res) => {
    await sessions.of(req).logout()
    res.sendStatus(204)
  })

  router.get('/account/sessions', async (req, res) => {
    res.json(await activeSessions(sessions, sessions.of(req)))
  })

  router.delete('/account/sessions', async (req, res) => {
    await endOtherSessions(sessions, sessions.of(req), door.recentLogin)
    res.sendStatus(204)
  })

  router.delete('/account/sessions/:id', async (req, res) => {
    const ended = await endSession(sessions, sessions.of(req), req.params.id, door.recentLogin)
    if (!ended) throw new ShopError(404, 'unknown_session', 'You have no such session, or it has ended already.')
    res.sendStatus(204)
  })

  router.post('/account/password', async (req, res) => {
    const session = sessions.of(req)
    const body = bodyOf(req)
    const { endOthers = true } = body
    const form = { current: readText(body, 'current'), next: readText(body, 'next'), endOthers: readFlag(endOthers, 'endOthers') }
    await changePassword(sessions, session, form, door, req.ip ?? '')
    await answer(res, session)
  })

  router.get('/admin/users', async (req, res) => {
    adminOf(sessions.of(req))
    res.json(await userStates(sessions, door.credentials))
  })

  router.delete('/admin/sessions', async (req, res) => {
    const session = sessions.of(req)
    adminOf(session)
    res.json({ ended: await endEverybodysSessions(sessions, session) })
  })

  router.delete('/admin/users/:id/sessions', async (req, res) => {
    adminOf(sessions.of(req))
    res.json({ ended: await endSessionsOf(sessions, req.params.id) })
  })

  router.put('/admin/users/:id/locked-out', async (req, res) => {
    await lockOut(sessions, door.credentials, req.params.id, adminOf(sessions.of(req)))
    res.sendStatus(204)
  })

  router.delete('/admin/users/:id/locked-out', async (req, res) => {
    adminOf(sessions.of(req))
    await letIn(door.credentials, req.params.id)
    res.sendStatus(204)
  })

  return router
}

/** Answers with the session as it now is. It would be saved with the answer anyway; saving it first lets a new one tell its ID. */
async function answer(res: Response, session: ShopSession): Promise<void> {
  await session.save()
  res.json(describe(session))
}

function describe({ id, userId, data, createdAt, lastSeenAt, expiresAt }: ShopSession) {
  return { id, userId, cart: data.cart, preferences: data.preferences, createdAt, lastSeenAt, expiresAt }
}
