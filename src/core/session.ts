import type { Duration } from './duration.ts'
import type { SiteData } from './site-data.ts'
import type { SessionId } from './token.ts'
import type { TransportName } from './transport.ts'

export interface LoginOptions<Data> {
  /**
   * Keep the user logged in on this browser: the `timeouts.remembered` hold and the cookie outlives the browser. Each login says
   * so for itself, a step-up too.
   * @default false
   */
  readonly remember?: boolean | undefined
  /**
   * Chooses what comes along from the anonymous or the same user's session. Another user's session is never carried over,
   * and this is not asked for it.
   * @default everything
   */
  readonly carry?: ((data: Data) => Data) | undefined
  /**
   * The user's epoch as it was when the password was checked: a number or text that the application raises when the
   * password changes. It is compared with what the `epoch` option of `createSessions` looks up, after the new session
   * was stored and before its token goes out. Given as undefined while that option is set it is an error: no check is no answer.
   */
  readonly epoch?: number | string | undefined
  /**
   * How sure the application is of who it is, a whole number from 1 to 9: say 1 for a password, 2 with a second factor. Each login says
   * so for itself.
   * @default 1
   */
  readonly assurance?: number | undefined
}

export interface LogoutOptions {
  /**
   * Has the browser forget what it keeps of the site, by a Clear-Site-Data header on the answer: `true`, or a list of `'cache'`,
   * `'cookies'` (all of the domain's, its sister hosts' too) and `'storage'`. Browsers heed it over https alone. Cookies are left
   * where the session had ended already, since they may be a new login's.
   * @default false
   */
  readonly clearSiteData?: boolean | readonly SiteData[] | undefined
}

/** A visitor's session, as one request sees it. There always is one; nothing is stored until something is written to it. */
export interface Session<Data extends object> {
  /** The visitor's data. Change it in place: it is committed before the response's first byte, merged with what others changed meanwhile. */
  data: Data
  /** Finds the session; null until it is stored. No credential: it may be logged and shown. */
  readonly id: SessionId | null
  /** True when the request brought no session that is good. */
  readonly isNew: boolean
  /** How the token came that opened this session; null when the request brought none that is good. */
  readonly transport: TransportName | null
  /** Who is logged in, or null. */
  readonly userId: string | null
  /** Times in ms since the epoch; null until the session is stored. */
  readonly createdAt: number | null
  /** The last use, to within a slice of the idle timeout. */
  readonly lastSeenAt: number | null
  /** When it ends if it is not used again. */
  readonly expiresAt: number | null
  /** When this session's user logged in, a step-up included; null when nobody is logged in. */
  readonly lastLoginAt: number | null
  /** How sure the last login was of its user; 0 when nobody is logged in, or when signs of theft demand a new login. */
  readonly assurance: number

  /**
   * Lets sensitive steps pass only soon after a login (OWASP ASVS 5.0, 7.5.1), and of a given assurance (7.5.3). A new `login`
   * satisfies it, from the moment that it is done.
   *
   * @param within how old the last login may be: '10m'
   * @throws ERR_SOJOURN_LOGIN_REQUIRED, which the adapters answer with 401, when it is older, of a lower assurance, nobody is logged in,
   *   or signs of theft demand a new login
   */
  requireRecentLogin(within: Duration, options?: { readonly assurance?: number | undefined }): void
  /**
   * Logs a user in: a new session with a new ID and secret replaces this one, and the data come along (for the same user, or from an
   * anonymous visitor). Call it for every authentication, step-up too (OWASP ASVS 5.0, 7.2.4).
   *
   * @throws ERR_SOJOURN_LOGIN_REFUSED when `epoch` is no longer the user's; ERR_SOJOURN_ENDED when the user's own session ended meanwhile
   */
  login(userId: string, options?: LoginOptions<Data>): Promise<void>
  /** Ends the session and takes the token back. Requests that have it open can't revive it. */
  logout(options?: LogoutOptions): Promise<void>
  /** The same as `logout`. */
  destroy(options?: LogoutOptions): Promise<void>
  /**
   * A token for a form or a script of this session, to be shown to `checkCsrfToken` with the request. Another one each time, and all
   * are good until the next login or the session's end. For a new visitor it has the session stored with the answer; for every other
   * it costs no write. The cross-origin check needs none: this is for where that is not enough.
   *
   * @throws ERR_SOJOURN_MOVED, ERR_SOJOURN_ENDED or ERR_SOJOURN_STORE where there is no session that a token could be good for
   */
  csrfToken(): string
  /**
   * Lets a request go on only with a token of this session's.
   *
   * @param token what the client sent, whatever it is
   * @throws ERR_SOJOURN_CSRF_TOKEN, which the adapters answer by 403, for anything else
   */
  checkCsrfToken(token: unknown): void
  /**
   * Makes the timed change of the secret due now. The old one stays good until the client has shown the new one, and a grace more.
   * Nothing changes for a session in URLs, and for a client that has not asked for renewal by header.
   */
  renew(): void
  /**
   * Changes the data exactly: runs `change` on the newest data, with this request's other changes in it, again until it lands.
   *
   * @param change a synchronous function; it may run more than once
   * @returns what `change` returned when it landed
   * @throws ERR_SOJOURN_UPDATE_ASYNC for a function that returns a promise; ERR_SOJOURN_ENDED or ERR_SOJOURN_MOVED when the session is gone
   */
  update<Result>(change: (data: Data) => Result): Promise<Result>
  /** Commits now what was changed so far. Needed only for changes after the response's head was sent. */
  save(): Promise<void>
  /** Keeps a message for the next page. */
  flash(kind: string, message: string): void
  /** Takes the messages of a kind: they are gone once the request is committed. */
  flash(kind: string): string[]
  /**
   * A link of the application's own, for a page or a redirect: with the token in it where the visitor returns no cookie, as it is
   * everywhere else (other sites' links, a visitor of whom nothing is stored, no `url()` among the transports).
   */
  url(to: string): string
  /** Notes a use now, even where the last one noted is within the slice. */
  touch(): void
  /**
   * Commits by hand, where no adapter does it.
   *
   * @returns the headers to add to the response
   */
  commit(): Promise<Headers>
}

/** One session as `listByUser` tells of it. */
export interface SessionInfo {
  readonly id: SessionId
  readonly userId: string | null
  /** What the client called itself, such as 'Firefox on Windows': a claim. */
  readonly device: string | null
  readonly createdAt: number
  readonly lastSeenAt: number
  readonly expiresAt: number
}
