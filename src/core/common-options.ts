import { checkKeys } from './check-keys.ts'
import type { Codec } from './codec.ts'
import type { Clock } from './core.ts'
import { type CrossOriginOptions, resolveTrusted } from './cross-origin.ts'
import { SojournError } from './errors.ts'
import type { StandardSchema } from './schema.ts'

/** What every kind of sessions can be told. */
export interface CommonOptions<Data extends object> {
  /** The data of a new visitor, made anew for each. @default () => ({}) */
  readonly initial?: (() => Data) | undefined
  /**
   * Whether a proxy in front may say, by X-Forwarded-Proto and X-Forwarded-For, how and from where the client came. It must
   * overwrite or append to what clients send. Express applications say it by `app.set('trust proxy', …)` instead, Fastify's by their own `trustProxy`.
   * @default false
   */
  readonly trustProxy?: boolean | undefined
  /**
   * Which other sites may make a visitor's browser send requests with unsafe methods (any but GET, HEAD and OPTIONS), or
   * begin a WebSocket: those of the origins in `trusted`, or every one (`false`). Others are answered 403, before the session is looked at.
   * @default none (as Go's http.CrossOriginProtection: by Sec-Fetch-Site, and Origin)
   */
  readonly crossOrigin?: CrossOriginOptions | false | undefined
  /** Validates session data when they are decoded and before they are written: zod, valibot, arktype or any Standard Schema library. It must accept its own output. */
  readonly schema?: StandardSchema<Data> | undefined
  /** The version of the data's shape that this release writes, a whole number; raise it when the shape changes. @default 1 */
  readonly schemaVersion?: number | undefined
  /** Makes data of an older release fit: gets them and the version that wrote them; runs before the schema. */
  readonly migrate?: ((data: unknown, version: number) => unknown) | undefined
  /** How data become text. @default JSON, for plain data; `rich()` of sojourn/codecs/rich carries Date, Map, Set, bigint and undefined */
  readonly codec?: Codec | undefined
  /** Where the time comes from. @default Date */
  readonly clock?: Clock | undefined
}

/** The same, checked. */
export interface CommonSettings {
  readonly schemaVersion: number
  readonly trustProxy: boolean
  readonly trustedOrigins: ReadonlySet<string> | null
  readonly clock: Clock
}

/** @throws ERR_SOJOURN_OPTION */
export function resolveCommon(
  options: Pick<CommonOptions<object>, 'schemaVersion' | 'trustProxy' | 'crossOrigin' | 'clock'>,
): CommonSettings {
  const { schemaVersion = 1, trustProxy = false, clock = Date, crossOrigin } = options
  if (!Number.isSafeInteger(schemaVersion) || schemaVersion < 0)
    throw new SojournError('ERR_SOJOURN_OPTION', `schemaVersion is ${JSON.stringify(schemaVersion)}; it must be a whole number from 0 up.`)
  if (typeof trustProxy !== 'boolean')
    throw new SojournError('ERR_SOJOURN_OPTION', `trustProxy is ${JSON.stringify(trustProxy)}; it must be true or false.`)
  const trustedOrigins = resolveTrusted(crossOrigin)
  checkKeys(crossOrigin || undefined, ['trusted'], 'crossOrigin.')
  // Stores keep whole numbers.
  if (Number.isSafeInteger(clock.now())) return { schemaVersion, trustProxy, trustedOrigins, clock }
  throw new SojournError(
    'ERR_SOJOURN_OPTION',
    `clock.now() answered ${String(clock.now())}; it must answer whole milliseconds since the epoch.`,
  )
}
