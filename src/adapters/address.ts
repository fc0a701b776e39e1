import type { ServerResponse } from 'node:http'
import type { RequestView } from '../core/request.ts'

/** Keeps a page's address with a token in it from other sites, whatever the answer becomes: an error page has links as well. */
export function guardAddress({ boreToken }: RequestView, res: ServerResponse): void {
  if (boreToken) res.setHeader('Referrer-Policy', 'no-referrer')
}
