import { ShopError } from './errors.ts'
import type { ShopSession, ShopSessions } from './sessions.ts'
import { allUsers, type Credentials, findUser, type User } from './users.ts'

export interface UserState {
  readonly id: string
  readonly name: string
  readonly lockedOut: boolean
  /** In how many places they are logged in. */
  readonly sessions: number
}

export async function userStates(sessions: ShopSessions, credentials: Credentials): Promise<UserState[]> {
  return await Promise.all(
    allUsers().map(async ({ id, name }) => {
      let count = 0
      for await (const _ of sessions.listByUser(id)) count += 1
      return { id, name, lockedOut: await credentials.isLockedOut(id), sessions: count }
    }),
  )
}

/** Logs a user out everywhere. @returns of how many places */
export async function endSessionsOf(sessions: ShopSessions, userId: string): Promise<number> {
  return await sessions.endUser(known(userId).id)
}

/** Locks a user out, and ends their sessions: in this order, so that no login on its way slips through between. */
export async function lockOut(sessions: ShopSessions, credentials: Credentials, userId: string, admin: User): Promise<void> {
  const user = known(userId)
  if (user.id === admin.id) throw new ShopError(400, 'bad_request', 'You can’t lock yourself out.')
  await credentials.lockOut(user)
  await sessions.endUser(user.id)
}

export async function letIn(credentials: Credentials, userId: string): Promise<void> {
  await credentials.letIn(known(userId))
}

/** Ends the sessions of everybody but the administrator who asks for it. */
export async function endEverybodysSessions(sessions: ShopSessions, session: ShopSession): Promise<number> {
  return await sessions.endAll({ except: session.id })
}

function known(userId: string): User {
  const user = findUser(userId)
  if (user !== null) return user
  throw new ShopError(404, 'unknown_user', 'There is no such user.')
}
