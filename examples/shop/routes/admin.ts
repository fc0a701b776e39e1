import { Router } from 'express'
import { adminOf } from '../account.ts'
import { endEverybodysSessions, endSessionsOf, letIn, lockOut, userStates } from '../administration.ts'
import { bodyOf, readText } from '../input.ts'
import type { ShopSessions } from '../sessions.ts'
import type { Credentials } from '../users.ts'
import { adminPage } from '../views/admin.ts'
import { visitorOf } from '../visitor.ts'

/** What administrators can do about sessions, as a page with forms. */
export function adminRoutes(sessions: ShopSessions, credentials: Credentials): Router {
  const router = Router()

  router.get('/admin', async (req, res) => {
    const session = sessions.of(req)
    if (session.userId === null) return res.redirect(303, session.url('/login?next=/admin'))
    adminOf(session)
    res.type('html').send(adminPage(visitorOf(session), await userStates(sessions, credentials)).text)
  })

  router.post('/admin', async (req, res) => {
    const session = sessions.of(req)
    const admin = adminOf(session)
    const body = bodyOf(req)
    session.flash('notice', body.end === 'all' ? await endAll() : await actOn(readText(body, 'user')))
    res.redirect(303, session.url('/admin'))

    async function endAll(): Promise<string> {
      return ended(await endEverybodysSessions(sessions, session))
    }
    async function actOn(userId: string): Promise<string> {
      if (body.do === 'lock-out') await lockOut(sessions, credentials, userId, admin)
      else if (body.do === 'let-in') await letIn(credentials, userId)
      else return ended(await endSessionsOf(sessions, userId))
      return body.do === 'lock-out' ? 'They are locked out, and logged out everywhere.' : 'They may log in again.'
    }
  })

  return router
}

function ended(count: number): string {
  return count === 1 ? '1 session is ended.' : `${count} sessions are ended.`
}
