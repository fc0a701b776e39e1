import type { NextFunction, Request, Response } from 'express'

/**
 * One line for each request, as web servers write it. It stands before the sessions, and is written when the answer is out: by then
 * no address has a token in it any more, and no page of a visitor without cookies sends a Referer.
 */
export function accessLog(req: Request, res: Response, next: NextFunction): void {
  res.once('finish', () => {
    const { method, originalUrl, headers } = req
    console.log(JSON.stringify([method, originalUrl, res.statusCode, headers.referer ?? null]))
  })
  next()
}
