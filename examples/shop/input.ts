import type { Request } from 'express'
import { findProduct } from './catalogue.ts'
import { ShopError } from './errors.ts'
import { themes, type Theme } from './sessions.ts'

/** What a client sent: unknown until each field was looked at. */
export type Body = Readonly<Record<string, unknown>>

export function bodyOf(req: Request): Body {
  const body: unknown = req.body
  if (typeof body === 'object' && body !== null && !Array.isArray(body)) return body as Body
  throw badRequest('The request needs a body that is one object.')
}

export function readText(body: Body, name: string): string {
  const value = body[name]
  if (typeof value === 'string' && value.length <= 256) return value
  throw badRequest(`${name} must be a text of at most 256 characters.`)
}

export function readSku(body: Body): string {
  const sku = readText(body, 'sku')
  if (findProduct(sku) !== undefined) return sku
  throw new ShopError(404, 'unknown_sku', 'The shop has nothing under this sku.')
}

export function readQty(value: unknown): number {
  if (typeof value === 'number' && Number.isInteger(value) && value >= 1 && value <= 99) return value
  throw badRequest('qty must be a whole number from 1 to 99.')
}

export function readDelay(value: unknown): number {
  if (typeof value === 'number' && value >= 0 && value <= 2000) return value
  throw badRequest('delayMs must be a number from 0 to 2000.')
}

export function readFlag(value: unknown, name: string): boolean {
  if (typeof value === 'boolean') return value
  throw badRequest(`${name} must be true or false.`)
}

export function readTheme(body: Body): Theme {
  const theme = themes.find((one) => one === body.theme)
  if (theme !== undefined) return theme
  throw badRequest(`theme must be one of ${themes.join(', ')}.`)
}

/** A form sends digits as text, where JSON has numbers. */
export function fromForm(value: unknown): unknown {
  return typeof value === 'string' && /^\d{1,4}$/.test(value) ? Number(value) : value
}

const here = 'http://shop.invalid'

/** The path of this shop to go on to, where a form named one: never another site, whatever was written there. */
export function readNext(value: unknown, otherwise: string): string {
  if (typeof value !== 'string' || !value.startsWith('/') || !URL.canParse(value, here)) return otherwise
  const { origin, pathname, search } = new URL(value, here)
  // '/.//elsewhere' has our origin, but its path alone would be read as another host.
  return origin === here && !pathname.startsWith('//') ? pathname + search : otherwise
}

function badRequest(message: string): ShopError {
  return new ShopError(400, 'bad_request', message)
}
