import { cookie, createSessions, header, type Session, type Sessions, url } from 'sojourn'
import { openStore } from 'sojourn/stores/open'
import type { CartLine } from './cart.ts'
import type { Settings } from './settings.ts'
import type { Credentials } from './users.ts'

export const themes = ['light', 'dark'] as const
export type Theme = (typeof themes)[number]

/** What the shop keeps of a visitor. */
export interface ShopData {
  cart: CartLine[]
  preferences: { theme: Theme }
}

export type ShopSession = Session<ShopData>
export type ShopSessions = Sessions<ShopData>

const makers = { cookie, url, header }

/** The shop's sessions, in the store that the settings name. Everything that is not said here is the library's safe default. */
export async function openSessions({ store, transports, keys, idle, absolute }: Settings, credentials: Credentials): Promise<ShopSessions> {
  return createSessions<ShopData>({
    store: await openStore(store),
    initial: () => ({ cart: [], preferences: { theme: 'light' } }),
    timeouts: { idle, absolute },
    transports: transports.map((name) => makers[name]()),
    // A login that was checked under a password that is none by now is refused.
    epoch: (userId) => credentials.epochOf(userId),
    // A cart is readable only while its visitor is there.
    encryption: keys.length > 0 ? { keys, bind: 'client' } : undefined,
  })
}
