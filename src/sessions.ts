import { type Codec, json } from './core/codec.ts'
import { ContentFormat } from './core/content.ts'
import type { Clock, DataCore } from './core/core.ts'
import { type Duration, parseDuration } from './core/duration.ts'
import { SojournError } from './core/errors.ts'
import { Events } from './core/events.ts'
import { type LimitOptions, resolveLimits } from './core/limits.ts'
import { Manager, type Sessions } from './core/manager.ts'
import type { MaxPerUser } from './core/max-per-user.ts'
import type { MergeRules } from './core/merge.ts'
import { resolvePolicy, type TimeoutOptions } from './core/policy.ts'
import { parseSize, type Size } from './core/size.ts'
import { resolveTheft, type TheftOptions, type TheftSignal } from './core/theft.ts'
import { TimedStore } from './core/timed-store.ts'
import type { StandardSchema } from './core/schema.ts'
import type { Maybe, Store } from './core/store.ts'
import { memory } from './stores/memory.ts'
import { cookie, type CookieOptions } from './transports/cookie.ts'

export interface SessionsOptions<Data extends object> {
  /** Where sessions live. @default memory(): bounded, gone when the process ends */
  readonly store?: Store | undefined
  /** The data of a new visitor, made anew for each. @default () => ({}) */
  readonly initial?: (() => Data) | undefined
  /** When sessions end, and when their secrets change. */
  readonly timeouts?: TimeoutOptions | undefined
  readonly cookie?: CookieOptions | undefined
  /**
   * Whether a proxy in front may say, by X-Forwarded-Proto and X-Forwarded-For, how and from where the client came. It must
   * overwrite or append to what clients send. Express applications say it by `app.set('trust proxy', …)` instead.
   * @default false
   */
  readonly trustProxy?: boolean | undefined
  /** Validates session data when they are decoded and before they are written: zod, valibot, arktype or any Standard Schema library. It must accept its own output. */
  readonly schema?: StandardSchema<Data> | undefined
  /** The version of the data's shape that this release writes, a whole number; raise it when the shape changes. @default 1 */
  readonly schemaVersion?: number | undefined
  /** Makes data of an older release fit: gets them and the version that wrote them; runs before the schema. */
  readonly migrate?: ((data: unknown, version: number) => unknown) | undefined
  /** How data become text. @default JSON, for plain data; `rich()` of sojourn/codecs/rich carries Date, Map, Set, bigint and undefined */
  readonly codec?: Codec | undefined
  /** How concurrent changes are merged beyond the rules that always hold. */
  readonly merge?: MergeRules | undefined
  /** Looks up a user's epoch, for `login(userId, { epoch })`. */
  readonly epoch?: ((userId: string) => Maybe<number | string | null>) | undefined
  /**
   * How many sessions a user may have at once: a login beyond that ends the oldest (`5`), or is refused (`{ count: 5, beyond: 'refuse' }`).
   * @default no limit (OWASP ASVS 5.0, 7.1.2 asks to decide and document one)
   */
  readonly maxPerUser?: number | MaxPerUser | undefined
  /** What strangers may take: anonymous sessions, unknown tokens, crawlers. */
  readonly limits?: LimitOptions | undefined
  /** What happens when another browser, platform or network shows a session's token. */
  readonly theft?: TheftOptions | undefined
  /** How long one session's encoded data may be: bytes, or '1 MB'. A longer one is refused at the commit. @default '1 MB' */
  readonly maxDataSize?: Size | undefined
  /** How long a store may take for one operation. @default '2s' */
  readonly storeTimeout?: Duration | undefined
  /**
   * What happens to a request whose session can't be read: `'refuse'` answers 503; `'anonymous'` goes on as for a new visitor, keeps
   * nothing, and leaves the cookie alone.
   * @default 'refuse'
   */
  readonly onStoreError?: 'refuse' | 'anonymous' | undefined
  /** How often expired sessions are collected; jittered by a quarter. @default '60s' */
  readonly sweepInterval?: Duration | undefined
  /** Where the time comes from. @default Date */
  readonly clock?: Clock | undefined
}

/** Options of which `initial` may be missing only where an empty object is valid data. */
type Arguments<Data extends object> = {} extends Data
  ? [options?: SessionsOptions<Data>]
  : [options: SessionsOptions<Data> & { initial: () => Data }]

/**
 * Makes an application's sessions. No option must be set but `initial`, where the data's type has properties that must be there.
 *
 * @throws ERR_SOJOURN_OPTION for options that can't work, ERR_SOJOURN_DATA_INVALID for initial data that don't fit the schema
 */
export function createSessions<Data extends object>(options: SessionsOptions<Data> & { readonly initial: () => Data }): Sessions<Data>
export function createSessions<Data extends object = Record<string, unknown>>(...options: Arguments<Data>): Sessions<Data>
export function createSessions<Data extends object>(options: SessionsOptions<Data> = {}): Sessions<Data> {
  const { store = memory(), schemaVersion = 1 } = options
  if (!Number.isSafeInteger(schemaVersion) || schemaVersion < 0) {
    throw new SojournError('ERR_SOJOURN_OPTION', `schemaVersion is ${JSON.stringify(schemaVersion)}; it must be a whole number from 0 up.`)
  }
  const { onStoreError = 'refuse' } = options
  if (onStoreError !== 'refuse' && onStoreError !== 'anonymous') {
    throw new SojournError('ERR_SOJOURN_OPTION', `onStoreError is ${JSON.stringify(onStoreError)}; it must be 'refuse' or 'anonymous'.`)
  }
  checkKeys(options, known, '')
  checkKeys(options.timeouts, knownTimeouts, 'timeouts.')
  checkKeys(options.cookie, knownCookie, 'cookie.')
  checkKeys(options.limits, knownLimits, 'limits.')
  checkKeys(options.theft, knownTheft, 'theft.')
  checkKeys(options.theft?.weights, knownSignals, 'theft.weights.')
  if (typeof (options.trustProxy ?? false) !== 'boolean') {
    throw new SojournError('ERR_SOJOURN_OPTION', `trustProxy is ${JSON.stringify(options.trustProxy)}; it must be true or false.`)
  }
  const core: DataCore<Data> = {
    store: new TimedStore(store, parseDuration(options.storeTimeout ?? '2s', 'storeTimeout')),
    maxPerUser: resolveMax(options.maxPerUser),
    theft: resolveTheft(options.theft),
    events: new Events(),
    clock: options.clock ?? Date,
    policy: resolvePolicy(options.timeouts),
    format: new ContentFormat({
      // Only where `{}` is valid data may the option be missing: the overloads see to it.
      initial: options.initial ?? (() => ({}) as Data),
      codec: options.codec ?? json,
      schema: options.schema,
      schemaVersion,
      maxSize: parseSize(options.maxDataSize ?? '1 MB', 'maxDataSize'),
      migrate: options.migrate,
    }),
    rules: options.merge ?? {},
    epoch: options.epoch,
  }
  return new Manager({
    core,
    transport: cookie(options.cookie),
    trustProxy: options.trustProxy ?? false,
    onStoreError,
    sweepInterval: parseDuration(options.sweepInterval ?? '60s', 'sweepInterval'),
    limits: resolveLimits(options.limits),
    shareCrawlers: options.limits?.crawlers === 'share',
  })
}

function resolveMax(max: number | MaxPerUser | undefined): MaxPerUser | null {
  if (max === undefined) return null
  const resolved: MaxPerUser | null = typeof max === 'number' ? { count: max, beyond: 'end-oldest' } : max
  const isSense = Number.isSafeInteger(resolved?.count) && resolved.count > 0 && ['end-oldest', 'refuse'].includes(resolved.beyond)
  if (isSense) return resolved
  throw new SojournError(
    'ERR_SOJOURN_OPTION',
    `maxPerUser is ${JSON.stringify(max)}; it must be a whole number from 1 up, or { count: 5, beyond: 'end-oldest' | 'refuse' }.`,
  )
}

const known: readonly (keyof SessionsOptions<object>)[] = [
  'store',
  'initial',
  'timeouts',
  'cookie',
  'trustProxy',
  'schema',
  'schemaVersion',
  'migrate',
  'codec',
  'merge',
  'epoch',
  'maxPerUser',
  'limits',
  'theft',
  'maxDataSize',
  'storeTimeout',
  'onStoreError',
  'sweepInterval',
  'clock',
]
const knownTimeouts: readonly (keyof TimeoutOptions)[] = ['idle', 'absolute', 'renew', 'grace', 'slice', 'remembered']
const knownLimits: readonly (keyof LimitOptions)[] = ['anonymousPerAddress', 'anonymousTotal', 'unknownPerAddress', 'crawlers']
const knownTheft: readonly (keyof TheftOptions)[] = ['weights', 'decide']
const knownSignals: readonly TheftSignal[] = ['browser', 'platform', 'network', 'alternating']
const knownCookie: readonly (keyof CookieOptions)[] = ['name', 'domain', 'path', 'sameSite', 'partitioned', 'secure']

/** An option that does nothing, misspelt or of another library, is a promise that nobody keeps. */
function checkKeys(options: object | undefined, names: readonly string[], where: string): void {
  const unknown = Object.keys(options ?? {}).find((key) => !names.includes(key))
  if (unknown === undefined) return
  throw new SojournError(
    'ERR_SOJOURN_OPTION',
    `${where}${unknown} is no option; there are ${names.map((name) => where + name).join(', ')}.`,
  )
}
