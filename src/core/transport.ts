import type { RequestView } from './request.ts'

/** How a token travels between client and server. */
export interface Transport {
  readonly name: string
  /** What the request carries as its token, unread; null when there is nothing, or nothing unambiguous. */
  read(request: RequestView): string | null
  /**
   * The response header that hands a token to the client.
   *
   * @param maxAge how long the client may keep it, in ms; null for as long as the browser runs
   */
  issue(request: RequestView, token: string, maxAge: number | null): Header
  /** The response header that takes the token back. */
  clear(request: RequestView): Header
}

export type Header = readonly [name: string, value: string]
