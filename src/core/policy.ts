import { type Duration, parseDuration } from './duration.ts'
import { SojournError } from './errors.ts'
import { type Caps, capsOf, checkCaps, type PolicyName } from './presets.ts'

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

/** The limits of one kind of session, in ms; under a policy `idle` is without the slice, so that both together are the policy's. */
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
  /** Whether the limits must never be exceeded: they hold for records that were stored under longer ones, too. */
  readonly strict: boolean
}

const [minute, hour, day] = [60_000, 3_600_000, 86_400_000]

/**
 * @param preset the policy whose limits the timeouts may only tighten
 * @throws ERR_SOJOURN_OPTION for times that can't be, contradict each other, or are longer than the policy allows
 */
export function resolvePolicy(options: TimeoutOptions = {}, preset?: PolicyName): Policy {
  const caps = preset === undefined ? null : capsOf(preset)
  const { idle: idleCap = null, absolute: absoluteCap = null } = caps ?? {}
  const { remembered = {}, slice } = options
  const visit = { idle: idleCap ?? 30 * minute, absolute: absoluteCap ?? 12 * hour }
  const longVisit = { idle: Math.min(14 * day, idleCap ?? Infinity), absolute: Math.min(90 * day, absoluteCap ?? Infinity) }
  return {
    visit: resolveLimits(read(options, visit, 'timeouts', caps), slice, caps),
    remembered: resolveLimits(read(remembered, longVisit, 'timeouts.remembered', caps), slice, caps),
    renew: parseDuration(options.renew ?? '15m', 'timeouts.renew'),
    grace: parseDuration(options.grace ?? '60s', 'timeouts.grace'),
    strict: caps !== null,
  }
}

interface Timeouts {
  readonly idle: number
  readonly absolute: number
}

function read(asked: Pick<TimeoutOptions, 'idle' | 'absolute'>, usual: Timeouts, where: string, caps: Caps | null): Timeouts {
  const idle = asked.idle === undefined ? usual.idle : parseDuration(asked.idle, `${where}.idle`)
  const absolute = asked.absolute === undefined ? usual.absolute : parseDuration(asked.absolute, `${where}.absolute`)
  if (caps !== null) checkCaps({ idle, absolute }, where, caps)
  return { idle, absolute }
}

function resolveLimits({ idle, absolute }: Timeouts, asked: Duration | undefined, caps: Caps | null): Limits {
  const slice = asked === undefined ? Math.max(1, Math.min(Math.round(idle / 10), 300_000)) : parseDuration(asked, 'timeouts.slice')
  // Under a policy nobody may stay for a slice more: it is taken from the idle timeout, of which it must leave something.
  const isHard = caps !== null && caps.idle !== null
  if (slice > (isHard ? idle / 2 : idle))
    throw new SojournError(
      'ERR_SOJOURN_OPTION',
      `timeouts.slice (${slice} ms) is longer than ${isHard ? 'half of ' : ''}an idle timeout (${idle} ms), which would then not hold; shorten the slice.`,
    )
  return { idle: isHard ? idle - slice : idle, absolute, slice }
}

/** When a session expires. The slice is in it, since the last use is known no better: nobody expires early. */
export function expiry(createdAt: number, lastSeenAt: number, { idle, absolute, slice }: Limits): number {
  return Math.min(lastSeenAt + idle + slice, createdAt + absolute)
}
