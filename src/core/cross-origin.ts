import { SojournError } from './errors.ts'
import type { Events } from './events.ts'
import type { RequestView } from './request.ts'

export interface CrossOriginOptions {
  /**
   * Other origins whose pages may send unsafe requests here, and open WebSockets: 'https://accounts.example.com', as browsers write an origin. An identity
   * provider that answers by a form is one; so is this site itself behind a proxy that rewrites Host.
   * @default none
   */
  readonly trusted?: readonly string[] | undefined
}

/** scheme://host[:port], as a browser writes an origin. */
const originShape = /^https?:\/\/([^\s/\\?#@]+)$/

/**
 * Whether another site made the visitor's browser send this request, as far as browsers tell: the rule of Go's
 * http.CrossOriginProtection. What is no browser sends neither header, and passes; so does a safe method, which must change nothing.
 * A WebSocket's handshake is a GET, and no safe one: any site's page may begin it, with the visitor's cookies, and read what comes back.
 *
 * X-Forwarded-Host is never asked, behind a trusted proxy neither: many proxies pass on what a client wrote there.
 */
export function isCrossOrigin(request: RequestView, trusted: ReadonlySet<string>): boolean {
  const { method } = request
  if (method === undefined) return false
  if ((method === 'GET' || method === 'HEAD' || method === 'OPTIONS') && !beginsWebSocket(request)) return false
  const site = request.header('sec-fetch-site')
  if (site === 'same-origin' || site === 'none') return false
  const origin = request.header('origin')
  if (origin !== undefined && trusted.has(origin)) return false
  if (site !== undefined) return true
  // An older browser, or plain http. 'null', which sandboxed pages and some privacy settings send, has no host.
  return origin !== undefined && !isAtHost(origin, request.host)
}

/** The header Upgrade is a list of protocols, with versions. */
function beginsWebSocket(request: RequestView): boolean {
  const upgrade = request.header('upgrade')
  return upgrade !== undefined && /\bwebsocket\b/i.test(upgrade)
}

function isAtHost(origin: string, host: string | undefined): boolean {
  const named = originShape.exec(origin)?.[1]
  return named !== undefined && named.toLowerCase() === host?.toLowerCase()
}

/** @throws ERR_SOJOURN_CROSS_ORIGIN for a request that another site made the browser send, and tells of it */
export function refuseCrossOrigin(events: Events, request: RequestView, trusted: ReadonlySet<string>): void {
  if (!isCrossOrigin(request, trusted)) return
  const method = request.method!
  const named = request.header('origin')
  // What is none, however long, stays out of logs.
  const origin = named !== undefined && named.length <= 300 && originShape.test(named) ? named : null
  events.emit('refused', { method, origin })
  throw new SojournError(
    'ERR_SOJOURN_CROSS_ORIGIN',
    `This ${method} request came from ${origin ?? 'another site'}, so it was not carried out; ` +
      'if requests from there are meant to be, name that origin in crossOrigin.trusted.',
  )
}

/**
 * The origins that are trusted, or null where nothing is refused.
 *
 * @throws ERR_SOJOURN_OPTION for what no browser would ever send as an origin
 */
export function resolveTrusted(options: CrossOriginOptions | false | undefined): ReadonlySet<string> | null {
  if (options === false) return null
  if (options !== undefined && (typeof options !== 'object' || options === null || !Array.isArray(options.trusted ?? []))) {
    throw new SojournError(
      'ERR_SOJOURN_OPTION',
      `crossOrigin is ${JSON.stringify(options)}; it must be { trusted: ['https://accounts.example.com'] }, or false to let every site send requests.`,
    )
  }
  const trusted = options?.trusted ?? []
  for (const [i, origin] of trusted.entries()) {
    const isOrigin = typeof origin === 'string' && originShape.test(origin) && !origin.includes('*')
    const written = isOrigin && URL.canParse(origin) ? new URL(origin).origin : null
    if (written !== null && written === origin) continue
    throw new SojournError(
      'ERR_SOJOURN_OPTION',
      `crossOrigin.trusted[${i}] is ${JSON.stringify(origin)}, which is no origin as browsers send it; write ` +
        (written === null ? "scheme, host and port alone, such as 'https://accounts.example.com'." : `'${written}'.`),
    )
  }
  return new Set(trusted)
}
