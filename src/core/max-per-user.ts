import { type Core, storeError } from './core.ts'
import { end, isLive } from './ending.ts'
import { SojournError } from './errors.ts'
import { type Routine, wait } from './routine.ts'
import type { SessionRecord } from './store.ts'

/** How many sessions one user may have at once. */
export interface MaxPerUser {
  readonly count: number
  /** What happens to one too many: the oldest session ends, or the login is refused. */
  readonly beyond: 'end-oldest' | 'refuse'
}

const endsAtOnce = 8
/**
 * How often one that waits must look, and find as many as before, before it takes it that nobody will go; and for how long, in ms, it
 * looks at most. Looks are as slow as the store and this process are, and a process that stands still for a while looks once
 * meanwhile, whereas by the clock all that wait in it would give up together. So no look counts for more than a second.
 */
const patience = 20
const longestWait = 25_000
const longestLook = 1000

/**
 * Refuses a login whose new session is one too many. It is asked after the insert, so that of logins at the same moment each
 * sees the others: those that came last by (createdAt, id) give up at once, the others wait until they have gone. Where nobody
 * goes any more, since the clocks of processes differ and later ones were let in before, the last of those that wait goes first.
 *
 * @param replaced the session that the login replaces, which does not count
 * @throws ERR_SOJOURN_LOGIN_REFUSED
 */
export function* refuseOneTooMany(core: Core, record: SessionRecord, replaced: string | null): Routine<void> {
  if (core.maxPerUser?.beyond !== 'refuse') return
  const { count } = core.maxPerUser
  let known = 0
  let looks = 0
  for (let waited = 0; waited < longestWait; looks++) {
    const began = performance.now()
    const live = (yield* liveSessions(core, record.userId!)).filter(({ id }) => id !== replaced)
    if (live.length <= count) return
    const behind = count - 1 - live.findIndex(({ id }) => id === record.id)
    if (behind < 0) break
    if (live.length !== known) looks = 0
    known = live.length
    // One goes at a time, the last first.
    if (looks > patience * (1 + 0.6 * Math.min(behind, 10))) break
    yield* wait(new Promise<void>((resolve) => setTimeout(resolve, 10 + Math.random() * 20)))
    waited += Math.min(performance.now() - began, longestLook)
  }
  throw new SojournError(
    'ERR_SOJOURN_LOGIN_REFUSED',
    `The login was refused: the user has ${count} sessions already, which is as many as maxPerUser allows; end one of them first.`,
  )
}

/**
 * Ends the oldest of a user's sessions after a login, until no more than allowed are left. The newest ones by (createdAt, id)
 * are the newest in every listing, so that logins at the same moment agree on who stays. Many such logins share the work: each
 * ends a few of those that must go, and looks again.
 */
export function* endOldest(core: Core, userId: string): Routine<void> {
  if (core.maxPerUser?.beyond !== 'end-oldest') return
  for (;;) {
    const live = yield* liveSessions(core, userId)
    const excess = live.slice(0, Math.max(0, live.length - core.maxPerUser.count))
    for (const record of someOf(excess)) yield* end(core, record.id, 'ended', record)
    if (excess.length <= endsAtOnce) return
  }
}

function someOf(records: SessionRecord[]): SessionRecord[] {
  if (records.length <= endsAtOnce) return records
  return Array.from({ length: endsAtOnce }, () => records[Math.floor(Math.random() * records.length)]!)
}

/** Oldest first. */
function* liveSessions(core: Core, userId: string): Routine<SessionRecord[]> {
  return yield* wait(collect(core, userId))
}

async function collect(core: Core, userId: string): Promise<SessionRecord[]> {
  const live: SessionRecord[] = []
  try {
    for await (const record of core.store.list(userId)) if (isLive(core, record)) live.push(record)
  } catch (cause) {
    throw storeError(core.store, cause)
  }
  return live.toSorted((a, b) => a.createdAt - b.createdAt || (a.id < b.id ? -1 : 1))
}
