import { type Duration, parseDuration } from './duration.ts'
import { SojournError } from './errors.ts'
import { decodeHead } from './head.ts'
import type { SessionRecord } from './store.ts'

/** When the user of a record logged in: each login makes a new record. Null where nobody did. */
export function lastLoginOf({ userId, createdAt }: SessionRecord): number | null {
  return userId === null ? null : createdAt
}

/** How sure the session is of its user: as the login said; 0 where nobody is logged in, or a new login is demanded. */
export function assuranceOf({ userId, head: text }: SessionRecord): number {
  const head = userId === null ? null : decodeHead(text)
  return head === null || head.others.length > 0 ? 0 : head.assurance
}

/** @throws ERR_SOJOURN_OPTION for what is no assurance */
export function checkAssurance(assurance: unknown, verb: string): asserts assurance is number {
  if (Number.isInteger(assurance) && Number(assurance) >= 1 && Number(assurance) <= 9) return
  throw new SojournError(
    'ERR_SOJOURN_OPTION',
    `${verb}() was given the assurance ${JSON.stringify(assurance)}; it must be a whole number from 1 to 9.`,
  )
}

/** @throws ERR_SOJOURN_LOGIN_REQUIRED unless this session's last login is recent and sure enough */
export function requireRecentLogin(record: SessionRecord | null, now: number, within: Duration, assurance: number): void {
  const age = parseDuration(within, 'The age that requireRecentLogin() allows')
  checkAssurance(assurance, 'requireRecentLogin')
  const at = record === null ? null : lastLoginOf(record)
  if (record === null || at === null) throw loginRequired('nobody is logged in; log in')
  const has = assuranceOf(record)
  if (has === 0) throw loginRequired('the browser changed since the last login; log in again')
  if (has < assurance)
    throw loginRequired(`it needs a login of assurance ${assurance}, and the last one had ${has}; log in again with another factor`)
  if (now - at > age)
    throw loginRequired(
      `it needs a login within the last ${typeof within === 'string' ? within : `${within} ms`}, and the last one is older; log in again`,
    )
}

function loginRequired(why: string): SojournError {
  return new SojournError('ERR_SOJOURN_LOGIN_REQUIRED', `This step was refused: ${why}.`)
}
