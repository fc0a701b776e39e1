import { type Duration, parseDuration } from './duration.ts'
import { SojournError } from './errors.ts'

export interface TimeoutOptions {
  /** Ends a session so long after its last use. @default '30m' */
  readonly idle?: Duration | undefined
  /** Ends a session so long after it was created, whatever its use. @default '12h' */
  readonly absolute?: Duration | undefined
  /** How often the client is given a new secret. @default '15m' */
  readonly renew?: Duration | undefined
  /** How long a replaced secret, or the memory of an ended session, still counts. A message must take less than half of it. @default '60s' */
  readonly grace?: Duration | undefined
  /** How exactly the last use is known: it is written when it has moved by so much. @default a tenth of idle, at most '5m' */
  readonly slice?: Duration | undefined
  /** For logins with `remember`. */
  readonly remembered?: {
    /** @default '14d' */
    readonly idle?: Duration | undefined
    /** @default '90d' */
    readonly absolute?: Duration | undefined
  }
}

/** The limits of one kind of session, in ms. */
export interface Limits {
  readonly idle: number
  readonly absolute: number
  readonly slice: number
}

/** All times that the core goes by, in ms. */
export interface Policy {
  readonly visit: Limits
  readonly remembered: Limits
  readonly renew: number
  readonly grace: number
}

/** @throws ERR_SOJOURN_OPTION for times that can't be, or contradict each other */
export function resolvePolicy(options: TimeoutOptions = {}): Policy {
  const { remembered = {} } = options
  const absolute = parseDuration(options.absolute ?? '12h', 'timeouts.absolute')
  const rememberedAbsolute = parseDuration(remembered.absolute ?? '90d', 'timeouts.remembered.absolute')
  const limits = (idle: number, absolute: number): Limits => {
    const slice =
      options.slice === undefined ? Math.max(1, Math.min(Math.round(idle / 10), 300_000)) : parseDuration(options.slice, 'timeouts.slice')
    if (slice > idle)
      throw new SojournError(
        'ERR_SOJOURN_OPTION',
        `timeouts.slice (${slice} ms) is longer than an idle timeout (${idle} ms), which would then not hold; shorten the slice.`,
      )
    return { idle, absolute, slice }
  }
  return {
    visit: limits(parseDuration(options.idle ?? '30m', 'timeouts.idle'), absolute),
    remembered: limits(parseDuration(remembered.idle ?? '14d', 'timeouts.remembered.idle'), rememberedAbsolute),
    renew: parseDuration(options.renew ?? '15m', 'timeouts.renew'),
    grace: parseDuration(options.grace ?? '60s', 'timeouts.grace'),
  }
}

/** When a session expires. The slice is in it, since the last use is known no better: nobody expires early. */
export function expiry(createdAt: number, lastSeenAt: number, { idle, absolute, slice }: Limits): number {
  return Math.min(lastSeenAt + idle + slice, createdAt + absolute)
}
