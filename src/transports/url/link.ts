import type { RequestView } from '../../core/request.ts'
import { endOfPath } from './parameter.ts'

/** Where the page is that links stand on. */
export interface Place {
  readonly host: string
  readonly url: string
}

/** The page's host where it is not told. Nobody has it. */
const nowhere = 'unknown.invalid'

export function placeOf(request: RequestView): Place {
  const { url = '/' } = request
  if (URL.canParse(url)) return { host: new URL(url).host, url }
  // Where the host is not told, only a path can be the application's own.
  const host = (request.header('host') ?? request.header(':authority') ?? '').toLowerCase() || nowhere
  return { host, url: `${request.secure ? 'https' : 'http'}://${host}${url.startsWith('/') ? url : '/'}` }
}

/** A path of this origin that every browser reads alike: no second slash or backslash, nothing that parsers drop. */
const plain = /^\/(?![/\\])[^\\\s\p{Cc}]*$/u
/** A path of segments, from the page's own folder on. */
const relative = /^(?![^/?#]*:)[^/\\?#\s\p{Cc}][^\\\s\p{Cc}]*$/u
const dots = /(?:^|\/)(?:\.|%2e){1,2}$/i

/**
 * The link, in a form whose path a parameter can be added to; null for one that leads elsewhere, or has no path. As it was written
 * wherever all parsers agree on that, else in the form that browsers give it. It names a host only where it did: that of the page is
 * what the client wrote into Host.
 */
export function resolveLink(to: string, place: Place, below: string): string | null {
  const path = to.slice(0, endOfPath(to))
  // The browser fills in the page's own path, which has the token already.
  if (path === '') return null
  const asWritten = (plain.test(to) || relative.test(to)) && !dots.test(path)
  if (asWritten && below === '/') return to
  if (!URL.canParse(to, place.url)) return null
  const link = new URL(to, place.url)
  const isHere = link.origin === new URL(place.url).origin && link.username === '' && link.password === ''
  if (!isHere || !isBelow(link.pathname, below)) return null
  const written = asWritten ? to : namesHost(to, link) ? link.href : link.href.slice(link.origin.length)
  // An application that is mounted there, as by `app.use('/shop', …)`, is not asked for `/shop;sid=…`.
  return link.pathname === below && !below.endsWith('/') ? withSlash(written) : written
}

/** Whether it says itself where it leads, so that it would lead there from any page. */
function namesHost(to: string, link: URL): boolean {
  return link.host !== nowhere && new URL(to, `${link.protocol}//${nowhere}`).host === link.host
}

function withSlash(url: string): string {
  const end = endOfPath(url)
  return `${url.slice(0, end)}/${url.slice(end)}`
}

function isBelow(path: string, above: string): boolean {
  return path === above || path.startsWith(above.endsWith('/') ? above : `${above}/`)
}
