import { type Kind as ServiceKind, service } from '../../test/services/service.ts'
import { onLoadCore } from './cores.ts'

/** The databases that are measured, and the kind of private server that stands for each. */
export const databases = {
  redis: { name: 'Redis', kind: 'redis' },
  mysql: { name: 'MariaDB', kind: 'mysql' },
  postgres: { name: 'PostgreSQL', kind: 'postgres' },
  // Not FerretDB, where no mongod is: its updates are not atomic, and it is its own bottleneck.
  mongodb: { name: 'MongoDB', kind: 'mongodb-races' },
} as const satisfies Record<string, { name: string; kind: ServiceKind }>

export type Database = keyof typeof databases

/** What the servers of this run called themselves, for the results. */
export const versions = new Set<string>()

/** Starts a private server, that does not wait for a disk, and ends it after the work. It shares the load generator's core. */
export async function withDatabase<T>(database: Database, tell: (line: string) => void, work: (url: string) => Promise<T>): Promise<T> {
  tell(`  starting ${databases[database].name}`)
  // What is started meanwhile inherits the core.
  const server = await onLoadCore(async () => await service(databases[database].kind, { isDurable: false }))
  versions.add(server.version)
  tell(`  ${server.version}`)
  try {
    return await work(server.url)
  } finally {
    await server.stop()
  }
}
