/** Something the shop sells. */
export interface Product {
  readonly sku: string
  readonly name: string
  readonly about: string
  /** In cents: money is never a fraction. */
  readonly price: number
}

const products: readonly Product[] = [
  {
    sku: 'weekender',
    name: 'Weekender bag',
    about: 'Waxed canvas and bridle leather, 34 litres. Fits under the seat in front.',
    price: 12_800,
  },
  { sku: 'lantern', name: 'Porch lantern', about: 'Warm light for sixteen hours, folds flat, charges from anything.', price: 3_600 },
  { sku: 'blanket', name: 'Wool blanket', about: 'Lambswool, woven in the hills. For trains, decks and cold rentals.', price: 8_900 },
  { sku: 'mug', name: 'Enamel mug', about: 'Chips with dignity. Holds exactly one coffee and one view.', price: 1_400 },
  { sku: 'journal', name: 'Travel journal', about: 'A hundred and sixty thread-sewn pages and a pocket for tickets.', price: 1_800 },
  { sku: 'flask', name: 'Steel flask', about: 'Hot for a night, cold for a day, silent in a backpack.', price: 4_200 },
  { sku: 'clock', name: 'Bedside clock', about: 'Shows home and away. No app, no glow, one gentle bell.', price: 3_400 },
  { sku: 'tent', name: 'Two-night tent', about: 'Up in four minutes, 1.9 kilos, room for two and a dog.', price: 24_000 },
]

const bySku = new Map(products.map((product) => [product.sku, product]))

export function allProducts(): readonly Product[] {
  return products
}

export function findProduct(sku: string): Product | undefined {
  return bySku.get(sku)
}
