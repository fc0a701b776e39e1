import { ShopError } from './errors.ts'
import type { LoginLimit } from './login-limit.ts'
import type { ShopSession, ShopSessions } from './sessions.ts'
import { authenticate, type User } from './users.ts'

export interface Credentials {
  readonly username: string
  readonly password: string
  readonly remember: boolean
}

/** Logs in: the session gets a new ID, so that one which somebody planted or saw before is worth nothing; the cart comes along. */
export async function logIn(
  session: ShopSession,
  { username, password, remember }: Credentials,
  limit: LoginLimit,
  address: string,
): Promise<User> {
  const name = username.trim().toLowerCase()
  const attempt = await limit.attempt(name, address, () => authenticate(name, password))
  if (attempt.refused)
    throw new ShopError(429, 'too_many_logins', 'Too many failed logins. Wait a while, then try again.', attempt.retryAfter)
  if (attempt.result === null) throw new ShopError(401, 'wrong_credentials', 'This name and password do not match.')
  await session.login(attempt.result.id, { remember })
  return attempt.result
}

/** One place where the user is logged in. */
export interface ActiveSession {
  readonly id: string
  /** True for the session that asks. */
  readonly current: boolean
  readonly createdAt: number
  readonly lastSeenAt: number
  readonly device: string | null
}

/** Where the session's user is logged in: this place first, then the most recently seen. */
export async function activeSessions(sessions: ShopSessions, session: ShopSession): Promise<ActiveSession[]> {
  const active: ActiveSession[] = []
  for await (const { id, createdAt, lastSeenAt, device } of sessions.listByUser(userOf(session))) {
    active.push({ id, current: id === session.id, createdAt, lastSeenAt, device })
  }
  return active.sort((a, b) => Number(b.current) - Number(a.current) || b.lastSeenAt - a.lastSeenAt)
}

/**
 * Ends one of the user's sessions. False when there is none of this ID: somebody else's is as unknown as one that never was.
 *
 * @param recentLogin how old the login may be, but for this very session's end: who found the browser open must not log the user out elsewhere
 */
export async function endSession(sessions: ShopSessions, session: ShopSession, id: string, recentLogin: string): Promise<boolean> {
  const target = (await activeSessions(sessions, session)).find((one) => one.id === id)
  if (target === undefined) return false
  if (!target.current) {
    session.requireRecentLogin(recentLogin)
    return sessions.end(id)
  }
  // This one goes by logout, which takes the cookie along.
  await session.logout()
  return true
}

/** Ends the user's sessions everywhere else. */
export async function endOtherSessions(sessions: ShopSessions, session: ShopSession, recentLogin: string): Promise<void> {
  const userId = userOf(session)
  session.requireRecentLogin(recentLogin)
  await sessions.endUser(userId, { except: session.id })
}

function userOf({ userId }: ShopSession): string {
  if (userId !== null) return userId
  throw new ShopError(401, 'not_logged_in', 'Log in first.')
}
