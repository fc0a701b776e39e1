import type { LoginOptions, Session } from '../core/session.ts'

/** How a login can be told what comes along and how long it lasts. There is no `epoch`: nothing is stored that could be taken back after it was compared. */
export type SealedLoginOptions<Data> = Omit<LoginOptions<Data>, 'epoch'>

/**
 * A visitor's session, as one request sees it: `Session`, without what can't be done for want of a store.
 * `update` needs a record to compare with, `save` a place to write to after the head is out, `renew` a secret.
 */
export interface SealedSession<Data extends object> extends Pick<
  Session<Data>,
  'isNew' | 'userId' | 'createdAt' | 'expiresAt' | 'flash' | 'commit'
> {
  /**
   * The visitor's data. Change it in place: it is sealed into the cookie before the response's first byte. Of two requests at
   * once the one whose answer comes last wins.
   */
  data: Data
  /** Names the session; null until it is sealed. No credential: it may be logged and shown. */
  readonly id: Session<Data>['id']
  /** When the cookie was last sealed: the last use, to within a slice of the idle timeout. */
  readonly lastSeenAt: number | null

  /**
   * Logs a user in: a session with a new ID takes this one's place, and the data come along (for the same user, or from an
   * anonymous visitor). Call it for every authentication, step-up too (OWASP ASVS 5.0, 7.2.4). With `revocations` the old ID is revoked.
   *
   * @throws ERR_SOJOURN_DATA_TOO_LARGE when the session would not fit into its cookies; ERR_SOJOURN_LATE_CHANGE after the response's head;
   *   ERR_SOJOURN_STORE
   */
  login(userId: string, options?: SealedLoginOptions<Data>): Promise<void>
  /**
   * Takes the cookie back. With `revocations` the session is over; without, a copy of the cookie is good until it expires.
   *
   * @throws ERR_SOJOURN_LATE_CHANGE after the response's head, where the cookie can't be taken back any more; ERR_SOJOURN_STORE
   */
  logout(): Promise<void>
  /** The same as `logout`. */
  destroy(): Promise<void>
  /** Notes a use now, even where the last one noted is within the slice: the cookie is sealed again. */
  touch(): void
}
