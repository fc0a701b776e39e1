import { checkKeys } from './core/check-keys.ts'
import { json } from './core/codec.ts'
import { ContentFormat } from './core/content.ts'
import type { DataCore } from './core/core.ts'
import { type CommonOptions, resolveCommon } from './core/common-options.ts'
import { type Duration, parseDuration } from './core/duration.ts'
import { SojournError } from './core/errors.ts'
import { Events } from './core/events.ts'
import { type KeyMaterial, parseKeys } from './core/keyring.ts'
import { type LimitOptions, resolveLimits } from './core/limits.ts'
import { Manager } from './core/manager.ts'
import type { Sessions } from './core/sessions.ts'
import type { MaxPerUser } from './core/max-per-user.ts'
import type { MergeRules } from './core/merge.ts'
import { resolvePolicy, type TimeoutOptions } from './core/policy.ts'
import type { PolicyName } from './core/presets.ts'
import { RecentContent } from './core/recent-content.ts'
import { parseSize, type Size } from './core/size.ts'
import { Sealing } from './core/sealing/sealing.ts'
import { resolveTheft, type TheftOptions, type TheftSignal } from './core/theft.ts'
import { TimedStore } from './core/timed-store.ts'
import type { Maybe, Store } from './core/store.ts'
import type { Transport } from './core/transport.ts'
import { Transports } from './core/transports.ts'
import { memory } from './stores/memory.ts'
import { cookie, type CookieOptions } from './transports/cookie.ts'

export interface SessionsOptions<Data extends object> extends CommonOptions<Data> {
  /** Where sessions live. @default memory(): bounded, gone when the process ends */
  readonly store?: Store | undefined
  /**
   * Limits of a standard, which `timeouts` may tighten and never exceed: NIST's for an assurance level, or OWASP's advice. They are held to
   * the millisecond, in remembered logins too.
   * @default none: the defaults of `timeouts`
   */
  readonly policy?: PolicyName | undefined
  /** When sessions end, and when their secrets change. */
  readonly timeouts?: TimeoutOptions | undefined
  /** The session cookie, where no `transports` are given. */
  readonly cookie?: CookieOptions | undefined
  /**
   * How the token travels, in the order in which a request is asked for it: `[cookie(), url()]` serves visitors without cookies
   * too, `[cookie(), header()]` API clients. URLs are less safe than cookies: docs/transports.md says how much.
   * @default [cookie()]
   */
  readonly transports?: readonly Transport[] | undefined
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
   * nothing, and leaves the client the token that it has.
   * @default 'refuse'
   */
  readonly onStoreError?: 'refuse' | 'anonymous' | undefined
  /**
   * How soon those who `watch` a session hear of its expiry, or of its end by another process: each watched session is read once
   * in this time.
   * @default '10s'
   */
  readonly watchInterval?: Duration | undefined
  /**
   * Encrypts sessions before they reach the store: docs/encryption.md.
   * @default none: a store holds hashes of the secrets, and users, devices and data as they are
   */
  readonly encryption?: EncryptionOptions | undefined
  /** How often expired sessions are collected; jittered by a quarter. @default '60s' */
  readonly sweepInterval?: Duration | undefined
}

export interface EncryptionOptions {
  /**
   * 32 random bytes or more each, as base64, base64url or hexadecimal text, or as bytes: `openssl rand -base64 32`. The first one
   * seals, all open, and what another one than the first had sealed is sealed anew when it is used.
   */
  readonly keys: readonly KeyMaterial[]
  /**
   * What opens a session's data: `'server'`, these keys; `'client'`, these keys together with a secret that the client alone has, so
   * that nobody can read them while the client is away. It decides of new sessions: one that is there stays as it is until its login.
   * @default 'server'
   */
  readonly bind?: 'server' | 'client' | undefined
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
  const { store = memory(), onStoreError = 'refuse' } = options
  if (onStoreError !== 'refuse' && onStoreError !== 'anonymous') {
    throw new SojournError('ERR_SOJOURN_OPTION', `onStoreError is ${JSON.stringify(onStoreError)}; it must be 'refuse' or 'anonymous'.`)
  }
  checkKeys(options, known, '')
  checkKeys(options.timeouts, knownTimeouts, 'timeouts.')
  checkKeys(options.limits, knownLimits, 'limits.')
  checkKeys(options.theft, knownTheft, 'theft.')
  checkKeys(options.theft?.weights, knownSignals, 'theft.weights.')
  const { schemaVersion, trustProxy, trustedOrigins, clock } = resolveCommon(options)
  const events = new Events()
  const sealing = resolveSealing(options.encryption, events)
  const timed = new TimedStore(store, parseDuration(options.storeTimeout ?? '2s', 'storeTimeout'))
  const core: DataCore<Data> = {
    store: sealing === null ? timed : sealing.over(timed),
    sealing,
    maxPerUser: resolveMax(options.maxPerUser),
    theft: resolveTheft(options.theft),
    events,
    clock,
    policy: resolvePolicy(options.timeouts, options.policy),
    format: new ContentFormat({
      // Only where `{}` is valid data may the option be missing: the overloads see to it.
      initial: options.initial ?? (() => ({}) as Data),
      codec: options.codec ?? json,
      schema: options.schema,
      schemaVersion,
      maxSize: parseSize(options.maxDataSize ?? '1 MB', 'maxDataSize'),
      migrate: options.migrate,
    }),
    recent: sealing === null ? new RecentContent() : null,
    rules: options.merge ?? {},
    epoch: options.epoch,
  }
  if (options.limits?.crawlers === 'share' && options.encryption?.bind === 'client') {
    throw new SojournError(
      'ERR_SOJOURN_OPTION',
      "limits.crawlers 'share' and encryption.bind 'client' exclude each other: a session that crawlers share has no client whose secret could open it. Leave one of them out.",
    )
  }
  return new Manager({
    core,
    transports: transportsOf(options),
    trustProxy,
    trustedOrigins,
    onStoreError,
    sweepInterval: parseDuration(options.sweepInterval ?? '60s', 'sweepInterval'),
    watchInterval: parseDuration(options.watchInterval ?? '10s', 'watchInterval'),
    limits: resolveLimits(options.limits),
    shareCrawlers: options.limits?.crawlers === 'share',
  })
}

function transportsOf({ transports, cookie: options }: Pick<SessionsOptions<object>, 'transports' | 'cookie'>): Transports {
  if (transports === undefined) return new Transports([cookie(options)])
  if (options === undefined) return new Transports(transports)
  throw new SojournError(
    'ERR_SOJOURN_OPTION',
    'cookie and transports were both given, and the one would go unheard; write transports: [cookie({ … }), …].',
  )
}

function resolveSealing(options: EncryptionOptions | undefined, events: Events): Sealing | null {
  if (options === undefined) return null
  if (typeof options !== 'object' || options === null) {
    throw new SojournError(
      'ERR_SOJOURN_OPTION',
      `encryption is ${options === null ? 'null' : `a ${typeof options}`}; it must be { keys: [process.env.SESSION_KEY] }.`,
    )
  }
  checkKeys(options, knownEncryption, 'encryption.')
  const { keys, bind = 'server' } = options
  if (bind !== 'server' && bind !== 'client') {
    throw new SojournError('ERR_SOJOURN_OPTION', `encryption.bind is ${JSON.stringify(bind)}; it must be 'server' or 'client'.`)
  }
  return new Sealing(parseKeys(keys, 'encryption.keys'), bind, (error, id) => events.emit('error', { error, id }))
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
  'policy',
  'timeouts',
  'cookie',
  'transports',
  'trustProxy',
  'crossOrigin',
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
  'watchInterval',
  'encryption',
  'sweepInterval',
  'clock',
]
const knownTimeouts: readonly (keyof TimeoutOptions)[] = ['idle', 'absolute', 'renew', 'grace', 'slice', 'remembered']
const knownEncryption: readonly (keyof EncryptionOptions)[] = ['keys', 'bind']
const knownLimits: readonly (keyof LimitOptions)[] = ['anonymousPerAddress', 'anonymousTotal', 'unknownPerAddress', 'crawlers']
const knownTheft: readonly (keyof TheftOptions)[] = ['weights', 'decide']
const knownSignals: readonly TheftSignal[] = ['browser', 'platform', 'network', 'alternating']
