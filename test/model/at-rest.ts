import type { Acknowledged, Login } from './model.ts'
import { users } from './program.ts'
import { valuesIn } from './sight.ts'
import type { Seen } from './watched-store.ts'
import type { World } from './world.ts'

/** What must hold once nothing is in flight. */
export async function checkAtRest(world: World): Promise<void> {
  const kept = [...world.watch.seen.values()].filter((seen) => !seen.abandoned)
  for (const seen of kept) {
    checkContents(world, seen)
    checkFields(world, seen)
    checkLineage(world, seen)
    checkEnd(world, seen)
  }
  for (const login of world.model.logins) checkCarried(world, login)
  for (const user of users) await checkUser(world, user)
  checkBirths(world, kept)
  checkSecrets(world)
}

/** (1) Each acknowledged write is in its session, once; nothing is there that nobody was told of. */
function checkContents(world: World, seen: Seen): void {
  const { model, watch, fault } = world
  const name = world.called(seen.id)
  const { data, flash } = watch.contents(seen)
  const values = valuesIn(data)
  const messages = Object.values(flash).map(([, message]) => message)
  if (data.count !== Object.keys(data.adds).length) fault(1, `${name} counts ${data.count} of ${Object.keys(data.adds).length} updates`)
  for (const { write } of acknowledgedIn(world, seen.id)) {
    const { kind, value } = write
    const times = values.filter((one) => one === value).length
    if ((kind === 'item' || kind === 'add') && times !== 1) fault(1, `${name} holds ${value}, which was acknowledged, ${times} times`)
    if (kind === 'flash' && !messages.includes(value) && !model.taken.has(value)) fault(1, `${name} lost the message ${value}`)
  }
  for (const value of [...values, ...messages]) {
    const write = model.writes.get(value)!
    if (!model.stored.has(value)) fault(1, `${name} holds ${value}, which was never acknowledged`)
    if (write.userId !== null && write.userId !== seen.last.userId)
      fault(4, `${name} of ${seen.last.userId ?? 'nobody'} holds ${value} of ${write.userId}`)
  }
}

/** (1) Of several values for one field a later one stands; those that could not know of each other were reported. */
function checkFields(world: World, seen: Seen): void {
  const name = world.called(seen.id)
  const { fields } = world.watch.contents(seen).data
  const conflicts = world.model.conflicts.get(seen.id)
  const edits = acknowledgedIn(world, seen.id).filter(({ write }) => write.kind === 'field')
  for (const edit of edits) {
    const { field } = edit.write
    const final = fields[field]
    if (final === undefined) world.fault(1, `${name} lost the field ${field}`)
    if (edit.write.value === final) {
      const later = edits.find((other) => other.write.field === field && other.sent > edit.answered)
      if (later !== undefined) world.fault(1, `${name} lost ${later.write.value}, which was written after ${final}`)
    }
    const rival = edits.find(
      (other) => other.write.field === field && other.request !== edit.request && blind(edit, other) && blind(other, edit),
    )
    if (rival !== undefined && conflicts?.has(`fields.${field}`) !== true) {
      world.fault(1, `${name}: ${edit.write.value} and ${rival.write.value} collided, and nobody was told`)
    }
  }
  for (const path of conflicts ?? [])
    if (!path.startsWith('fields.')) world.fault(1, `${name} had a conflict at ${path}, which can be merged`)
}

/** Whether what one started from was known before the other's call began. */
function blind(one: Acknowledged, other: Acknowledged): boolean {
  return one.based < other.started
}

/** (1) A login takes along all that the old session has, if that was nobody's or the same user's. */
function checkLineage(world: World, seen: Seen): void {
  const { watch, fault } = world
  const { tombstone } = seen
  if (tombstone?.cause !== 'login' || tombstone.target === null) return
  const next = watch.get(tombstone.target)
  if (next === undefined || next.abandoned) return fault(3, `${world.called(seen.id)} was moved to a session that is not there`)
  if (seen.last.userId === null || seen.last.userId === next.last.userId) checkHolds(world, next, seen.id, writesIn(world, seen))
  else checkHoldsNot(world, next, seen)
}

/** (1) A login that came after another login of the user takes along what that one had. */
function checkCarried(world: World, { session, source, carry, started }: Login): void {
  const { watch, model } = world
  const next = watch.get(session)
  const old = source === null ? undefined : watch.get(source)
  if (next === undefined || next.abandoned)
    return world.fault(3, `the session of an acknowledged login, ${world.called(session)}, is not there`)
  if (old !== undefined && carry.verdict === 'yes' && old.last.userId !== null && old.last.userId !== next.last.userId)
    checkHoldsNot(world, next, old)
  if (carry.from === null) return
  if (old !== undefined && (old.last.userId === null || old.last.userId === next.last.userId))
    checkHolds(world, next, old.id, writesIn(world, old))
  checkHolds(
    world,
    next,
    carry.from,
    model.acknowledgedBefore(carry.from, started).map(({ write }) => write.value),
  )
}

function checkHolds(world: World, next: Seen, source: string, values: readonly string[]): void {
  const { watch, model } = world
  const { data, flash } = watch.contents(next)
  const held = new Set([...valuesIn(data), ...Object.values(flash).map(([, message]) => message)])
  for (const value of values) {
    const { kind, field } = model.writes.get(value)!
    const there = kind === 'field' ? data.fields[field] !== undefined : held.has(value) || (kind === 'flash' && model.taken.has(value))
    if (!there) world.fault(1, `${world.called(next.id)} does not hold ${value} of ${world.called(source)}, from which a login took it`)
  }
}

/** (4) Another user's session is never carried over. */
function checkHoldsNot(world: World, next: Seen, old: Seen): void {
  const held = new Set(writesIn(world, next))
  for (const value of writesIn(world, old))
    if (held.has(value)) world.fault(4, `${world.called(next.id)} holds ${value} of another user's session`)
}

function writesIn({ watch }: World, seen: Seen): string[] {
  const { data, flash } = watch.contents(seen)
  return [...valuesIn(data), ...Object.values(flash).map(([, message]) => message)]
}

function acknowledgedIn({ model }: World, id: string): Acknowledged[] {
  return model.acknowledged.filter(({ session }) => session === id)
}

/** (2) What ended stays ended; (3) and nothing ended without a cause. */
function checkEnd(world: World, { id, tombstone }: Seen): void {
  const { model, watch, fault } = world
  const session = model.sessions.get(id)
  if (session !== undefined && session.ended < Infinity && !watch.isDead(id)) fault(2, `${world.called(id)} is alive after its end`)
  if (tombstone === null) return
  const why = {
    logout: () => ancestry(world, id).some((one) => model.logoutsTried.has(one)),
    ended: () => model.endsTried.has(id) || model.usersEnded.has(session?.userId ?? ''),
    login: () => model.loginsTried.has(id) && model.logins.some((login) => login.session === tombstone.target),
    reuse: () => session?.browser.punctual === false,
    theft: () => false,
  }
  if (!why[tombstone.cause]()) fault(3, `${world.called(id)} was ended (${tombstone.cause}), and nobody asked for that`)
}

/** The session and those that logins of its user moved to it. */
function ancestry({ watch }: World, id: string): string[] {
  const ids = [id]
  for (const one of ids) {
    for (const { id: before, tombstone } of watch.seen.values()) if (tombstone?.target === one && tombstone.sameUser) ids.push(before)
  }
  return ids
}

/** (9) The user index has exactly the user's live sessions. */
async function checkUser(world: World, userId: string): Promise<void> {
  const { model, watch, clock, nodes, fault } = world
  const listed = new Set<string>()
  world.start('list', async () => {
    for await (const info of nodes[0]!.listByUser(userId)) {
      if (info.userId !== userId) fault(9, `${world.called(info.id)} is listed for ${userId} and says ${info.userId}`)
      listed.add(info.id)
    }
  })
  await world.settle()
  const sessions = [...model.sessions.values()].filter((session) => session.userId === userId)
  for (const session of sessions) {
    const name = world.called(session.id)
    const dead = watch.get(session.id)!.tombstone !== null
    if (listed.has(session.id) && (dead || clock.now() >= model.latestExpiry(session)))
      fault(9, `${name} is listed for ${userId}, and is over`)
    if (!listed.has(session.id) && !dead && clock.now() < model.earliestExpiry(session)) fault(9, `${name} is not listed for ${userId}`)
  }
  for (const id of listed)
    if (model.sessions.get(id)?.userId !== userId) fault(9, `${world.called(id)} is listed for ${userId}, who never got it`)
}

/** (6) Sessions come from creations and logins alone; (7) each is told of once. */
function checkBirths(world: World, kept: readonly Seen[]): void {
  const { model, fault } = world
  const born = new Map<string, number>()
  for (const { name, id } of model.events) if (name === 'created' || name === 'loggedIn') born.set(id, (born.get(id) ?? 0) + 1)
  for (const { id } of kept) {
    if (born.get(id) !== 1) fault(7, `${world.called(id)} was told of as created or logged in ${born.get(id) ?? 0} times`)
    if (!model.sessions.has(id)) fault(6, `${world.called(id)} is stored, and no creation or login of it was acknowledged`)
  }
}

/** (7) Each end is told of once: `ended` or `expired`, the latter of every live record that a sweep took. */
export function checkEndings(world: World): void {
  const { model, watch, fault } = world
  for (const { id, tombstone, sweptLive } of watch.seen.values()) {
    const times = (wanted: string): number => model.events.filter(({ name, id: of }) => of === id && name === wanted).length
    const name = world.called(id)
    const ended = tombstone !== null && tombstone.cause !== 'login' ? 1 : 0
    if (times('ended') !== ended) fault(7, `${name} was told of as ended ${times('ended')} times, not ${ended}`)
    if (sweptLive > 1) fault(6, `${name} was swept ${sweptLive} times`)
    if (times('expired') !== sweptLive) fault(7, `${name} was told of as expired ${times('expired')} times, not ${sweptLive}`)
    if (watch.stored(id) !== null) fault(6, `${name} is still stored after all has expired and was swept`)
  }
}

/** (8) No record and no event ever held a secret. */
function checkSecrets({ model, watch, fault }: World): void {
  for (const text of [...watch.texts, ...model.texts]) {
    for (const secret of model.secrets) if (text.includes(secret)) fault(8, `a secret is in ${text}`)
  }
}
