// The work that every server does, whatever keeps its sessions.
import { createServer } from 'node:http'

/** The data of a session: some 300 bytes as JSON. */
export const initial = () => ({
  theme: 'dark',
  visits: 0,
  language: 'en-GB',
  currency: 'EUR',
  country: 'Great Britain',
  cart: [
    { sku: 'mug-large-blue', qty: 2 },
    { sku: 'tea-assam-250', qty: 1 },
    { sku: 'kettle-1700-steel', qty: 1 },
    { sku: 'spoon-set-6', qty: 3 },
  ],
  seen: ['mug-large-blue', 'mug-small-red', 'tea-assam-250', 'tea-sencha-100'],
})

/** Every answer has 100 bytes, and begins with what was read or written. */
export const answer = (/** @type {string | number} */ value) => `${value} `.padEnd(100, '.')

/**
 * A server on Node's own http.
 *
 * @param {{ create: Handler, read: Handler, write: Handler }} handlers
 * @typedef {(req: import('node:http').IncomingMessage, res: import('node:http').ServerResponse, session?: any) => unknown} Handler
 */
export const byPath =
  ({ create, read, write }) =>
  /** @type {Handler} */
  (req, res, session) => {
    if (req.url === '/read') return read(req, res, session)
    if (req.url === '/write') return write(req, res, session)
    return create(req, res, session)
  }

/**
 * Listens, and tells the port to the process that started this one.
 *
 * @param {import('node:http').RequestListener} listener
 * @param {import('node:http').ServerOptions} [options]
 */
export function serve(listener, options = {}) {
  const server = createServer(options, listener)
  server.listen(0, '127.0.0.1', () => told(server))
}

/**
 * Tells the port to the process that started this one, answers what that asks, and ends with it.
 *
 * @param {import('node:http').Server} server that listens
 */
export function told(server) {
  answerQuestions(() => {
    const { user, system } = process.cpuUsage()
    return user + system
  })
  const { port } = /** @type {import('node:net').AddressInfo} */ (server.address())
  if (process.send !== undefined) return process.send({ port })
  // Started by hand, to be profiled: profiles are written at the exit.
  console.log(`http://127.0.0.1:${port}`)
  process.once('SIGINT', () => process.exit())
}

/** @param {() => number | Promise<number>} cpu what has been used of processors until now, in µs */
export function answerQuestions(cpu) {
  process.on('message', async (message) => {
    if (message === 'cpu') process.send?.({ cpu: await cpu() })
  })
  process.on('disconnect', () => process.exit())
}

/** What this server was asked to be: `{ library, store, url, … }`. */
export const settings = JSON.parse(process.argv[2] ?? '{}')
