import { SojournError } from './errors.ts'
import type { Via } from './head.ts'
import type { RequestView } from './request.ts'
import type { Transport, TransportName } from './transport.ts'

const names: ReadonlySet<unknown> = new Set<TransportName>(['cookie', 'url', 'header'])

/** An application's transports, in the order in which a request is asked for a token: `url` behind `cookie` in any case. */
export class Transports {
  readonly first: Transport
  readonly others: readonly Transport[]
  /** The one that puts the token into links, where there is one. */
  readonly url: Transport | null
  readonly #all: readonly Transport[]
  /** Those by which a client of which nothing is known yet is handed its session. */
  readonly #untried: readonly Transport[]

  /** @throws ERR_SOJOURN_OPTION for none, for two of a kind, for what is no transport */
  constructor(all: readonly Transport[]) {
    check(all)
    const ordered = urlBehindCookie(all)
    this.#all = ordered
    this.first = ordered[0]!
    this.others = ordered.slice(1)
    this.url = all.find(({ name }) => name === 'url') ?? null
    // A token in a header can be read by a page's scripts: only who asks for it is given one, unless there is no other way.
    this.#untried = all.length === 1 ? all : all.filter(({ name }) => name !== 'header')
  }

  /**
   * How a new session is handed out, as its record keeps it.
   *
   * @param by the transport that is known to work for this client; null when none is
   */
  viaOf(request: RequestView, by: Transport | null): Via {
    const one = by ?? this.#all.find((transport) => transport.isAskedFor?.(request)) ?? null
    if (one !== null) return one.name
    return this.#untried.length === 1 ? this.#untried[0]!.name : 'either'
  }

  /** Those by which a token goes out to a session that is reached in this way. */
  *of(via: Via): Generator<Transport, void> {
    for (const transport of this.#all) if (transport.name === via || (via === 'either' && transport.name !== 'header')) yield transport
  }
}

/** A link that somebody pastes must not lead a visitor out of the session that his cookie opens. */
function urlBehindCookie(all: readonly Transport[]): readonly Transport[] {
  const [url, cookie] = ['url', 'cookie'].map((name) => all.findIndex((transport) => transport.name === name)) as [number, number]
  if (url === -1 || url > cookie) return all
  return all.toSpliced(cookie + 1, 0, all[url]!).toSpliced(url, 1)
}

function check(all: unknown): asserts all is readonly Transport[] {
  const given: unknown[] = Array.isArray(all) ? all : []
  const found = given.map((one) => (typeof one === 'object' && one !== null && 'name' in one ? one.name : undefined))
  if (found.length > 0 && found.every((name, i) => names.has(name) && found.indexOf(name) === i)) return
  throw new SojournError(
    'ERR_SOJOURN_OPTION',
    'transports must be a list of cookie(), url() and header(), each at most once, such as [cookie(), url()].',
  )
}
