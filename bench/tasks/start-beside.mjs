// A fresh process that has node:http, as every server does by then: how long the import of a library takes, and the call that makes its
// sessions, where that needs no application.

/** @type {Record<string, () => Promise<unknown>>} */
const libraries = {
  async sojourn() {
    const { createSessions } = await import('../../dist/index.js')
    const { session } = await import('../../dist/adapters/express.js')
    return session(createSessions())
  },
  async 'express-session'() {
    const { default: session } = await import('express-session')
    return session({ secret: 'x'.repeat(32), resave: false, saveUninitialized: false })
  },
  async 'cookie-session'() {
    const { default: session } = await import('cookie-session')
    return session({ keys: ['x'.repeat(32)] })
  },
  '@fastify/session': async () => await import('@fastify/session'),
  'iron-session': async () => await import('iron-session'),
}

await import('node:http')
const began = performance.now()
await libraries[process.argv[2] ?? '']()
console.log(JSON.stringify({ start: performance.now() - began }))
process.exit()
