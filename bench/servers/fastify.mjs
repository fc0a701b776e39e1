// Fastify 5: bare, with sojourn, or with a peer, each as its documentation has it.
import Fastify from 'fastify'
import { begin, find } from './by-hand.mjs'
import { sojournSessions } from './sojourn.mjs'
import { answer, initial, settings, told } from './work.mjs'

const app = Fastify()
const secret = 'thirty-two bytes for whom it may concern'

const libraries = {
  async bare() {
    return { read: () => 'dark', write: () => 'dark', create: () => {} }
  },

  async 'by hand'() {
    app.decorateRequest('session', null)
    app.addHook('onRequest', (req, reply, done) => {
      if (req.url === '/create') return done()
      req.session = find(req.raw)
      if (req.session === null) return void reply.code(401).send()
      done()
    })
    app.addHook('onSend', (req, reply, payload, done) => {
      if (req.session !== null) {
        req.session.settle()
        reply.header('Cache-Control', 'private')
      }
      done(null, payload)
    })
    return {
      read: (req) => req.session.data.theme,
      write: (req) => (req.session.data.visits += 1),
      create: (_, reply) => void reply.header('Set-Cookie', begin()),
    }
  },

  async sojourn() {
    const sessions = await sojournSessions(settings)
    const { session } = await import('../../dist/adapters/fastify.js')
    await app.register(session, { sessions })
    return {
      ...onSession,
      read: (req) => req.session.data.theme,
      write: (req) => (req.session.data.visits += 1),
      create: (req) => void (req.session.data.language = 'en'),
    }
  },

  async '@fastify/session'() {
    await app.register((await import('@fastify/cookie')).default)
    await app.register((await import('@fastify/session')).default, { secret, cookie: { secure: false }, saveUninitialized: false })
    return onSession
  },

  async '@fastify/secure-session'() {
    await app.register((await import('@fastify/secure-session')).default, { key: Buffer.alloc(32, 'k'), cookie: { path: '/' } })
    return {
      read: (req) => req.session.get('theme'),
      write(req) {
        const visits = req.session.get('visits') + 1
        req.session.set('visits', visits)
        return visits
      },
      create(req) {
        for (const [key, value] of Object.entries(initial())) req.session.set(key, value)
      },
    }
  },
}

const onSession = {
  read: (req) => req.session.theme,
  write: (req) => (req.session.visits += 1),
  create: (req) => void Object.assign(req.session, initial()),
}

const { read, write, create } = await libraries[settings.library]()
app.get('/read', (req, reply) => void reply.send(answer(read(req))))
app.get('/write', (req, reply) => void reply.send(answer(write(req))))
app.get('/create', (req, reply) => {
  create(req, reply)
  reply.send(answer('new'))
})
await app.listen({ port: 0, host: '127.0.0.1' })
told(app.server)
