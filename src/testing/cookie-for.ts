import type { Sessions } from '../core/sessions.ts'
import type { SealedSessions } from '../sealed.ts'

export interface CookieForOptions<Data> {
  /** Logged in as this user. @default an anonymous visitor */
  readonly userId?: string | undefined
  /** Laid over the initial data. */
  readonly data?: Partial<Data> | undefined
  readonly remember?: boolean | undefined
  /** How sure the login was of its user. @default 1 */
  readonly assurance?: number | undefined
  /** Whether the application is reached by https, where the cookie has another name. @default false */
  readonly secure?: boolean | undefined
  /** What the session's device is to be read from. */
  readonly userAgent?: string | undefined
}

/**
 * Makes a session as if a visitor had come, and answers its cookie, `name=value`, for a request's Cookie header:
 * be logged in without the login form.
 */
export async function cookieFor<Data extends object>(
  sessions: Sessions<Data> | SealedSessions<Data>,
  options: CookieForOptions<Data> = {},
): Promise<string> {
  const { userId, data, remember, assurance, secure = false, userAgent } = options
  const headers = new Headers(userAgent === undefined ? {} : { 'user-agent': userAgent })
  const session = await sessions.open({ url: secure ? 'https://localhost/' : 'http://localhost/', headers })
  if (data !== undefined) Object.assign(session.data, data)
  if (userId !== undefined) await session.login(userId, { remember, assurance })
  else if (data === undefined)
    throw new TypeError('A session that nothing was written to is not stored: give cookieFor() a userId or data.')
  const cookies = (await session.commit()).getSetCookie()
  if (cookies.length === 0)
    throw new TypeError('The data given to cookieFor() are the initial data, so nothing was stored; give it a userId or other data.')
  // A sealed session may take several.
  return cookies.map((cookie) => cookie.slice(0, cookie.indexOf(';'))).join('; ')
}
