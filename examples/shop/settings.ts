/** What the environment may decide. */
export interface Settings {
  readonly host: string
  readonly port: number
  /** Where the sessions live, as a URL: `disk:./folder`, `redis://localhost`, `postgres://shop@localhost/shop`. It may hold a password. */
  readonly store: string
  readonly idle: string
  readonly absolute: string
  /** How old a login may be that ends sessions elsewhere. */
  readonly recentLogin: string
  /** How many processes serve the shop on one port. */
  readonly workers: number
}

export function readSettings(env: NodeJS.ProcessEnv): Settings {
  const settings = {
    host: env.HOST || '127.0.0.1',
    port: wholeNumber('PORT', env.PORT || '3000', 0, 65_535),
    store: env.SESSION_STORE || 'disk:./.data/sessions',
    idle: env.IDLE_TIMEOUT || '30m',
    absolute: env.ABSOLUTE_TIMEOUT || '12h',
    recentLogin: env.RECENT_LOGIN || '10m',
    workers: wholeNumber('WORKERS', env.WORKERS || '1', 1, 64),
  }
  if (settings.workers > 1 && /^(?:memory:|sqlite::memory:)/i.test(settings.store)) {
    throw new Error('WORKERS needs a store that several processes can share, and memory is none; set SESSION_STORE=disk:./folder.')
  }
  return settings
}

function wholeNumber(name: string, text: string, least: number, most: number): number {
  const value = /^\d{1,9}$/.test(text) ? Number(text) : Number.NaN
  if (value >= least && value <= most) return value
  throw new Error(`${name} is ${JSON.stringify(text)}; it must be a whole number from ${least} to ${most}.`)
}
