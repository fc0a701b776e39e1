// Node's own http: bare, with a raw store, with sojourn, or with a peer.
import { withSession } from '../../dist/adapters/node.js'
import { begin, find, settleBefore } from './by-hand.mjs'
import { expressSession } from './express-session.mjs'
import { keyOf, payload, rawStore, themeOf } from './raw.mjs'
import { sojournSessions } from './sojourn.mjs'
import { answer, byPath, initial, serve, settings } from './work.mjs'

const privately = ['Cache-Control', 'private']
const send = (res, value) => void res.end(answer(value))

const servers = {
  async bare() {
    return byPath({ create: (_, res) => send(res, 'new'), read: (_, res) => send(res, 'dark'), write: (_, res) => send(res, 'dark') })
  },

  async 'by hand'() {
    const opened = (work) => (req, res) => {
      const session = find(req)
      if (session === null) return res.writeHead(401).end()
      settleBefore(res, session)
      send(res, work(session))
    }
    return byPath({
      create: (_, res) => send(res.setHeader('Set-Cookie', begin()), 'new'),
      read: opened((session) => session.data.theme),
      write: opened((session) => (session.data.visits += 1)),
    })
  },

  /** The least with a near-cache: read in memory; what changed is set in the store before it is answered. */
  async 'by hand, near'() {
    const store = await rawStore(settings)
    const failing = (res) => (error) => (console.error(error), res.writeHead(500).end())
    return byPath({
      create(_, res) {
        const cookie = begin()
        store.set(cookie.slice(4, 20), payload(0)).then(() => send(res.setHeader('Set-Cookie', cookie), 'new'), failing(res))
      },
      read: (req, res) => send(res.writeHead(200, privately), find(req).data.theme),
      write(req, res) {
        const session = find(req)
        const visits = (session.data.visits += 1)
        store.set(keyOf(req), session.settle()).then(() => send(res.writeHead(200, privately), visits), failing(res))
      },
    })
  },

  async raw() {
    const store = await rawStore(settings)
    let count = 0
    let last = 0
    const failing = (res, work) => work.catch((error) => (console.error(error), res.writeHead(500).end()))
    return byPath({
      create: (_, res) => {
        const key = String(++last).padStart(16, '0')
        failing(
          res,
          store.set(key, payload(0)).then(() => send(res.setHeader('Set-Cookie', `raw=${key}`), 'new')),
        )
      },
      read: (req, res) =>
        failing(
          res,
          store.get(keyOf(req)).then((text) => send(res, themeOf(text))),
        ),
      write: (req, res) => {
        const write = async () => {
          const key = keyOf(req)
          themeOf(await store.get(key))
          const next = ++count
          await store.set(key, payload(next))
          send(res, next)
        }
        failing(res, write())
      },
    })
  },

  async sojourn() {
    const sessions = await sojournSessions(settings)
    return withSession(
      sessions,
      byPath({
        create: (_, res, session) => (
          (session.data.visits = 0),
          (session.data.theme = 'dark'),
          (session.data.language = 'en'),
          send(res, 'new')
        ),
        read: (_, res, session) => send(res, session.data.theme),
        write: (_, res, session) => send(res, (session.data.visits += 1)),
      }),
    )
  },

  async 'express-session'() {
    const middleware = await expressSession(settings)
    const handler = byPath({
      create: (req, res) => (Object.assign(req.session, initial()), send(res, 'new')),
      read: (req, res) => send(res, req.session.theme),
      write: (req, res) => send(res, (req.session.visits += 1)),
    })
    return (req, res) => middleware(req, res, (error) => (error ? res.writeHead(500).end(String(error)) : handler(req, res)))
  },
}

serve(await servers[settings.library]())
