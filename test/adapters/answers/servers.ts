import type { IncomingMessage, ServerResponse } from 'node:http'
import { setTimeout as sleep } from 'node:timers/promises'
import fastify, { type FastifyInstance } from 'fastify'
import { session } from '../../../src/adapters/fastify.ts'
import { withSession } from '../../../src/adapters/node.ts'
import type { Sessions } from '../../../src/core/sessions.ts'
import { createSessions } from '../../../src/sessions.ts'
import { listenerOf } from '../fastify-application.ts'
import { type Listening, listen } from '../server.ts'
import type { WatchedStore } from '../watched-store.ts'
import { connection, type Connection, type Protocol } from '../wire.ts'
import type { Note, Way } from './ways.ts'

export interface Data {
  count: number
}

/** What a handler noted while it answered: what was called back, which events came. */
export type Notes = string[]

/** A server whose paths answer in one way each: `/0`, `/1` and so on; any other path answers plainly, without a session. */
export interface AnsweringServer<Seen> {
  connect(): Promise<Connection<Seen>>
  /** The notes of the next request that is asked in this way, once its handler is through and its response closed. */
  notes(way: Way): Promise<Notes>
  close(): Promise<void>
}

type Listener = (req: IncomingMessage, res: ServerResponse) => void

/** How an adapter serves handlers of Node's own requests and responses. */
export interface Serving {
  readonly adapter: string
  /** Without sojourn. */
  bare(listener: Listener, http2: boolean): Promise<Listening>
  withSessions(sessions: Sessions<Data>, handler: (req: IncomingMessage, res: ServerResponse) => void, http2: boolean): Promise<Listening>
}

export const servings: readonly Serving[] = [
  {
    adapter: 'withSession',
    bare: (listener, http2) => listen(listener, { http2 }),
    withSessions: (sessions, handler, http2) => listen(withSession(sessions, handler), { http2 }),
  },
  {
    adapter: 'Fastify 5',
    bare: (listener, http2) => listen(listenerOf(answeringRaw(fastify(), listener)), { http2 }),
    async withSessions(sessions, handler, http2) {
      const app = fastify()
      await app.register(session, { sessions })
      return await listen(listenerOf(answeringRaw(app, handler)), { http2 })
    },
  },
]

/** Fastify leaves the answer to the handler; its own ways of answering are in fastify-answers.test.ts. */
function answeringRaw(app: FastifyInstance, answer: Listener): FastifyInstance {
  app.all('/*', (request, reply) => {
    reply.hijack()
    answer(request.raw, reply.raw)
  })
  return app
}

/** A server without sojourn, to compare with. */
export async function bareServer(serving: Serving, protocol: Protocol, ways: readonly Way[]): Promise<AnsweringServer<null>> {
  const book = new NoteBook(ways)
  const listening = await serving.bare((req, res) => book.answer(req, res), protocol === 'http2')
  return answering(protocol, listening, book, () => null)
}

/** The same ways of answering, each after a change to the session. */
export async function sessionServer(
  serving: Serving,
  protocol: Protocol,
  ways: readonly Way[],
  store: WatchedStore,
): Promise<AnsweringServer<ReadonlyMap<string, string>>> {
  const sessions = createSessions<Data>({ store, initial: () => ({ count: 0 }) })
  sessions.on('error', () => {})
  const book = new NoteBook(ways)
  const handler: Listener = (req, res) => {
    if (book.wayOf(req) !== undefined) sessions.of(req).data.count += 1
    book.answer(req, res)
  }
  const look = (): ReadonlyMap<string, string> => new Map([...store.acknowledged].map(([id, { data }]) => [id, data]))
  const server = answering(protocol, await serving.withSessions(sessions, handler, protocol === 'http2'), book, look)
  return { ...server, close: () => server.close().then(() => sessions.close()) }
}

class NoteBook {
  readonly #ways: readonly Way[]
  readonly #waiting = new Map<Way, ((notes: Notes | Promise<Notes>) => void)[]>()

  constructor(ways: readonly Way[]) {
    this.#ways = ways
  }

  wayOf({ url = '' }: IncomingMessage): Way | undefined {
    return this.#ways[Number(url.slice(1) || -1)]
  }

  answer(req: IncomingMessage, res: ServerResponse): void {
    const way = this.wayOf(req)
    if (way === undefined) {
      res.end('plain')
      return
    }
    const notes: Notes = []
    const note: Note = (what) => void notes.push(what)
    res.on('error', (error: NodeJS.ErrnoException) => note(`error ${error.code}`))
    res.on('finish', () => note('finish'))
    const closed = new Promise((resolve) => res.once('close', resolve))
    const handled = (async () => await way.answer(req, res, note))()
    const through = Promise.all([handled, closed])
      .then(() => sleep(0))
      .then(() => notes)
    const hung = sleep(5000, undefined, { ref: false }).then(() => Promise.reject(new Error(`hung; noted so far: ${notes.join(', ')}`)))
    const settled = Promise.race([through, hung])
    settled.catch(() => {})
    this.#waiting.get(way)?.shift()?.(settled)
  }

  notes(way: Way): Promise<Notes> {
    const waiting = this.#waiting.get(way) ?? []
    this.#waiting.set(way, waiting)
    return new Promise((resolve) => waiting.push(resolve))
  }
}

function answering<Seen>(protocol: Protocol, { port, close }: Listening, book: NoteBook, look: () => Seen): AnsweringServer<Seen> {
  return { connect: () => connection(protocol, port, look), notes: (way) => book.notes(way), close }
}
