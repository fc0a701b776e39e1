// Express 5: bare, with sojourn as its documentation has it, or with a peer as its own has it.
import express from 'express'
import { session } from '../../dist/adapters/express.js'
import { begin, beginIn, find, findIn, settleBefore } from './by-hand.mjs'
import { expressSession } from './express-session.mjs'
import { rawStore } from './raw.mjs'
import { openSeal, sealOf } from './sealed-by-hand.mjs'
import { sojournSessions } from './sojourn.mjs'
import { answer, initial, serve, settings } from './work.mjs'

const app = express()
const secret = 'thirty-two bytes for whom it may concern'

const libraries = {
  async bare() {
    return { read: () => 'dark', write: () => 'dark', create: () => {} }
  },

  async 'by hand'() {
    app.use((req, res, next) => {
      if (req.url === '/create') return next()
      req.session = find(req)
      if (req.session === null) return void res.status(401).end()
      settleBefore(res, req.session)
      next()
    })
    return {
      read: (req) => req.session.data.theme,
      write: (req) => (req.session.data.visits += 1),
      create: (_, res) => void res.setHeader('Set-Cookie', begin()),
    }
  },

  /** The same in a database or on disk: one read for a request, one write for what changed, each awaited. */
  async 'by hand, stored'() {
    const store = await rawStore(settings)
    const opened = async (req, res) => {
      res.setHeader('Cache-Control', 'private')
      return await findIn(store, req)
    }
    return {
      read: async (req, res) => (await opened(req, res)).data.theme,
      async write(req, res) {
        const session = await opened(req, res)
        const visits = (session.data.visits += 1)
        await session.keep()
        return visits
      },
      create: async (_, res) => void res.setHeader('Set-Cookie', await beginIn(store)),
    }
  },

  async 'sealed by hand'() {
    const keep = (res, data) => void res.setHeader('Cache-Control', 'no-store').setHeader('Set-Cookie', sealOf(data))
    return {
      read: (req, res) => (res.setHeader('Cache-Control', 'private'), openSeal(req).theme),
      write(req, res) {
        const data = openSeal(req)
        data.visits += 1
        keep(res, data)
        return data.visits
      },
      create: (_, res) => keep(res, initial()),
    }
  },

  async sojourn() {
    const sessions = await sojournSessions(settings)
    app.use(session(sessions))
    return {
      read: (req) => sessions.of(req).data.theme,
      write: (req) => (sessions.of(req).data.visits += 1),
      create: (req) => void (sessions.of(req).data.language = 'en'),
    }
  },

  async 'express-session'() {
    app.use(await expressSession(settings))
    return onSession
  },

  async 'cookie-session'() {
    const { default: cookieSession } = await import('cookie-session')
    app.use(cookieSession({ secret }))
    return onSession
  },

  async 'iron-session'() {
    const { getIronSession } = await import('iron-session')
    const opened = async (req, res) =>
      await getIronSession(req, res, { password: secret, cookieName: 'sid', cookieOptions: { secure: false } })
    return {
      read: async (req, res) => (await opened(req, res)).theme,
      async write(req, res) {
        const session = await opened(req, res)
        session.visits += 1
        await session.save()
        return session.visits
      },
      async create(req, res) {
        const session = await opened(req, res)
        Object.assign(session, initial())
        await session.save()
      },
    }
  },
}

const onSession = {
  read: (req) => req.session.theme,
  write: (req) => (req.session.visits += 1),
  create: (req) => void Object.assign(req.session, initial()),
}

const { read, write, create } = await libraries[settings.library === 'sealed' ? 'sojourn' : settings.library]()
// Those that answer later.
if (settings.library === 'iron-session' || settings.library === 'by hand, stored') {
  app.get('/read', async (req, res) => void res.send(answer(await read(req, res))))
  app.get('/write', async (req, res) => void res.send(answer(await write(req, res))))
} else {
  app.get('/read', (req, res) => void res.send(answer(read(req, res))))
  app.get('/write', (req, res) => void res.send(answer(write(req, res))))
}
app.get('/create', async (req, res) => {
  await create(req, res)
  res.send(answer('new'))
})
serve(app)
