import type { Visitor } from '../visitor.ts'
import { html, type Html } from './html.ts'
import { layout } from './layout.ts'

export interface LoginForm {
  /** The path to go on to. */
  readonly next: string
  readonly username?: string | undefined
  /** Somebody is logged in, and must show once more who it is. */
  readonly again?: boolean
  /** Why the last try failed. */
  readonly problem?: string
}

export function loginPage(visitor: Visitor, { next, username, again = false, problem }: LoginForm): Html {
  return layout({
    title: 'Log in',
    path: next === '/' ? '/login' : `/login?${again ? 'again&' : ''}next=${encodeURIComponent(next)}`,
    visitor,
    main: html`<section class="narrow">
      <h1>${again ? 'Is it still you?' : 'Welcome back'}</h1>
      <p class="lead">${lead(visitor, again)}</p>
      <form class="card form" method="post" action="${visitor.url('/login')}">
        ${problem !== undefined && html`<p class="problem" role="alert" id="problem">${problem}</p>`}
        <input type="hidden" name="next" value="${next}" />
        <label for="username">User name</label>
        <input
          id="username"
          name="username"
          value="${username}"
          autocomplete="username"
          autocapitalize="none"
          spellcheck="false"
          required
          maxlength="64"
          ${problem !== undefined && html` aria-describedby="problem"`}
        />
        <label for="password">Password</label>
        <input id="password" name="password" type="password" autocomplete="current-password" required maxlength="256" />
        <label class="check"><input type="checkbox" name="remember" /> Stay logged in on this device</label>
        <button class="button">Log in</button>
      </form>
      <aside class="demo" aria-label="Demo users">
        <h2>Demo users</h2>
        <dl>
          <dt>Ada Lovelace</dt>
          <dd><code>ada</code> / <code>countess</code></dd>
          <dt>Alan Turing</dt>
          <dd><code>alan</code> / <code>enigma</code></dd>
          <dt>Grace Hopper, administrator</dt>
          <dd><code>grace</code> / <code>nanosecond</code></dd>
        </dl>
      </aside>
    </section>`,
  })
}

function lead({ items }: Visitor, again: boolean): string {
  if (again) return 'Ending sessions elsewhere needs a recent login. Log in again, then repeat it.'
  return items > 0 ? 'Log in, and your cart comes along.' : 'Log in to see where you are signed in.'
}
