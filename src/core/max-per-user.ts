import { type Core, storeError } from './core.ts'
import { end, standingOf } from './ending.ts'
import { SojournError } from './errors.ts'
import { type Routine, wait } from './routine.ts'
import type { SessionRecord } from './store.ts'

/** How many sessions one user may have at once. */
export interface MaxPerUser {
  readonly count: number
  /** What happens to one too many: the oldest session ends, or the login is refused. */
  readonly then: 'end-oldest' | 'refuse'
}

const looks = 20

/**
 * Refuses a login whose new session is one too many. It is asked after the insert, so that of logins at the same moment each
 * sees the others: those that came last by (createdAt, id) give up at once, the others wait until they have gone.
 *
 * @param replaced the session that the login replaces, which does not count
 * @throws ERR_SOJOURN_LOGIN_REFUSED
 */
export function* refuseOneTooMany(core: Core, record: SessionRecord, replaced: string | null): Routine<void> {
  if (core.maxPerUser?.then !== 'refuse') return
  const { count } = core.maxPerUser
  for (let look = 1; look <= looks; look++) {
    const live = (yield* liveSessions(core, record.userId!)).filter(({ id }) => id !== replaced)
    if (live.length <= count) return
    if (live.findIndex(({ id }) => id === record.id) >= count) break
    yield* wait(new Promise<void>((resolve) => setTimeout(resolve, 10 + Math.random() * 20)))
  }
  throw new SojournError('ERR_SOJOURN_LOGIN_REFUSED', `The login was refused: the user has ${count} sessions already, which is as many as maxPerUser allows; end one of them first.`)
}

/**
 * Ends the oldest of a user's sessions after a login, until no more than allowed are left. The newest ones by (createdAt, id)
 * are the newest in every listing, so that logins at the same moment agree on who stays.
 */
export function* endOldest(core: Core, userId: string): Routine<void> {
  if (core.maxPerUser?.then !== 'end-oldest') return
  const live = yield* liveSessions(core, userId)
  for (const { id } of live.slice(0, Math.max(0, live.length - core.maxPerUser.count))) yield* end(core, id, 'ended')
}

/** Oldest first. */
function* liveSessions(core: Core, userId: string): Routine<SessionRecord[]> {
  return yield* wait(collect(core, userId))
}

async function collect({ store, clock }: Core, userId: string): Promise<SessionRecord[]> {
  const live: SessionRecord[] = []
  try {
    for await (const record of store.list(userId)) if (standingOf(record, clock.now()) === 'live') live.push(record)
  } catch (cause) {
    throw storeError(store, cause)
  }
  return live.toSorted((a, b) => a.createdAt - b.createdAt || (a.id < b.id ? -1 : 1))
}
