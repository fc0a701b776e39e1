import type { TransportName } from 'sojourn'

/** What the environment may decide. */
export interface Settings {
  readonly host: string
  readonly port: number
  /** Where the sessions live, as a URL: `disk:./folder`, `redis://localhost`, `postgres://shop@localhost/shop`. It may hold a password. */
  readonly store: string
  /** How the session's token travels, in this order. */
  readonly transports: readonly TransportName[]
  /** The folder for what changes of the accounts. */
  readonly accounts: string
  /** Keys that encrypt the sessions, the one that seals first: none, and they are stored as they are. */
  readonly keys: readonly string[]
  readonly idle: string
  readonly absolute: string
  /** How old a login may be that ends sessions elsewhere. */
  readonly recentLogin: string
  /** How many processes serve the shop on one port. */
  readonly workers: number
  /** Whether each request is logged, in a line of its own. */
  readonly accessLog: boolean
}

export function readSettings(env: NodeJS.ProcessEnv): Settings {
  const settings = {
    host: env.HOST || '127.0.0.1',
    port: wholeNumber('PORT', env.PORT || '3000', 0, 65_535),
    store: env.SESSION_STORE || 'disk:./.data/sessions',
    transports: transportNames(env.SESSION_TRANSPORT || 'cookie'),
    accounts: env.ACCOUNTS || './.data/accounts',
    keys: env.SESSION_KEYS ? env.SESSION_KEYS.split(',') : [],
    idle: env.IDLE_TIMEOUT || '30m',
    absolute: env.ABSOLUTE_TIMEOUT || '12h',
    recentLogin: env.RECENT_LOGIN || '10m',
    workers: wholeNumber('WORKERS', env.WORKERS || '1', 1, 64),
    accessLog: env.ACCESS_LOG === '1',
  }
  if (settings.workers > 1 && /^(?:memory:|sqlite::memory:)/i.test(settings.store)) {
    throw new Error('WORKERS needs a store that several processes can share, and memory is none; set SESSION_STORE=disk:./folder.')
  }
  return settings
}

function transportNames(text: string): TransportName[] {
  const names = text.split(',').map((name) => name.trim())
  if (names.every(isTransportName)) return names
  throw new Error(`SESSION_TRANSPORT is ${JSON.stringify(text)}; it must be some of cookie, url and header, with commas between.`)
}

function isTransportName(name: string): name is TransportName {
  return name === 'cookie' || name === 'url' || name === 'header'
}

function wholeNumber(name: string, text: string, least: number, most: number): number {
  const value = /^\d{1,9}$/.test(text) ? Number(text) : Number.NaN
  if (value >= least && value <= most) return value
  throw new Error(`${name} is ${JSON.stringify(text)}; it must be a whole number from ${least} to ${most}.`)
}
