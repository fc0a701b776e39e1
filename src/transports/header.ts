import { SojournError } from '../core/errors.ts'
import { checkKeys } from '../core/check-keys.ts'
import type { RequestView } from '../core/request.ts'
import type { Transport } from '../core/transport.ts'

export interface HeaderOptions {
  /** A header of your own, which then carries the token both ways. @default Authorization: Bearer, answered by Session-Token */
  readonly name?: string | undefined
}

const nameShape = /^[!#$%&'*+\-.^`|~\w]{1,128}$/
/** What HTTP, browsers or proxies read something else in, or write themselves. */
const taken = new RegExp(
  `^(?:${[
    'accept(?:-.*)?|access-control-.*|age|allow|alt-svc|authorization|cache-control|clear-site-data|connection|content-.*|cookie2?',
    'cross-origin-.*|date|etag|expect|expires|forwarded|from|host|if-.*|keep-alive|last-modified|link|location|max-forwards|origin(?:-.*)?',
    'permissions-policy|pragma|prefer(?:ence-applied)?|proxy-.*|range|referer|referrer-policy|refresh|retry-after|sec-.*|server(?:-timing)?',
    'set-cookie2?|strict-transport-security|te|trailer|transfer-encoding|upgrade(?:-.*)?|user-agent|vary|via|warning|www-authenticate',
    'x-(?:content-type-options|forwarded-.*|frame-options|powered-by|real-ip|xss-protection)',
  ].join('|')})$`,
  'i',
)
const bearer = /^bearer(?: +|$)/i

/**
 * The token in a header, for API clients and mobile applications: `Authorization: Bearer …`, or a header of your own. A new token
 * (at login, or when the session is first stored) is answered in `Session-Token`, or in your own header.
 *
 * A client says by the header Prefer (RFC 7240) what it wants: `session-token` to be given its session this way, where another
 * transport stands beside; `session-renewal` to be given new secrets as they fall due, which it must then keep.
 *
 * @throws ERR_SOJOURN_OPTION for a name that is none, or is another header's
 */
export function header(options: HeaderOptions = {}): Transport {
  checkOptions(options)
  const { name } = options
  const asked = name?.toLowerCase() ?? 'authorization'
  const answered = name ?? 'Session-Token'

  return {
    name: 'header',
    read(request) {
      const value = request.header(asked)
      if (value === undefined) return null
      // Credentials of another scheme are none of ours; a proxy may ask for them.
      const scheme = name === undefined ? bearer.exec(value) : null
      if (name === undefined && scheme === null) return null
      if (request.countOf(asked) !== 1) return ''
      return scheme === null ? value : value.slice(scheme[0].length)
    },
    issue: (_request, token) => [answered, token],
    clear: () => [answered, ''],
    renews: (request) => prefers(request, 'session-renewal'),
    isAskedFor: (request) => prefers(request, 'session-token'),
  }
}

/** Whether the client wishes for this by the header Prefer (RFC 7240): a list of names, some with a value or parameters. */
export function prefers(request: RequestView, wish: string): boolean {
  const list = request.header('prefer')
  return list !== undefined && list.split(',').some((one) => one.split(';', 1)[0]!.trim().toLowerCase() === wish)
}

function checkOptions(options: HeaderOptions): void {
  checkKeys(options, ['name'], 'header.')
  const { name } = options
  if (name === undefined || (typeof name === 'string' && nameShape.test(name) && !taken.test(name))) return
  throw new SojournError(
    'ERR_SOJOURN_OPTION',
    `header.name is ${JSON.stringify(name)}; it must be a header's name that means nothing else, such as 'X-Session', or be left out for Authorization: Bearer.`,
  )
}
