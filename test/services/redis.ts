import { Redis } from 'ioredis'
import { programOf } from './requirements.ts'
import { startServer, type Server } from './server.ts'
import type { ServiceOptions } from './kinds.ts'

export async function startRedis(options: ServiceOptions): Promise<Server> {
  const redis = await programOf('redis-server')
  return await startServer({
    name: 'redis',
    command: ({ folder, port }) => [redis, ...redisArguments(folder, port, options)],
    url: ({ port }) => `redis://127.0.0.1:${port}`,
    probe: versionOfRedis,
  })
}

export function redisArguments(folder: string, port: number, { isDurable, args }: ServiceOptions): string[] {
  const kept = isDurable ? ['--appendonly', 'yes', '--appendfsync', 'always'] : ['--appendonly', 'no']
  return ['--bind', '127.0.0.1', '--port', String(port), '--dir', folder, '--save', '', ...kept, ...args]
}

export async function versionOfRedis(url: string): Promise<string> {
  return await withRedis(url, async (client) => {
    await client.ping() // It is refused while data are being loaded; INFO is not.
    const information = await client.info('server')
    const [, valkey] = /^valkey_version:(\S+)/m.exec(information) ?? []
    const [, redis] = /^redis_version:(\S+)/m.exec(information) ?? []
    return valkey === undefined ? `Redis ${redis}` : `Valkey ${valkey}`
  })
}

export async function withRedis<T>(url: string, work: (client: Redis) => Promise<T>): Promise<T> {
  const client = new Redis(url, { lazyConnect: true, connectTimeout: 2000, retryStrategy: () => null, maxRetriesPerRequest: 0 })
  client.on('error', () => {})
  try {
    await client.connect()
    return await work(client)
  } finally {
    client.disconnect()
  }
}
