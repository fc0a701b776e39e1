import { ShopError } from './errors.ts'
import type { LoginLimit } from './login-limit.ts'
import type { ShopSession, ShopSessions } from './sessions.ts'
import { type Credentials, findUser, type User } from './users.ts'

export interface LoginForm {
  readonly username: string
  readonly password: string
  readonly remember: boolean
}

/** What logging in, and what needs a recent login, go by. */
export interface Door {
  readonly credentials: Credentials
  readonly limit: LoginLimit
  /** How old a login may be that ends sessions elsewhere. */
  readonly recentLogin: string
}

/** Logs in: the session gets a new ID, so that one which somebody planted or saw before is worth nothing; the cart comes along. */
export async function logIn(session: ShopSession, { username, password, remember }: LoginForm, door: Door, address: string): Promise<User> {
  const { user, epoch } = await check(username, password, door, address)
  await session.login(user.id, { remember, epoch })
  return user
}

export interface PasswordForm {
  readonly current: string
  readonly next: string
  /** Whether the user wants to be logged out everywhere else. */
  readonly endOthers: boolean
}

/**
 * Changes the password: the current one is asked for, since an open session alone must not be enough; this session gets a new token;
 * and the others end if the user wants it.
 */
export async function changePassword(
  sessions: ShopSessions,
  session: ShopSession,
  { current, next, endOthers }: PasswordForm,
  door: Door,
  address: string,
): Promise<void> {
  const userId = userOf(session)
  const { user } = await check(userId, current, door, address)
  if (next.length < 8) throw new ShopError(400, 'bad_password', 'The new password must have at least 8 characters.')
  await door.credentials.changePassword(user, next)
  const epoch = await door.credentials.epochOf(userId)
  await session.login(userId, { epoch: epoch ?? '' })
  if (endOthers) await endOtherSessions(sessions, session, door.recentLogin)
}

async function check(username: string, password: string, { credentials, limit }: Door, address: string) {
  const name = username.trim().toLowerCase()
  const attempt = await limit.attempt(name, address, () => credentials.authenticate(name, password))
  if (attempt.refused)
    throw new ShopError(429, 'too_many_logins', 'Too many failed logins. Wait a while, then try again.', attempt.retryAfter)
  if (attempt.result === null) throw new ShopError(401, 'wrong_credentials', 'This name and password do not match.')
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

/** The user, when they are an administrator. */
export function adminOf(session: ShopSession): User {
  const user = findUser(userOf(session))
  if (user?.isAdmin === true) return user
  throw new ShopError(403, 'not_admin', 'This is for administrators.')
}

function userOf({ userId }: ShopSession): string {
  if (userId !== null) return userId
  throw new ShopError(401, 'not_logged_in', 'Log in first.')
}
