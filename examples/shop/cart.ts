import { findProduct, type Product } from './catalogue.ts'
import type { ShopSession } from './sessions.ts'

export interface CartLine {
  sku: string
  qty: number
}

/**
 * Adds to the cart.
 *
 * A plain `data.cart.push(…)` would be saved and merged as well, but two tabs that add the same thing would leave two lines.
 * `update` runs on the newest data until it lands, so that the quantities add up whoever else is at it.
 */
export async function addToCart(session: ShopSession, sku: string, qty: number): Promise<void> {
  await session.update(({ cart }) => {
    const line = cart.find((one) => one.sku === sku)
    if (line === undefined) cart.push({ sku, qty })
    else line.qty += qty
  })
}

/** Takes `qty` of a product out of the cart, or all of it when no quantity is given. */
export async function removeFromCart(session: ShopSession, sku: string, qty = Number.POSITIVE_INFINITY): Promise<void> {
  await session.update((data) => {
    for (const line of data.cart) if (line.sku === sku) line.qty -= qty
    data.cart = data.cart.filter((line) => line.qty > 0)
  })
}

/** How many things are in the cart: the number beside its name. */
export function countItems(cart: readonly CartLine[]): number {
  return cart.reduce((count, { qty }) => count + qty, 0)
}

export interface PricedLine {
  readonly product: Product
  readonly qty: number
  readonly price: number
}

/** The cart with names and prices. What left the catalogue since it was put in is left out. */
export function priceCart(cart: readonly CartLine[]): { lines: PricedLine[]; total: number } {
  const lines: PricedLine[] = []
  for (const { sku, qty } of cart) {
    const product = findProduct(sku)
    if (product !== undefined) lines.push({ product, qty, price: product.price * qty })
  }
  return { lines, total: lines.reduce((sum, { price }) => sum + price, 0) }
}
