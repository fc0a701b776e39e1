// The work of the benchmark on node:http: node sojourn.mjs bare|memory|redis PORT. REDIS_URL names the server of the mode redis.
import { createServer } from 'node:http'
import { createClient } from 'redis'
import { withSession } from '../../dist/adapters/node.js'
import { createSessions } from '../../dist/index.js'
import { memory } from '../../dist/stores/memory.js'
import { redis } from '../../dist/stores/redis.js'

const [mode = '', port] = process.argv.slice(2)

// The data of a session, as bench/languages/README.md has it.
const initial = () => ({
  theme: 'dark',
  visits: 0,
  language: 'en-GB',
  currency: 'EUR',
  cart: [
    { sku: 'mug-large-blue', qty: 2 },
    { sku: 'tea-assam-250', qty: 1 },
    { sku: 'kettle-1700-steel', qty: 1 },
    { sku: 'spoon-set-6', qty: 3 },
  ],
  seen: ['mug-large-blue', 'mug-small-red', 'tea-assam-250', 'tea-sencha-100'],
})

/** 100 bytes, which begin with the value. */
const answer = (/** @type {string | number} */ value) => `${value} `.padEnd(100, '.')

const stores = {
  memory: async () => memory(),
  async redis() {
    const client = createClient({ url: process.env.REDIS_URL }).on('error', (error) => {
      throw error
    })
    await client.connect()
    return redis(client)
  },
}

function bare() {
  let visits = 0
  return (/** @type {import('node:http').IncomingMessage} */ req, /** @type {import('node:http').ServerResponse} */ res) =>
    void res.end(answer(req.url === '/r' ? 'dark' : ++visits))
}

async function withSessions(/** @type {() => Promise<import('../../dist/index.js').Store>} */ store) {
  const sessions = createSessions({ store: await store() })
  return withSession(sessions, (req, res, session) => {
    const { data } = session
    if (req.url === '/r') return void res.end(answer(data.theme))
    if (req.url === '/w') return void res.end(answer((data.visits += 1)))
    Object.assign(data, initial())
    res.end(answer('new'))
  })
}

const listener = mode === 'bare' ? bare() : await withSessions(stores[mode])
createServer(listener).listen(Number(port), '127.0.0.1')
