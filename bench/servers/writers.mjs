// Many requests that write into one session at once: each reads, waits for something else, and adds a key of its own.
import { setTimeout as sleep } from 'node:timers/promises'
import { withSession } from '../../dist/adapters/node.js'
import { expressSession } from './express-session.mjs'
import { sojournSessions } from './sojourn.mjs'
import { serve, settings } from './work.mjs'

/** What a handler waits for between reading and writing: a query, or another service. */
const wait = 10

/** Its connections wait while it is others' turn. */
const options = { keepAliveTimeout: 600_000, headersTimeout: 0 }

const respond = (res, value) => void res.setHeader('Content-Length', 100).end(String(value).padEnd(100))

/** @param {(req: import('node:http').IncomingMessage) => { keys?: Record<string, boolean> }} dataOf */
const handlerOf = (dataOf) => async (req, res) => {
  const data = dataOf(req)
  const [, verb, key] = req.url.split('/')
  if (verb === 'count') return respond(res, Object.keys(data.keys).length)
  if (verb === 'create') data.keys = {}
  if (verb === 'add') {
    const { keys } = data
    await sleep(wait)
    keys[key] = true
  }
  respond(res, 'done')
}

if (settings.library === 'bare') {
  serve(
    handlerOf(() => ({ keys: {} })),
    options,
  )
} else if (settings.library === 'sojourn') {
  const sessions = await sojournSessions(settings)
  serve(
    withSession(
      sessions,
      handlerOf((req) => sessions.of(req).data),
    ),
    options,
  )
} else {
  const middleware = await expressSession(settings)
  const handler = handlerOf((req) => req.session)
  serve((req, res) => middleware(req, res, (error) => void (error ? res.writeHead(500).end(String(error)) : handler(req, res))), options)
}
