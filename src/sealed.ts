import { maxHeaderSize } from 'node:http'
import { checkKeys } from './core/check-keys.ts'
import { json } from './core/codec.ts'
import { type CommonOptions, resolveCommon } from './core/common-options.ts'
import { type Duration, parseDuration } from './core/duration.ts'
import { SojournError } from './core/errors.ts'
import { Events } from './core/events.ts'
import { type KeyMaterial, parseKeys } from './core/keyring.ts'
import { resolvePolicy, type TimeoutOptions } from './core/policy.ts'
import { parseSize, type Size } from './core/size.ts'
import type { Store } from './core/store.ts'
import { resolveTheft } from './core/theft.ts'
import { TimedStore } from './core/timed-store.ts'
import { SealedFormat } from './sealed/format.ts'
import { SealedManager, type SealedSessions } from './sealed/manager.ts'
import { RevocableSealedManager, type RevocableSealedSessions } from './sealed/revocable.ts'
import { Sealer } from './sealed/sealer.ts'
import { chunkedCookie } from './transports/chunked-cookie.ts'
import type { CookieOptions } from './transports/cookie.ts'

export type { KeyMaterial } from './core/keyring.ts'
export type { SealedEventName, SealedSessions } from './sealed/manager.ts'
export type { RevocableSealedSessions } from './sealed/revocable.ts'
export type { SealedLoginOptions, SealedSession } from './sealed/session.ts'

/** `TimeoutOptions` without `renew` and `grace`: a seal has no secret that changes. */
export type SealedTimeoutOptions = Omit<TimeoutOptions, 'renew' | 'grace'>

export interface SealedOptions<Data extends object> extends CommonOptions<Data> {
  /**
   * The keys: each 32 random bytes or more, as base64, base64url or hexadecimal text, or as bytes (`openssl rand -base64 32`). The first
   * one seals, all open; a session that another one sealed is sealed anew when it is next used.
   */
  readonly keys: readonly KeyMaterial[]
  /** When sessions end. */
  readonly timeouts?: SealedTimeoutOptions | undefined
  readonly cookie?: CookieOptions | undefined
  /**
   * How much room the session's cookies may take in a request's Cookie header, names and all: bytes, or '6 KiB'. More than 4096 bytes take
   * several cookies. A session that needs more is refused at the commit. At most '32 KiB', and 2 KiB less than Node reads of all of a
   * request's headers: '14 KiB', unless it is started with `--max-http-header-size`.
   * @default '6 KiB', which with other cookies stays below the 8 KiB that nginx and Apache read of one header
   */
  readonly maxCookieSize?: Size | undefined
  /**
   * A store for the revocation list: what ended before its time is noted there, until it would have expired. It costs a read for each request
   * that brings a session, two for a user's. When it can't be read, nobody is let in.
   * @default none: the end of a session takes the cookie back, and a copy of it stays good until it expires
   */
  readonly revocations?: Store | undefined
  /** How long the store of the revocation list may take for one operation. @default '2s' */
  readonly storeTimeout?: Duration | undefined
  /** How often what has expired is removed from the revocation list; jittered by a quarter. @default '60s' */
  readonly sweepInterval?: Duration | undefined
}

/** `initial` may be missing only where an empty object is valid data. */
type Initial<Data extends object> = {} extends Data ? unknown : { readonly initial: () => Data }
type Revocable = { readonly revocations: Store }

/**
 * Makes an application's sessions without a store: each travels, encrypted and authenticated, in its client's cookies. They can't be
 * listed, two requests at once can lose a write, and without `revocations` none can be ended but by its client: docs/sealed.md.
 *
 * @throws ERR_SOJOURN_OPTION for options that can't work, keys above all; ERR_SOJOURN_DATA_INVALID for initial data that don't fit the schema
 */
export function sealed<Data extends object>(
  options: SealedOptions<Data> & { readonly initial: () => Data } & Revocable,
): RevocableSealedSessions<Data>
export function sealed<Data extends object>(options: SealedOptions<Data> & { readonly initial: () => Data }): SealedSessions<Data>
export function sealed<Data extends object = Record<string, unknown>>(
  options: SealedOptions<Data> & Initial<Data> & Revocable,
): RevocableSealedSessions<Data>
export function sealed<Data extends object = Record<string, unknown>>(options: SealedOptions<Data> & Initial<Data>): SealedSessions<Data>
export function sealed<Data extends object>(options: SealedOptions<Data>): SealedSessions<Data> {
  const { revocations } = options
  checkKeys(options, known, '')
  checkKeys(options.timeouts, knownTimeouts, 'timeouts.')
  const { schemaVersion, trustProxy, trustedOrigins, clock } = resolveCommon(options)
  const policy = resolvePolicy(options.timeouts)
  const events = new Events()
  const parts = {
    sealer: new Sealer(parseKeys(options.keys)),
    transport: chunkedCookie(options.cookie ?? {}, cookieSizeOf(options.maxCookieSize ?? '6 KiB')),
    format: new SealedFormat({
      // Only where `{}` is valid data may the option be missing: the overloads see to it.
      initial: options.initial ?? (() => ({}) as Data),
      codec: options.codec ?? json,
      schema: options.schema,
      schemaVersion,
      maxSize: Infinity, // What fits into the cookies is for the transport to say.
      migrate: options.migrate,
    }),
    policy,
    events,
    clock,
    trustProxy,
    trustedOrigins,
  }
  if (revocations === undefined) {
    for (const name of ['storeTimeout', 'sweepInterval'] as const)
      if (options[name] !== undefined)
        throw new SojournError(
          'ERR_SOJOURN_OPTION',
          `${name} is for the store of a revocation list; give one as revocations, or leave it out.`,
        )
    return new SealedManager({ ...parts, revocations: null })
  }
  const store = new TimedStore(revocations, parseDuration(options.storeTimeout ?? '2s', 'storeTimeout'))
  const sweepInterval = parseDuration(options.sweepInterval ?? '60s', 'sweepInterval')
  return new RevocableSealedManager(
    parts,
    { store, events, clock, policy, maxPerUser: null, sealing: null, theft: resolveTheft() },
    sweepInterval,
  )
}

/** What a request's other headers need. */
const otherHeaders = 2048

/** @throws ERR_SOJOURN_OPTION for so much that this Node would answer 431 to every request that brings it, a logout too */
function cookieSizeOf(size: Size): number {
  const bytes = parseSize(size, 'maxCookieSize')
  if (bytes <= maxHeaderSize - otherHeaders) return bytes
  throw new SojournError(
    'ERR_SOJOURN_OPTION',
    `maxCookieSize is ${bytes} bytes, and this Node reads ${maxHeaderSize} of all headers and answers 431 to more; ` +
      `set ${maxHeaderSize - otherHeaders} at most, start node with --max-http-header-size=${bytes + otherHeaders}, or keep such sessions in a store, by createSessions().`,
  )
}

const known: readonly (keyof SealedOptions<object>)[] = [
  'keys',
  'initial',
  'timeouts',
  'cookie',
  'maxCookieSize',
  'trustProxy',
  'crossOrigin',
  'schema',
  'schemaVersion',
  'migrate',
  'codec',
  'revocations',
  'storeTimeout',
  'sweepInterval',
  'clock',
]
const knownTimeouts: readonly (keyof SealedTimeoutOptions)[] = ['idle', 'absolute', 'slice', 'remembered']
