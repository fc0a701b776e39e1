import { SojournError } from '../core/errors.ts'
import { checkKeys } from '../core/check-keys.ts'
import { type RequestView, saysHttps } from '../core/request.ts'
import type { Header, Transport } from '../core/transport.ts'

export interface CookieOptions {
  /**
   * The cookie's name, without a prefix: over https it bears `__Host-` (`__Secure-` where `domain` or `path` is given), which
   * the browser holds to its word (RFC 6265bis, 4.1.3).
   * @default 'sid'
   */
  readonly name?: string | undefined
  /** Shares the session with all hosts of this domain. @default the one host that set it */
  readonly domain?: string | undefined
  /** Limits the cookie to paths below this one. @default '/' */
  readonly path?: string | undefined
  /** @default 'lax' */
  readonly sameSite?: 'lax' | 'strict' | 'none' | undefined
  /** Keeps a jar of its own for each top-level site (CHIPS). Needs https. @default false */
  readonly partitioned?: boolean | undefined
  /** `'auto'`: Secure where the connection is https; `true`: always. @default 'auto' */
  readonly secure?: 'auto' | true | undefined
}

// RFC 6265bis: user agents keep at most 4096 bytes of name and value (5.6), and no cookie for more than 400 days (5.5).
export const bytesAtMost = 4096
const longest = 400 * 86_400_000
const tokenLength = 48

const nameShape = /^[!#$%&'*+\-.^`|~\w]+$/
const attributeShape = /^[\x20-\x3a\x3c-\x7e]+$/
const domainShape = /^\.?[a-z\d](?:[a-z\d-]*[a-z\d])?(?:\.[a-z\d](?:[a-z\d-]*[a-z\d])?)*$/i

/**
 * The token in a cookie: HttpOnly always, Secure and prefixed wherever the connection is https, SameSite=Lax by default.
 *
 * @throws ERR_SOJOURN_OPTION for attributes that browsers would refuse
 */
export function cookie(options: CookieOptions = {}): Transport {
  const form = new CookieForm(options)
  return {
    name: 'cookie',
    read(request) {
      const header = request.header('cookie')
      return header === undefined ? null : readCookie(header, form.nameFor(request))
    },
    issue: (request, token, maxAge) => form.set(request, '', token, maxAge),
    clear: (request) => form.clear(request, ''),
    renews: () => true,
  }
}

/** The names and attributes of an application's session cookie, over plain http and over https. */
export class CookieForm {
  readonly #secure: 'auto' | true
  readonly #names: { readonly plain: string; readonly secure: string }
  readonly #attributes: { readonly plain: string; readonly secure: string }
  readonly #diagnostic = new Diagnostic()

  /** @throws ERR_SOJOURN_OPTION for attributes that browsers would refuse */
  constructor(options: CookieOptions) {
    checkOptions(options)
    const { name = 'sid', secure = 'auto' } = options
    const shared = options.domain !== undefined || (options.path !== undefined && options.path !== '/')
    this.#secure = secure
    this.#names = { plain: name, secure: (shared ? '__Secure-' : '__Host-') + name }
    this.#attributes = { plain: attributesOf(options, false), secure: attributesOf(options, true) }
  }

  #kind(request: RequestView): 'plain' | 'secure' {
    return this.#secure === true || request.secure ? 'secure' : 'plain'
  }

  /** How many bytes a Set-Cookie header has at most, beside the value and what follows the name. */
  get overhead(): number {
    return this.#names.secure.length + '=; Max-Age=34560000'.length + this.#attributes.secure.length
  }

  /** The cookie's full name, as this request has it. */
  nameFor(request: RequestView): string {
    return this.#names[this.#kind(request)]
  }

  /**
   * @param suffix what follows the name
   * @param maxAge how long the client may keep it, in ms; null for as long as the browser runs
   */
  set(request: RequestView, suffix: string, value: string, maxAge: number | null): Header {
    this.#diagnostic.look(request, this.#secure)
    const kind = this.#kind(request)
    const life = maxAge === null ? '' : `; Max-Age=${Math.max(1, Math.floor(Math.min(maxAge, longest) / 1000))}`
    return ['Set-Cookie', `${this.#names[kind]}${suffix}=${value}${life}${this.#attributes[kind]}`]
  }

  clear(request: RequestView, suffix: string): Header {
    const kind = this.#kind(request)
    return ['Set-Cookie', `${this.#names[kind]}${suffix}=; Max-Age=0${this.#attributes[kind]}`]
  }
}

/**
 * The value of the one cookie of this name; null where there is none. Where there are two, one was planted (a page script or a
 * sister host can set a second one), and nothing tells which: that is no token, ''.
 */
export function readCookie(header: string, name: string): string | null {
  let value: string | null = null
  for (let at = header.indexOf(name); at !== -1; at = header.indexOf(name, at + name.length)) {
    const before = header.charCodeAt(at - 1)
    const begins = at === 0 || before === semicolon || isBlank(before)
    if (!begins || header.charCodeAt(at + name.length) !== equals) continue
    if (!startsPair(header, at)) continue
    if (value !== null) return ''
    const from = at + name.length + 1
    const end = header.indexOf(';', from)
    let to = end === -1 ? header.length : end
    while (to > from && isBlank(header.charCodeAt(to - 1))) to--
    value = header.slice(from, to)
  }
  return value
}

const [semicolon, space, tab, equals] = [0x3b, 0x20, 0x09, 0x3d]

function isBlank(code: number): boolean {
  return code === space || code === tab
}

/** Whether only white space stands between here and the pair's beginning: `a=b sid=c` is one cookie named `a`. */
function startsPair(header: string, at: number): boolean {
  let i = at - 1
  while (i >= 0 && isBlank(header.charCodeAt(i))) i--
  return i < 0 || header.charCodeAt(i) === semicolon
}

function attributesOf({ domain, path, sameSite = 'lax', partitioned = false }: CookieOptions, secure: boolean): string {
  const scope = domain === undefined ? '' : `; Domain=${domain}`
  const site = { lax: 'Lax', strict: 'Strict', none: 'None' }[sameSite]
  return `${scope}; Path=${path ?? '/'}; HttpOnly; SameSite=${site}${secure ? '; Secure' : ''}${secure && partitioned ? '; Partitioned' : ''}`
}

const optionNames: readonly (keyof CookieOptions)[] = ['name', 'domain', 'path', 'sameSite', 'partitioned', 'secure']

function checkOptions(options: CookieOptions): void {
  checkKeys(options, optionNames, 'cookie.')
  const { name = 'sid', domain, path, sameSite = 'lax', secure = 'auto', partitioned } = options
  const refuse = (what: string): never => {
    throw new SojournError('ERR_SOJOURN_OPTION', what)
  }
  if (!nameShape.test(name))
    refuse(`cookie.name ${JSON.stringify(name)} is no cookie name; use letters, digits and -_. (RFC 6265bis, 4.1.1).`)
  if (/^__(?:host|secure|http)-/i.test(name))
    refuse(`cookie.name ${JSON.stringify(name)} bears a prefix already; leave it out, it is added wherever the connection is https.`)
  if (domain !== undefined && !domainShape.test(domain))
    refuse(`cookie.domain ${JSON.stringify(domain)} is no domain name; write it like 'example.com'.`)
  if (path !== undefined && !(path.startsWith('/') && attributeShape.test(path)))
    refuse(`cookie.path ${JSON.stringify(path)} is no path; it begins with '/' and has no ';' or control characters.`)
  if (!['lax', 'strict', 'none'].includes(sameSite))
    refuse(`cookie.sameSite ${JSON.stringify(sameSite)} is none of 'lax', 'strict', 'none'.`)
  if (secure !== 'auto' && secure !== true)
    refuse(
      `cookie.secure is ${JSON.stringify(secure)}; leave it out, so that the cookie is Secure wherever the connection is https, or set it to true.`,
    )
  if (sameSite === 'none' && secure !== true)
    refuse("cookie.sameSite 'none' is refused by browsers without Secure; set cookie.secure to true.")
  if (partitioned === true && secure !== true)
    refuse('cookie.partitioned is refused by browsers without Secure; set cookie.secure to true.')
  const size = `__Secure-${name}`.length + tokenLength
  if (size > bytesAtMost) refuse(`cookie.name is so long that name and value take ${size} bytes; browsers keep ${bytesAtMost} at most.`)
  for (const [attribute, value] of Object.entries({ domain, path })) {
    if ((value?.length ?? 0) > 1024)
      refuse(`cookie.${attribute} has more than 1024 bytes, and browsers leave out such an attribute (RFC 6265bis, 5.6).`)
  }
}

/** Says aloud, once, what can't work: a session cookie that the browser drops, or that is not as safe as it could be. */
class Diagnostic {
  #said = false

  look(request: RequestView, secure: 'auto' | true): void {
    if (this.#said || request.secure) return
    const behindTls = saysHttps(request)
    if (behindTls) {
      this.#say(
        'The request came over plain http, and a header X-Forwarded-Proto says that the client used https: a proxy in front ends TLS, but it is not trusted, ' +
          `so the session cookie ${secure === true ? 'may not be what the browser expects' : 'is set without Secure'}. ` +
          "Set `trustProxy: true` in createSessions() (or app.set('trust proxy', 1) in Express) if that proxy overwrites the header.",
      )
    } else if (secure === true && !isLoopback(request)) {
      this.#say(
        'A Secure session cookie was set over plain http, and the browser drops it: nobody can stay logged in. ' +
          "Serve https; or, behind a proxy that ends TLS, make it send X-Forwarded-Proto and set `trustProxy: true` in createSessions() (app.set('trust proxy', 1) in Express).",
      )
    }
  }

  #say(message: string): void {
    this.#said = true
    process.emitWarning(message, { type: 'SojournWarning', code: 'ERR_SOJOURN_INSECURE_COOKIE' })
  }
}

/** Browsers treat these hosts as safe, and keep Secure cookies that they set over http. */
function isLoopback(request: RequestView): boolean {
  const host = request.header('host') ?? ''
  return /^(?:(?:[a-z\d-]+\.)*localhost|127(?:\.\d+){3}|\[::1\])(?::\d+)?$/i.test(host)
}
