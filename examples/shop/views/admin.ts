import type { UserState } from '../administration.ts'
import type { Visitor } from '../visitor.ts'
import { html, type Html } from './html.ts'
import { layout } from './layout.ts'

export function adminPage(visitor: Visitor, users: readonly UserState[]): Html {
  return layout({
    title: 'Administration',
    path: '/admin',
    visitor,
    main: html`<section class="account">
      <h1>Administration</h1>
      <p class="lead">End the sessions of one user, lock one out, or have everybody log in again.</p>
      <ul class="sessions">
        ${users.map((user) => row(user, user.id === visitor.user?.id, visitor))}
      </ul>
      <form class="end-others" method="post" action="${visitor.url('/admin')}">
        <p>A breach? Carts of visitors go too; your own session stays.</p>
        <button class="button outline danger" name="end" value="all">End everybody’s sessions</button>
      </form>
    </section>`,
  })
}

function row({ id, name, lockedOut, sessions }: UserState, isYou: boolean, { url }: Visitor): Html {
  return html`<li class="card session user">
    <div>
      <h2>${name}${isYou && html` <span class="badge">You</span>`}${lockedOut && html` <span class="badge">Locked out</span>`}</h2>
      <p class="fine">${sessions === 1 ? '1 session' : `${sessions} sessions`}</p>
    </div>
    ${
      !isYou &&
      html`<form method="post" action="${url('/admin')}">
        <input type="hidden" name="user" value="${id}" />
        <button class="button outline small danger" name="do" value="end-sessions">End sessions<span class="sr"> of ${name}</span></button>
        <button class="button outline small danger" name="do" value="${lockedOut ? 'let-in' : 'lock-out'}">
          ${lockedOut ? 'Let in' : 'Lock out'}<span class="sr"> ${name}</span>
        </button>
      </form>`
    }
  </li>`
}
