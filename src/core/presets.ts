import { SojournError } from './errors.ts'

/**
 * Limits that a standard sets, or a guide advises. They are never exceeded, not by a millisecond, in remembered logins neither:
 *
 * | name | overall | idle | from |
 * | --- | --- | --- | --- |
 * | `nist-aal1` | 30 days | none set: sojourn's own default | NIST SP 800-63B-4, 2.1.3 |
 * | `nist-aal2` | 24 hours | 1 hour | NIST SP 800-63B-4, 2.2.3 |
 * | `nist-aal3` | 12 hours | 15 minutes | NIST SP 800-63B-4, 2.3.3 |
 * | `owasp-low-risk` | 8 hours | 30 minutes | OWASP Session Management Cheat Sheet: idle 15 to 30 minutes, absolute 4 to 8 hours |
 * | `owasp-high-value` | 4 hours | 5 minutes | the same: idle 2 to 5 minutes, absolute 4 to 8 hours, of which the strict end |
 */
export type PolicyName = 'nist-aal1' | 'nist-aal2' | 'nist-aal3' | 'owasp-low-risk' | 'owasp-high-value'

/** The longest that a policy allows, in ms. */
export interface Caps {
  readonly name: PolicyName
  /** Null where the policy sets none. */
  readonly idle: number | null
  readonly absolute: number
}

const [minute, hour, day] = [60_000, 3_600_000, 86_400_000]

const presets: Readonly<Record<PolicyName, Omit<Caps, 'name'>>> = {
  'nist-aal1': { idle: null, absolute: 30 * day },
  'nist-aal2': { idle: hour, absolute: 24 * hour },
  'nist-aal3': { idle: 15 * minute, absolute: 12 * hour },
  'owasp-low-risk': { idle: 30 * minute, absolute: 8 * hour },
  'owasp-high-value': { idle: 5 * minute, absolute: 4 * hour },
}

/** @throws ERR_SOJOURN_OPTION for a policy that is none */
export function capsOf(name: PolicyName): Caps {
  if (Object.hasOwn(presets, name)) return { name, ...presets[name] }
  throw new SojournError(
    'ERR_SOJOURN_OPTION',
    `policy is ${JSON.stringify(name)}; it must be one of ${Object.keys(presets).join(', ')}, or left out.`,
  )
}

/**
 * @param where the option that the timeouts stand in
 * @throws ERR_SOJOURN_OPTION for timeouts that are longer than a policy allows
 */
export function checkCaps(timeouts: { readonly idle: number; readonly absolute: number }, where: string, caps: Caps): void {
  for (const kind of ['idle', 'absolute'] as const) {
    const cap = caps[kind]
    if (cap === null || timeouts[kind] <= cap) continue
    throw new SojournError(
      'ERR_SOJOURN_OPTION',
      `${where}.${kind} is ${timeouts[kind]} ms, and the policy '${caps.name}' allows ${cap} ms at most; shorten it, or leave the policy out and answer for the timeouts yourself.`,
    )
  }
}
