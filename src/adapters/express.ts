import { IncomingMessage, ServerResponse } from 'node:http'
import { attachedTo, type Committable, openerOf, type Opens } from '../core/opener.ts'
import { NodeView } from '../core/request.ts'
import { isPromise } from '../core/routine.ts'
import { guardAddress } from './address.ts'
import type { CommitOptions, Original } from './gate.ts'
import { guard, hook } from './hook.ts'

export type { CommitOptions } from './gate.ts'

/** The part of an Express application, 4 or 5, that is used. */
interface Application {
  readonly request: object
  readonly response: ServerResponse
}

/** The part of an Express request that is used. */
interface ExpressRequest extends IncomingMessage {
  readonly app: object
  readonly secure: boolean
  readonly ip?: string | undefined
  originalUrl: string
}

interface ExpressResponse extends ServerResponse {
  readonly locals: Record<string, unknown>
}

/**
 * Middleware for Express 5 and 4: `app.use(session(sessions))`. The session is `sessions.of(req)`, typed, and `req.session`.
 * Whether a connection is https is what Express says: `app.set('trust proxy', …)` holds. Templates have `sessionUrl('/cart')`, the
 * same as `session.url`, where `url()` is among the transports.
 */
export function session(
  sessions: Opens<object>,
  options: CommitOptions = {},
): (req: ExpressRequest, res: ServerResponse, next: (error?: unknown) => void) => void {
  const opener = openerOf(sessions)
  return (req, res, next) => {
    if (opener.has(req)) return next()
    const original = prepare(req.app as Application)
    const view = new ExpressView(req, opener.trustProxy)
    const ready = (opened: Committable): void => {
      guard(req, res, original, opened, options)
      // For templates, which don't see the request.
      if (opener.travelsInLinks) (res as ExpressResponse).locals['sessionUrl'] = (to: string) => opened.url!(to)
      next()
    }
    try {
      const opened = opener.openFor(req, view)
      guardAddress(view, res)
      if (isPromise(opened)) opened.then(ready, next)
      else ready(opened)
    } catch (error) {
      guardAddress(view, res)
      next(error)
    }
  }
}

/** What Express knows of a request, by the application's own 'trust proxy'. */
class ExpressView extends NodeView {
  readonly #request: ExpressRequest

  constructor(request: ExpressRequest, trustProxy: boolean) {
    super(request, trustProxy)
    this.#request = request
  }

  override get secure(): boolean {
    if (super.secure) return true
    // Express looks at the connection, and at whom it trusts, for 1.5 µs: for nothing, where no proxy says anything.
    return this.header('x-forwarded-proto') !== undefined && this.#request.secure
  }

  override get address(): string | undefined {
    return this.#request.ip ?? super.address
  }

  /** `url` lacks the path that this middleware is mounted on. */
  override get url(): string | undefined {
    return this.#request.originalUrl
  }

  override hideToken(strip: (url: string) => string): void {
    super.hideToken(strip)
    const request = this.#request
    request.originalUrl = strip(request.originalUrl)
    for (const name of parsedCopies) Reflect.deleteProperty(request, name)
  }
}

/** Where Express keeps what it made of a URL, with the URL itself. */
const parsedCopies = ['_parsedUrl', '_parsedOriginalUrl']

const prepared = new WeakMap<ServerResponse, Original>()

/**
 * Hooks Express's response prototype and gives its requests a getter, once: Express sets prototypes on each request anyway, and
 * a property put on each `res` costs 5 to 8 µs. It is the one that all applications inherit from, since a request goes through
 * sub-applications, which may be mounted in several.
 */
function prepare(app: Application): Original {
  const response = ancestorOf(app.response, ServerResponse.prototype)
  const known = prepared.get(response)
  if (known !== undefined) return known
  const original = hook(response)
  Object.defineProperty(ancestorOf(app.request, IncomingMessage.prototype), 'session', {
    get(this: object) {
      return attachedTo(this)?.session
    },
    set(this: object, value: unknown) {
      Object.defineProperty(this, 'session', { value, writable: true, configurable: true, enumerable: true })
    },
    configurable: true,
  })
  prepared.set(response, original)
  return original
}

/** What an object has in its line just before Node's own prototype; the object itself where that is not in it. */
function ancestorOf<T extends object>(object: T, nodes: object): T {
  for (let at = object; ;) {
    const next = Object.getPrototypeOf(at) as T | null
    if (next === nodes) return at
    if (next === null) return object
    at = next
  }
}
