// A client of each database, made alike for everyone who is measured: by the drivers' defaults, with pools of ten connections.

/** What pg and mysql2 have by default, and MongoDB's driver is given. */
export const poolSize = 10

export const clients = {
  /** @param {string} url */
  async redis(url) {
    const { createClient } = await import('redis')
    const client = createClient({ url }).on('error', fail)
    await client.connect()
    return client
  },
  /** @param {string} url */
  async mysql(url) {
    const { createPool } = await import('mysql2/promise')
    return createPool({ uri: url, connectionLimit: poolSize })
  },
  /** @param {string} url */
  async postgres(url) {
    const { default: pg } = await import('pg')
    return new pg.Pool({ connectionString: url, max: poolSize }).on('error', fail)
  },
  /** @param {string} url */
  async mongodb(url) {
    const { MongoClient } = await import('mongodb')
    return await new MongoClient(url, { maxPoolSize: poolSize }).connect()
  },
}

/** A server that lost its database measures nothing. */
function fail(error) {
  console.error(error)
  process.exit(1)
}
