import type { Visitor } from '../visitor.ts'
import { html, type Html } from './html.ts'
import { layout } from './layout.ts'

export function errorPage(visitor: Visitor, { status, message }: { status: number; message: string }): Html {
  return layout({
    title: status === 404 ? 'Nothing here' : 'That did not work',
    path: '',
    visitor,
    main: html`<section class="empty">
      <p class="status">${status}</p>
      <h1>${status === 404 ? 'You have wandered off the map' : 'That did not work'}</h1>
      <p>${message}</p>
      <a class="button" href="${visitor.url('/')}">Back to the shop</a>
    </section>`,
  })
}
