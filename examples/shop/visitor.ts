import { countItems } from './cart.ts'
import type { ShopSession, Theme } from './sessions.ts'
import { findUser, type User } from './users.ts'

/** What the frame around every page shows of its visitor. */
export interface Visitor {
  readonly user: User | null
  readonly theme: Theme
  readonly items: number
  /** What just happened, to be told once. */
  readonly notices: readonly string[]
  /** A link of the shop's own, such as this visitor needs it: without cookies the session travels in it. */
  readonly url: (to: string) => string
}

/** The visitor whose session this is. Takes the notices out of the session, so only for a page that shows them. */
export function visitorOf(session: ShopSession): Visitor {
  const { cart, preferences } = session.data
  return {
    user: findUser(session.userId),
    theme: preferences.theme,
    items: countItems(cart),
    notices: session.flash('notice'),
    url: (to) => session.url(to),
  }
}

/** For a page that must not look at the session. */
export const stranger: Visitor = { user: null, theme: 'light', items: 0, notices: [], url: (to) => to }
