import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Http2ServerRequest, Http2ServerResponse } from 'node:http2'
import { SojournError } from '../core/errors.ts'
import { type Committable, type Opener, openerOf, type Opens } from '../core/opener.ts'
import { NodeView } from '../core/request.ts'
import { isPromise } from '../core/routine.ts'
import { guardAddress } from './address.ts'
import type { CommitOptions, NodeResponse } from './gate.ts'
import { guardAlone } from './hook.ts'

export type { CommitOptions } from './gate.ts'

export interface SessionPluginOptions extends CommitOptions {
  /** What `createSessions()` or `sealed()` returned. */
  readonly sessions: Opens<object>
}

/** The part of a Fastify 5 application that is used. */
export interface FastifyApplication {
  addHook(name: 'onRequest', hook: (request: FastifyRequest, reply: FastifyReply, done: (error?: Error) => void) => void): unknown
  decorateRequest(name: string, value: null): unknown
}

/** The part of a Fastify request that is used. */
export interface FastifyRequest {
  readonly raw: IncomingMessage | Http2ServerRequest
  readonly protocol: string
  readonly ip: string
}

/** The part of a Fastify reply that is used. */
export interface FastifyReply {
  readonly raw: ServerResponse | Http2ServerResponse
}

/** A request as the hook sees it: with what the plugin put on it, and Node's own within. */
interface Decorated {
  readonly raw: NodeRequest
  readonly protocol: string
  readonly ip: string
  session: unknown
}

/** Node's own request. A `rewriteUrl` leaves the URL that the client sent in `originalUrl`. */
type NodeRequest = IncomingMessage & { originalUrl?: string }

const isDecorated = Symbol('sojourn.session')

/**
 * The plugin for Fastify 5: `await app.register(session, { sessions })`, before the plugins and routes that use it. The session is
 * `sessions.of(request)`, typed, and `request.session`. Whether a connection is https, and from where, is what Fastify says: its
 * option `trustProxy` holds. Where `url()` is among the transports, the application needs `rewriteUrl(sessions)` as well.
 */
export async function session(
  app: FastifyApplication & { [isDecorated]?: true },
  { sessions, ...options }: SessionPluginOptions,
): Promise<void> {
  const opener = openerOf(sessions)
  const { trustProxy, travelsInLinks } = opener
  if (app[isDecorated] === undefined) {
    // A property that each request is made with: set in the hook it changes no shape, and read it costs no look-up.
    app.decorateRequest('session', null)
    app[isDecorated] = true
  }
  const enter = (request: Decorated, res: NodeResponse, opened: Committable): void => {
    guardAlone(request.raw, res, opened, options)
    request.session ??= opened
  }
  // With `done`, since a promise would cost two turns of the microtask queue where the store answers at once.
  app.addHook('onRequest', (given, reply, done) => {
    const request = given as unknown as Decorated
    const res = reply.raw as unknown as NodeResponse
    if (opener.has(request.raw)) return done()
    const view = new FastifyView(request, trustProxy)
    try {
      if (travelsInLinks) requireRewriting(request.raw)
      const opened = opener.openFor(request.raw, view)
      guardAddress(view, res)
      if (isPromise(opened)) {
        const ready = (late: Committable): void => {
          enter(request, res, late)
          done()
        }
        opened.then(ready, (error: unknown) => done(toTell(error)))
        return
      }
      enter(request, res, opened)
    } catch (error) {
      guardAddress(view, res)
      return done(toTell(error))
    }
    done()
  })
}

// As fastify-plugin does: the hook and request.session are for the application that registers, not for a context of the plugin's own.
Object.assign(session, {
  [Symbol.for('skip-override')]: true,
  [Symbol.for('fastify.display-name')]: 'sojourn',
  [Symbol.for('plugin-meta')]: { name: 'sojourn', fastify: '5.x' },
})

/** Fastify answers an error's message to the client, who need not know what a store said of itself: the log has that as the cause. */
function toTell(error: unknown): Error {
  if (!(error instanceof SojournError)) return error as Error
  if (error.status !== 503) return error
  return new SojournError(error.code, 'The session could not be opened; try again.', { cause: error })
}

/** What clients asked for whose URL went through `rewriteUrl`: with the token, until the session is opened. */
const targets = new WeakMap<object, string>()

/**
 * For applications whose sessions can travel in links (`url()`): `Fastify({ rewriteUrl: rewriteUrl(sessions) })`. It takes the
 * token out of a request's URL before Fastify looks for its route, and before it logs the request.
 *
 * @param then the application's own `rewriteUrl`, which sees the URL without the token
 */
export function rewriteUrl<Request extends { url?: string | undefined }>(
  sessions: Opens<object>,
  then?: (request: Request) => string,
): (request: Request) => string {
  const opener: Opener<Committable> = openerOf(sessions)
  return (request) => {
    const raw = request as unknown as NodeRequest
    if (!targets.has(raw)) targets.set(raw, raw.url!)
    opener.hideToken(new NodeView(raw, opener.trustProxy))
    if (raw.originalUrl !== undefined) raw.originalUrl = raw.url!
    return then === undefined ? raw.url! : then(request)
  }
}

function requireRewriting(raw: NodeRequest): void {
  if (targets.has(raw)) return
  throw new SojournError(
    'ERR_SOJOURN_OPTION',
    'Sessions can travel in URLs here, where Fastify finds no route to a path with a token in it, and logs it; ' +
      'create the application by `Fastify({ rewriteUrl: rewriteUrl(sessions) })`, of sojourn/fastify.',
  )
}

/** What Fastify knows of a request, by the application's own `trustProxy`. */
class FastifyView extends NodeView {
  readonly #request: Decorated

  constructor(request: Decorated, trustProxy: boolean) {
    super(request.raw, trustProxy)
    this.#request = request
  }

  override get secure(): boolean {
    return this.#request.protocol === 'https' || super.secure
  }

  override get address(): string | undefined {
    return this.#request.ip ?? super.address
  }

  /** What the client asked for, whatever it was rewritten to. */
  override get url(): string | undefined {
    const { raw } = this.#request
    return targets.get(raw) ?? raw.originalUrl ?? raw.url
  }

  /** Out of Node's own request it is already. */
  override hideToken(strip: (url: string) => string): void {
    this.boreToken = true
    const { raw } = this.#request
    targets.set(raw, strip(targets.get(raw)!))
  }
}
