// The physical limit: what a driver alone does to read one text of a session's size, and to read and write it. No session code.
import { clients } from './clients.mjs'
import { initial } from './work.mjs'

const textOf = (/** @type {number} */ visits) => JSON.stringify({ ...initial(), visits })
const begin = '{"theme":"'.length

/** Each has its own key, as sessions have: the one that the cookie names. */
export const keyOf = (/** @type {import('node:http').IncomingMessage} */ req) => req.headers.cookie?.slice(4, 20) ?? ''

/** What R answers: cut out, since a raw read decodes nothing. */
export const themeOf = (/** @type {string} */ text) => text.slice(begin, text.indexOf('"', begin))

/**
 * @param {{ store: keyof typeof makers, url?: string, folder?: string }} settings
 * @returns {Promise<{ get(key: string): string | Promise<string>, set(key: string, text: string): Promise<unknown> }>}
 */
export async function rawStore({ store, url, folder }) {
  if (store === 'disk') return await rawDisk(folder)
  return await makers[store](await clients[store](url))
}

/** It waits for no disk, where `disk()` flushes soon after it has answered. */
async function rawDisk(folder) {
  const { open } = await import('lmdb')
  const database = open({
    path: folder,
    noSubdir: false,
    encoding: 'string',
    noSync: true,
    eventTurnBatching: false,
    txnStartThreshold: 1000,
  })
  return { get: (key) => database.get(key), set: async (key, text) => await database.put(key, text) }
}

/** @type {(visits: number) => string} */
export const payload = textOf

const makers = {
  async redis(client) {
    return { get: (key) => client.get(`raw:${key}`), set: (key, text) => client.set(`raw:${key}`, text) }
  },

  async mysql(pool) {
    await pool.query(
      'CREATE TABLE IF NOT EXISTS raw (id CHAR(16) CHARACTER SET ascii COLLATE ascii_bin PRIMARY KEY, data LONGTEXT NOT NULL)',
    )
    return {
      async get(key) {
        const [rows] = await pool.execute({ sql: 'SELECT data FROM raw WHERE id = ?', rowsAsArray: true }, [key])
        return rows[0]?.[0]
      },
      async set(key, text) {
        const [{ affectedRows }] = await pool.execute('UPDATE raw SET data = ? WHERE id = ?', [text, key])
        if (affectedRows === 0) await pool.execute('INSERT INTO raw (id, data) VALUES (?, ?)', [key, text])
      },
    }
  },

  async postgres(pool) {
    await pool.query('CREATE TABLE IF NOT EXISTS raw (id text PRIMARY KEY, data text NOT NULL)')
    return {
      async get(key) {
        const { rows } = await pool.query({ name: 'get', text: 'SELECT data FROM raw WHERE id = $1', values: [key], rowMode: 'array' })
        return rows[0]?.[0]
      },
      async set(key, text) {
        const { rowCount } = await pool.query({ name: 'set', text: 'UPDATE raw SET data = $2 WHERE id = $1', values: [key, text] })
        if (rowCount === 0) await pool.query('INSERT INTO raw (id, data) VALUES ($1, $2)', [key, text])
      },
    }
  },

  async mongodb(client) {
    const raw = client.db('bench').collection('raw')
    return {
      async get(key) {
        return (await raw.findOne({ _id: key }))?.d
      },
      async set(key, text) {
        const { matchedCount } = await raw.updateOne({ _id: key }, { $set: { d: text } })
        if (matchedCount === 0) await raw.insertOne({ _id: key, d: text })
      },
    }
  },
}
