import type { EventName, SessionEvents } from './events.ts'
import type { AnyRequest } from './request.ts'
import type { Session, SessionInfo } from './session.ts'
import type { SessionId } from './token.ts'
import type { WatchListener } from './watches.ts'

/** All sessions of an application. */
export interface Sessions<Data extends object> {
  /**
   * Opens the session of a request: Node's own, a Fetch `Request`, or its `Headers` alone. There always is one.
   *
   * @throws ERR_SOJOURN_CROSS_ORIGIN for an unsafe request of another site's (`Headers` alone don't tell); ERR_SOJOURN_STORE
   */
  open(request: AnyRequest): Promise<Session<Data>>
  /** The session that an adapter opened for this request. @throws ERR_SOJOURN_NO_SESSION when none did */
  of(request: object): Session<Data>
  /** The live sessions of one user. */
  listByUser(userId: string): AsyncIterable<SessionInfo>
  /** Ends a session. @returns whether there was one to end */
  end(id: SessionId): Promise<boolean>
  /** Ends all sessions of a user but the one named. @returns how many */
  endUser(userId: string, options?: { readonly except?: SessionId | null | undefined }): Promise<number>
  /**
   * Ends all sessions, of users and visitors, but the one named: after a breach, say. Those that begin while it is at work stay; raise
   * the users' epochs first where passwords may be known (`login(userId, { epoch })`). @returns how many
   */
  endAll(options?: { readonly except?: SessionId | null | undefined }): Promise<number>
  /**
   * Stored data of a session that no release of the application could read so far, as it was found; null when there are none.
   *
   * @throws ERR_SOJOURN_OPTION for a session that is bound to its client, of whose data nobody else can read anything
   */
  setAside(id: SessionId): Promise<string | null>
  /**
   * Hears once of this session's end, so that a WebSocket or an event stream that was opened under it can be closed: at once of
   * what happens in this process (a login, which moves the session to a new ID, too), within `watchInterval` of its expiry and of
   * what other processes do. Watching is no use of the session, and keeps it from no timeout.
   *
   * @returns a function that stops watching
   * @throws ERR_SOJOURN_OPTION for what is no session's ID
   */
  watch(id: SessionId, listener: WatchListener): () => void
  /** Removes what has expired, now; it happens by itself as well. @returns how many records went */
  sweep(): Promise<number>
  /** Listens. Returns a function that stops listening. */
  on<Name extends EventName>(name: Name, listener: (event: SessionEvents[Name]) => void): () => void
  /** Finishes what is on its way, notes the last uses, ends the store. */
  close(): Promise<void>
}
