import type { RequestView } from './request.ts'

export type TransportName = 'cookie' | 'url' | 'header'

/** How a token travels between client and server. */
export interface Transport {
  readonly name: TransportName
  /** What the request carries as its token, unread: null when there is nothing, '' when it is ambiguous or can't be one. */
  read(request: RequestView): string | null
  /**
   * The response header that hands a token to the client, or that goes with a page whose links do.
   *
   * @param maxAge how long the client may keep it, in ms; null for as long as the browser runs
   */
  issue(request: RequestView, token: string, maxAge: number | null): Header
  /** The response header that takes the token back; null where nothing does. */
  clear(request: RequestView): Header | null
  /** Whether this client is given a new secret when that is due. */
  renews(request: RequestView): boolean
  /** Whether the client asks to be handed a new session in this way, and in no other. */
  isAskedFor?(request: RequestView): boolean
  /** A link of the application's with the token in it, where that is how it travels. */
  rewrite?(request: RequestView, to: string, token: string): string
}

/** How a sealed session travels: all of it, not a token. */
export interface SealTransport {
  /** What a seal is bound to: it opens under no other name. */
  nameFor(request: RequestView): string
  /** What the request carries as its seal, unread; null when there is nothing, or nothing unambiguous. */
  read(request: RequestView): string | null
  /**
   * The response headers that hand a seal to the client.
   *
   * @param maxAge how long the client may keep it, in ms; null for as long as the browser runs
   * @throws ERR_SOJOURN_DATA_TOO_LARGE for what a browser or a proxy would drop
   */
  issue(request: RequestView, seal: string, maxAge: number | null): Header[]
  /** The response headers that take it back. */
  clear(request: RequestView): Header[]
}

export type Header = readonly [name: string, value: string]
