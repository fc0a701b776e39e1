import type { NextFunction, Request, Response } from 'express'
import { ShopError } from './errors.ts'

/**
 * Refuses what another site makes a visitor's browser send (CSRF). Safe methods pass; so does a client that is no browser,
 * which sends neither header; a browser says where a request comes from, and only the shop itself may be that place.
 */
export function sameOrigin(req: Request, _res: Response, next: NextFunction): void {
  if (req.method === 'GET' || req.method === 'HEAD' || req.method === 'OPTIONS' || comesFromHere(req)) return next()
  throw new ShopError(403, 'cross_origin', 'This request came from another site, so it was not carried out.')
}

function comesFromHere({ headers }: Request): boolean {
  const site = headers['sec-fetch-site']
  if (site !== undefined) return site === 'same-origin' || site === 'none'
  const { origin, host } = headers
  if (origin === undefined) return true
  // 'null', which sandboxed and privacy-minded pages send, has no host and is refused.
  return URL.canParse(origin) && new URL(origin).host === host
}
