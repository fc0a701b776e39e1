import type { Product } from '../catalogue.ts'
import type { Visitor } from '../visitor.ts'
import { picture, valley } from './art.ts'
import { money } from './format.ts'
import { html, type Html } from './html.ts'
import { layout, notice } from './layout.ts'

export function homePage(visitor: Visitor, products: readonly Product[], { loggedOut }: { loggedOut: boolean }): Html {
  return layout({
    title: 'Good things for being elsewhere',
    path: '/',
    visitor,
    main: html`${loggedOut && visitor.user === null && html`${notice('You are logged out. Safe travels.')}<link rel="stylesheet" href="/forget.css" />`}
      <section class="hero">
        <div class="hero-text">
          <p class="eyebrow">so·journ, <i>n.</i> a temporary stay</p>
          <h1>Good things for being elsewhere</h1>
          <p class="lead">Eight well-made companions for night trains, borrowed cabins and the long way round.</p>
          <a class="button" href="#goods">See the goods</a>
        </div>
        ${valley}
      </section>
      <h2 id="goods">The goods</h2>
      <ul class="goods">
        ${products.map((product) => card(product, visitor))}
      </ul>`,
  })
}

function card({ sku, name, about, price }: Product, { url }: Visitor): Html {
  return html`<li class="card">
    <div class="stage" data-sku="${sku}">${picture(sku)}</div>
    <div class="card-text">
      <h3>${name}</h3>
      <p>${about}</p>
    </div>
    <form class="buy" method="post" action="${url('/cart')}">
      <span class="price">${money(price)}</span>
      <input type="hidden" name="sku" value="${sku}" />
      <input class="qty" type="number" name="qty" value="1" min="1" max="99" required aria-label="How many of ${name}" />
      <button class="button small">Add<span class="sr"> ${name} to the cart</span></button>
    </form>
  </li>`
}
