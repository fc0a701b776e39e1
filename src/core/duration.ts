import { SojournError } from './errors.ts'

/** A length of time: milliseconds, or a number with its unit: '500ms', '2s', '30m', '12h', '14d'. */
export type Duration = number | string

const shape = /^(\d+(?:\.\d+)?)(ms|s|m|h|d)?$/
const units: Record<string, number> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 }

/**
 * Reads a duration into whole milliseconds.
 *
 * @throws ERR_SOJOURN_OPTION for anything that is not a positive length of time.
 */
export function parseDuration(value: Duration, option: string): number {
  const match = typeof value === 'string' ? shape.exec(value.trim()) : null
  const ms = typeof value === 'number' ? value : match === null ? Number.NaN : Number(match[1]) * units[match[2] ?? 'ms']!
  if (!Number.isFinite(ms) || ms < 1) {
    throw new SojournError(
      'ERR_SOJOURN_OPTION',
      `${option} is ${JSON.stringify(value)}, which is no length of time; write milliseconds (1800000) or '30m', '12h', '14d'.`,
    )
  }
  return Math.round(ms)
}
