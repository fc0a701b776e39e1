// Fills the memory store of a peer, and tells what it takes and what collecting the expired ones holds up. Needs --expose-gc.
import { randomBytes } from 'node:crypto'
import session from 'express-session'
import createMemoryStore from 'memorystore'

const [library, count] = [process.argv[2], Number(process.argv[3])]
const hour = 3_600_000

const stores = {
  // It removes what has expired when it is asked for all.
  'express-session MemoryStore': () => {
    const store = new session.MemoryStore()
    return { store, sweep: () => new Promise((resolve) => store.all(resolve)) }
  },
  memorystore: () => {
    const store = new (createMemoryStore(session))({ ttl: (options, sess) => new Date(sess.cookie.expires) - Date.now() })
    return { store, sweep: () => store.prune() }
  },
}

/** Some 220 bytes as JSON, different in each session. */
const dataOf = (index) => ({
  userId: `user-${index}`,
  theme: index % 2 === 0 ? 'dark' : 'light',
  visits: index,
  cart: [
    { sku: `mug-${index % 1000}`, qty: 1 + (index % 4) },
    { sku: `tea-${index % 777}`, qty: 1 },
  ],
  csrf: randomBytes(24).toString('base64url'),
  lastPage: `/articles/${index}/comments`,
})

const used = () => {
  globalThis.gc()
  globalThis.gc()
  const { heapUsed, external } = process.memoryUsage()
  return heapUsed + external
}

const { store, sweep } = stores[library]()
const before = used()
let payload = 0
const soon = new Date(Date.now() + 2 * hour)
const due = new Date(Date.now() + hour)
for (let index = 0; index < count; index++) {
  const data = dataOf(index)
  payload += JSON.stringify(data).length
  const expires = index % 10 === 0 ? due : soon
  store.set(
    randomBytes(24).toString('base64url'),
    { cookie: { originalMaxAge: hour, expires, httpOnly: true, path: '/' }, ...data },
    () => {},
  )
}
// Callbacks are made by setImmediate.
await new Promise((resolve) => setTimeout(resolve, 100))
const bytes = (used() - before) / count

// An hour later.
const now = Date.now
Date.now = () => now() + 1.5 * hour
const RealDate = Date
globalThis.Date = class extends RealDate {
  constructor(...args) {
    super(...(args.length === 0 ? [RealDate.now()] : args))
  }
}
const began = performance.now()
const swept = sweep()
// What the sweep does before it returns holds up every request.
const ms = performance.now() - began
await swept
const left = await new Promise((resolve, reject) => store.length((error, length) => (error ? reject(error) : resolve(length))))
console.log(JSON.stringify({ bytes, payload: payload / count, ms, left }))
