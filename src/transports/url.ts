import { SojournError } from '../core/errors.ts'
import { checkKeys } from '../core/check-keys.ts'
import type { RequestView } from '../core/request.ts'
import type { Header, Transport } from '../core/transport.ts'
import { encodedForm, insertToken, stripEncoded, stripToken, takeToken } from './url/parameter.ts'
import { type Place, placeOf, resolveLink } from './url/link.ts'

export interface UrlOptions {
  /** The path parameter's name: `/cart;sid=…`. The application can't use it for anything else. @default 'sid' */
  readonly name?: string | undefined
  /** Where the application is, for one that shares its origin with others: no link beyond it is given the token. @default '/' */
  readonly path?: string | undefined
}

const nameShape = /^[A-Za-z][\w-]{0,63}$/
const pathShape = /^\/[\w./~!$&'()*+,=:@%-]*$/

/**
 * The token in the application's own links, `/cart;sid=…`, for visitors whose browser returns no cookie. It is taken out of the
 * request before a handler or a logger sees it, holds in the browser that it was given to, and never goes beside a cookie.
 *
 * @throws ERR_SOJOURN_OPTION for a name or a path that can't stand in a URL
 */
export function url(options: UrlOptions = {}): Transport {
  checkOptions(options)
  const { name = 'sid', path = '/' } = options
  const mark = `;${name}=`
  const encoded = encodedForm(name)
  const strip = (target: string): string => stripEncoded(stripToken(target, mark), encoded)
  // The page's address has the token, or its links have: no other site may be told of it.
  const quiet: Header = ['Referrer-Policy', 'no-referrer']

  return {
    name: 'url',
    read(request) {
      const { url } = request
      if (url === undefined) return null
      const found = takeToken(url, mark)
      const isEncoded = stripEncoded(url, encoded) !== url
      if (found === null && !isEncoded) return null
      request.hideToken(strip)
      return isEncoded || comesFromElsewhere(request) ? '' : found
    },
    issue: () => quiet,
    clear: () => null,
    // Tabs and bookmarks share no jar, from which all of them would take a new one.
    renews: () => false,
    rewrite(request, to, token) {
      const link = resolveLink(strip(to), placeOf(request), path)
      if (link === null) return to
      // Once more: what parsers drop, such as a line break, may have hidden one.
      const bare = strip(link)
      // A path may begin with two slashes; a link that does leads to another host.
      return insertToken(bare.startsWith('//') ? `/.${bare}` : bare, mark, token)
    },
  }
}

/**
 * Whether a link on another site, or in another program as far as the browser tells, led here: a visitor who follows it must
 * not find himself in the session of whoever made it.
 */
function comesFromElsewhere(request: RequestView): boolean {
  const site = request.header('sec-fetch-site')
  if (site !== undefined) return site !== 'same-origin' && site !== 'none'
  const from = request.header('origin') ?? request.header('referer')
  if (from === undefined || from === 'null') return false
  const here: Place = placeOf(request)
  return !URL.canParse(from) || new URL(from).host !== here.host
}

function checkOptions(options: UrlOptions): void {
  checkKeys(options, ['name', 'path'], 'url.')
  const { name = 'sid', path = '/' } = options
  if (typeof name !== 'string' || !nameShape.test(name))
    throw new SojournError(
      'ERR_SOJOURN_OPTION',
      `url.name is ${JSON.stringify(name)}; it must be a letter, then letters, digits, - and _, 64 at most.`,
    )
  if (typeof path !== 'string' || !pathShape.test(path) || new URL(path, 'http://shop.invalid').pathname !== path)
    throw new SojournError(
      'ERR_SOJOURN_OPTION',
      `url.path is ${JSON.stringify(path)}; it must be the path below which the application is, such as '/shop'.`,
    )
}
