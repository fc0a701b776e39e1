import type { PricedLine } from '../cart.ts'
import type { Visitor } from '../visitor.ts'
import { picture } from './art.ts'
import { money } from './format.ts'
import { html, type Html } from './html.ts'
import { layout } from './layout.ts'

export function cartPage(visitor: Visitor, { lines, total }: { lines: readonly PricedLine[]; total: number }): Html {
  return layout({ title: 'Your cart', path: '/cart', visitor, main: lines.length === 0 ? empty(visitor) : filled(visitor, lines, total) })
}

const empty = ({ url }: Visitor) =>
  html`<section class="empty">
    <div class="stage" data-sku="weekender">${picture('weekender')}</div>
    <h1>Your cart is empty</h1>
    <p>Light luggage is a virtue. Still, there may be something you forgot.</p>
    <a class="button" href="${url('/')}">See the goods</a>
  </section>`

function filled(visitor: Visitor, lines: readonly PricedLine[], total: number): Html {
  const { user, items, url } = visitor
  return html`<h1>Your cart</h1>
    <div class="cart">
      <ul class="lines">
        ${lines.map((line) => row(line, visitor))}
      </ul>
      <aside class="card summary" aria-label="Summary">
        <dl>
          <dt>${items === 1 ? '1 item' : `${items} items`}</dt>
          <dd>${money(total)}</dd>
          <dt>Delivery, anywhere</dt>
          <dd>free</dd>
          <dt class="total">Total</dt>
          <dd class="total">${money(total)}</dd>
        </dl>
        <p class="fine">
          This is a demo: there is no
          checkout.${user === null && html` Your cart stays with you when you <a href="${url('/login?next=/cart')}">log in</a>.`}
        </p>
        <a class="button outline" href="${url('/')}">Keep looking</a>
      </aside>
    </div>`
}

function row({ product: { sku, name, price: each }, qty, price }: PricedLine, { url }: Visitor): Html {
  return html`<li class="card line">
    <div class="stage" data-sku="${sku}">${picture(sku)}</div>
    <div class="line-text">
      <h2>${name}</h2>
      <p class="fine">${money(each)} each</p>
    </div>
    <div class="stepper" role="group" aria-label="How many of ${name}">
      <form method="post" action="${url('/cart/remove')}">
        <input type="hidden" name="sku" value="${sku}" /><button name="qty" value="1" aria-label="One ${name} less">−</button>
      </form>
      <output>${qty}</output>
      <form method="post" action="${url('/cart')}">
        <input type="hidden" name="sku" value="${sku}" /><button name="qty" value="1" aria-label="One ${name} more">+</button>
      </form>
    </div>
    <p class="price">${money(price)}</p>
    <form class="remove" method="post" action="${url('/cart/remove')}">
      <input type="hidden" name="sku" value="${sku}" /><button class="quiet">Remove<span class="sr"> ${name}</span></button>
    </form>
  </li>`
}
