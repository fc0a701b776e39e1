// Uses the servers that the environment names through a broker of its own, once, and tells what it was given.
import setUp from '../broker.ts'
import { askPostgres } from '../postgres.ts'
import { withRedis } from '../redis.ts'
import { shared } from '../service.ts'

const tearDown = await setUp()
const [redis, postgres] = [await shared('redis'), await shared('postgres')]
await withRedis(redis.url, async (client) => await client.set(`${redis.name}:key`, 'value'))
await askPostgres(postgres.url, 'CREATE TABLE t AS SELECT 1')
await tearDown()
console.log(JSON.stringify({ redis, postgres }))
