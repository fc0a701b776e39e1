/** A process with sessions and nothing else to do: uses that wait to be noted, a sweeper, a change after the answer. */
import { createSessions } from '../../src/sessions.ts'

let time = Date.now()
const sessions = createSessions<{ visits: number }>({ initial: () => ({ visits: 0 }), clock: { now: () => time } })
const cookie = async (): Promise<string> => {
  const session = await sessions.open(new Headers())
  session.data.visits++
  return (await session.commit()).getSetCookie()[0]!.split(';')[0]!
}
const headers = new Headers({ cookie: await cookie() })
time += 4 * 60_000
const session = await sessions.open(headers)
await session.commit()
session.data.visits++
console.log(session.data.visits)
