import type { Visitor } from '../visitor.ts'
import { html, type Html, type Part } from './html.ts'

export interface Page {
  readonly title: string
  /** Where this page is, to come back to it after a form; '' where one can't. */
  readonly path: string
  readonly visitor: Visitor
  readonly main: Part
}

/** The frame around every page. */
export function layout({ title, path, visitor, main }: Page): Html {
  return html`<!doctype html>
    <html lang="en" data-theme="${visitor.theme}">
      <head>
        <meta charset="utf-8" />
        <meta name="viewport" content="width=device-width, initial-scale=1" />
        <meta name="color-scheme" content="${visitor.theme}" />
        <title>${title} · Sojourn</title>
        <link rel="icon" href="/icon.svg" type="image/svg+xml" />
        <link rel="stylesheet" href="/shop.css" />
      </head>
      <body>
        <a class="skip" href="#main">Skip to the content</a>
        ${header(path, visitor)}
        <main id="main" class="wrap">${visitor.notices.map(notice)} ${main}</main>
        <footer class="foot">
          <div class="wrap">
            <p>A demo of <strong>sojourn</strong>, sessions for Node.js. Nothing here is for sale, and nothing needs a script.</p>
          </div>
        </footer>
      </body>
    </html> `
}

export function notice(message: string): Html {
  return html`<p class="notice" role="status">${message}</p>`
}

function header(path: string, visitor: Visitor): Html {
  const { user, items } = visitor
  const here = path.replace(/\?.*/, '')
  const link = (to: string, text: Part) => html`<a href="${visitor.url(to)}" ${here === to && html` aria-current="page"`}>${text}</a>`
  return html`<header class="head">
    <div class="wrap head-row">
      <a class="brand" href="${visitor.url('/')}">${mark}<span>Sojourn</span></a>
      <nav class="nav" aria-label="Shop">
        ${link('/', 'Shop')}
        ${link('/cart', html`Cart <span class="count">${items}<span class="sr"> ${items === 1 ? 'item' : 'items'}</span></span>`)}
        ${user === null ? link('/login', 'Log in') : link('/account', html`<span class="sr">Account of </span>${user.name.split(' ')[0]}`)}
      </nav>
      <div class="tools">
        ${themeSwitch(visitor, path)}
        ${user !== null && html`<form method="post" action="${visitor.url('/logout')}"><button class="quiet">Log out</button></form>`}
      </div>
    </div>
  </header>`
}

function themeSwitch({ theme, url }: Visitor, path: string): Html {
  const other = theme === 'light' ? 'dark' : 'light'
  return html`<form method="post" action="${url('/preferences')}">
    <input type="hidden" name="next" value="${path}" />
    <button class="icon" name="theme" value="${other}" aria-label="Switch to the ${other} theme" title="Switch to the ${other} theme">
      ${theme === 'light' ? moon : sun}
    </button>
  </form>`
}

const mark = html`<svg class="mark" viewBox="0 0 32 32" aria-hidden="true">
  <circle class="sun" cx="16" cy="15" r="7" />
  <path d="M2 24c5-6 9-6 14-2s9 3 14-2v10H2z" />
</svg>`
const moon = html`<svg viewBox="0 0 24 24" aria-hidden="true"><path d="M20 14.5A8.5 8.5 0 0 1 9.5 4a8.5 8.5 0 1 0 10.5 10.5z" /></svg>`
const sun = html`<svg viewBox="0 0 24 24" aria-hidden="true">
  <circle cx="12" cy="12" r="4.5" />
  <path class="rays" d="M12 2v3M12 19v3M2 12h3M19 12h3M4.9 4.9l2.1 2.1M17 17l2.1 2.1M4.9 19.1l2.1-2.1M17 7l2.1-2.1" />
</svg>`
