import type { ActiveSession } from '../account.ts'
import type { Visitor } from '../visitor.ts'
import { ago } from './format.ts'
import { html, type Html } from './html.ts'
import { layout } from './layout.ts'

/** @param problem why the last change of the password failed */
export function accountPage(visitor: Visitor, active: readonly ActiveSession[], now: number, problem?: string): Html {
  const others = active.filter(({ current }) => !current).length
  return layout({
    title: 'Your account',
    path: '/account',
    visitor,
    main: html`<section class="account">
      <h1>Hello, ${visitor.user?.name}</h1>
      <p class="lead">
        ${others === 0 ? 'You are logged in here and nowhere else.' : `You are logged in at ${active.length} places. End what you don’t recognise.`}
      </p>
      <ul class="sessions">
        ${active.map((one) => row(one, now, visitor))}
      </ul>
      ${
        others > 0 &&
        html`<form class="end-others" method="post" action="${visitor.url('/account/sessions/end')}">
          <p>Left yourself logged in somewhere?</p>
          <button class="button outline danger" name="others" value="yes">End all other sessions</button>
        </form>`
      }
      ${passwordForm(problem, visitor)}
      ${visitor.user?.isAdmin === true && html`<p><a href="${visitor.url('/admin')}">Administration</a></p>`}
    </section>`,
  })
}

function passwordForm(problem: string | undefined, { url }: Visitor): Html {
  return html`<form class="card form" method="post" action="${url('/account/password')}">
    <h2>Change your password</h2>
    ${problem !== undefined && html`<p class="problem" role="alert" id="problem">${problem}</p>`}
    <label for="current">Current password</label>
    <input id="current" name="current" type="password" autocomplete="current-password" required maxlength="256" />
    <label for="next">New password</label>
    <input
      id="next"
      name="next"
      type="password"
      autocomplete="new-password"
      required
      minlength="8"
      maxlength="256"
      ${problem !== undefined && html` aria-describedby="problem"`}
    />
    <label class="check"><input type="checkbox" name="others" checked /> Log me out everywhere else</label>
    <button class="button">Change password</button>
  </form>`
}

function row({ id, current, device, createdAt, lastSeenAt }: ActiveSession, now: number, { url }: Visitor): Html {
  return html`<li class="card session">
    <span class="device-icon">${isPhone(device) ? phone : laptop}</span>
    <div>
      <h2>${device ?? 'Unknown device'}${current && html` <span class="badge">This device</span>`}</h2>
      <dl class="fine">
        <div>
          <dt>Logged in</dt>
          <dd>${ago(createdAt, now)}</dd>
        </div>
        <div>
          <dt>Last seen</dt>
          <dd>${ago(current ? now : lastSeenAt, now)}</dd>
        </div>
        <div>
          <dt>ID</dt>
          <dd><code>${id}</code></dd>
        </div>
      </dl>
    </div>
    <form method="post" action="${url('/account/sessions/end')}">
      <button class="button outline small${!current && ' danger'}" name="id" value="${id}">
        ${current ? 'Log out here' : 'End'}<span class="sr">${!current && `: ${device ?? 'unknown device'}`}</span>
      </button>
    </form>
  </li>`
}

function isPhone(device: string | null): boolean {
  return device !== null && /Android|iPhone|iPad|iOS/.test(device)
}

const laptop = html`<svg viewBox="0 0 24 24" aria-hidden="true">
  <rect x="4.5" y="5" width="15" height="10.5" rx="1.5" />
  <path d="M2.5 19h19" />
</svg>`
const phone = html`<svg viewBox="0 0 24 24" aria-hidden="true">
  <rect x="7" y="2.5" width="10" height="19" rx="2" />
  <path d="M11 18.5h2" />
</svg>`
