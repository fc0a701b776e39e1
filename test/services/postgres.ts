import { dirname, join } from 'node:path'
import { Client } from 'pg'
import { runAt } from './programs.ts'
import { programOf } from './requirements.ts'
import { startServer, type Server } from './server.ts'
import type { ServiceOptions } from './kinds.ts'

export async function startPostgres({ isDurable, args }: ServiceOptions): Promise<Server> {
  const postgres = await programOf('postgres')
  const initdb = join(dirname(postgres), 'initdb')
  const sync = isDurable ? [] : ['-c', 'fsync=off', '-c', 'synchronous_commit=off', '-c', 'full_page_writes=off']
  const limits = ['-c', 'max_connections=300', '-c', 'shared_buffers=64MB']
  return await startServer({
    name: 'postgres',
    isRootRefused: true,
    async prepare(place) {
      await runAt(place, initdb, '-D', 'data', '-U', 'postgres', '-E', 'UTF8', '--locale=C', '--auth=trust', '--no-sync')
    },
    command({ port, folder }) {
      const network = ['-h', '127.0.0.1', '-p', String(port), '-c', 'unix_socket_directories=']
      return [postgres, '-D', join(folder, 'data'), ...network, ...limits, ...sync, ...args]
    },
    url: ({ port }) => `postgres://postgres@127.0.0.1:${port}/postgres`,
    probe: versionOfPostgres,
  })
}

export async function versionOfPostgres(url: string): Promise<string> {
  const rows = await askPostgres(url, 'SHOW server_version')
  return `PostgreSQL ${String(rows[0]?.['server_version']).replace(/ .*/, '')}`
}

export async function askPostgres(url: string, statement: string): Promise<Record<string, unknown>[]> {
  const client = new Client({ connectionString: url, connectionTimeoutMillis: 2000 })
  // A connection that breaks off between two statements is told by an event.
  client.on('error', () => {})
  try {
    await client.connect()
    const { rows } = await client.query<Record<string, unknown>>(statement)
    return rows
  } finally {
    await client.end()
  }
}
