import type { Handler } from './handler.ts'
import type { Data, World } from './world.ts'

/** All the values in session data that a write put there. */
export function valuesIn({ adds, items, fields }: Data): string[] {
  return [...Object.keys(adds), ...items, ...Object.values(fields)]
}

/** What a request sees: all that was acknowledged before it was sent, nothing twice, nothing of another user or browser. */
export function checkSight(world: World, handler: Handler, data: Data): void {
  const { model, fault } = world
  const { name, browser, held, own, sent, standing } = handler
  // Of what is gone it keeps what it read before.
  if (standing === 'told') return
  const seen = valuesIn(data)
  const userId = held === null ? null : model.sessions.get(held)!.userId
  if (new Set(seen).size < seen.length) fault(1, `${name} sees a value twice: ${seen.join(' ')}`)
  if (data.count !== Object.keys(data.adds).length)
    fault(1, `${name} sees the count ${data.count} of ${Object.keys(data.adds).length} updates`)
  for (const value of seen) {
    const write = model.writes.get(value)!
    if (write.browser !== browser) fault(4, `${name} sees ${value} of another browser`)
    if (write.userId !== null && write.userId !== userId)
      fault(4, `${name} sees ${value} of the user ${write.userId} as ${userId ?? 'nobody'}`)
    if (held === null && !own.has(value)) fault(2, `${name} has no session and sees ${value}`)
  }
  if (held === null) return
  for (const { write } of model.acknowledgedBefore(held, sent)) {
    if ((write.kind === 'item' || write.kind === 'add') && !seen.includes(write.value))
      fault(1, `${name} does not see ${write.value}, which was stored before it was sent`)
  }
}
