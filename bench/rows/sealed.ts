import { contest } from '../measure/contest.ts'
import { against, boundBy } from '../measure/findings.ts'
import type { Row } from '../row.ts'

const bare = { name: 'bare Express', program: 'express', library: 'bare', keeps: 'nothing' } as const
const ours = { name: 'sojourn, sealed()', program: 'express', library: 'sealed', keeps: 'client' } as const
const byHand = { name: 'sealed by hand', program: 'express', library: 'sealed by hand', keeps: 'client' } as const
const iron = { name: 'iron-session', program: 'express', library: 'iron-session', keeps: 'client' } as const
const signed = { name: 'cookie-session', program: 'express', library: 'cookie-session', keeps: 'client' } as const

/** More than `sealed()` keeps at hand, and no more than fit into the arguments of wrk. */
const many = 2500

export const row: Row = {
  name: 'sealed',
  title: 'Express 5, the session in its cookie',
  method:
    'An Express 5 application: bare (sent the cookie of `sealed()`), with sojourn’s `sealed()`, with the least of it written out by hand (servers/sealed-by-hand.mjs), ' +
    'iron-session (encrypted, too), and cookie-session (signed and readable). Each request brings the same cookie, as those for the parts of one page do, and W answers a new one: sojourn ' +
    `opens that cookie once, the others each time. Then the same with ${many.toLocaleString('en')} sessions in turn, of which it knows fewer than a third by the time that they come again. ` +
    'Here a server may use both cores, since iron-session has the WebCrypto threads of Node do its work.',
  async run(tell) {
    const entrants = [bare, ours, byHand, iron, signed]
    const result = await contest({ entrants, core: 'any', tell })
    const inTurn = await contest({ entrants, sessions: many, core: 'any', tell })
    return [
      ...against(result, ours.name, iron.name, '× iron-session', { R: 3, W: 3 }, boundBy(bare.name)),
      ...against(result, ours.name, signed.name, '× cookie-session', { R: 1.3, W: 1.3 }, boundBy(bare.name)),
      ...[ours, byHand, iron, signed].flatMap(({ name }) => against(result, name, bare.name, '× bare')),
      ...[iron, signed].flatMap(({ name }) => against(inTurn, ours.name, name, `× ${name}, ${many.toLocaleString('en')} in turn`)),
      ...[ours, byHand].flatMap(({ name }) => against(inTurn, name, bare.name, `× bare, ${many.toLocaleString('en')} in turn`)),
    ]
  },
}
