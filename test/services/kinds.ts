import { buildMongodb, buildMongodbForRaces, startMongodb, startMongodbForRaces } from './mongodb.ts'
import { startMysql } from './mysql.ts'
import { startPostgres } from './postgres.ts'
import { startRedisCluster, type RedisCluster } from './redis-cluster.ts'
import { startRedis } from './redis.ts'
import { programOf } from './requirements.ts'
import type { Server } from './server.ts'

export interface ServiceOptions {
  /**
   * Whether what was acknowledged is on the disk: for tests that kill the server. Redis then flushes its append-only file at
   * each write. FerretDB and mongod know no difference; mongo-java-server keeps nothing.
   *
   * @default true
   */
  readonly isDurable: boolean
  /** Redis Cluster: after so many ms without an answer a node counts as failed. @default 1000 */
  readonly nodeTimeout: number
  /** More arguments for the server. @default [] */
  readonly args: readonly string[]
}

interface Recipe<S extends Server> {
  /** Installs and builds what is missing. */
  readonly prepare: () => Promise<void>
  readonly start: (options: ServiceOptions) => Promise<S>
}

/** Under these variables an environment names servers that are there already; the first that is set counts. */
export const variables: Record<Kind, readonly [string, ...string[]]> = {
  redis: ['REDIS_URL'],
  'redis-cluster': ['REDIS_CLUSTER_URL'],
  mysql: ['MYSQL_URL'],
  postgres: ['POSTGRES_URL'],
  mongodb: ['MONGODB_URL'],
  'mongodb-races': ['MONGODB_RACES_URL', 'MONGODB_URL'],
}

const prepareRedis = async () => void (await programOf('redis-server'))

const prepareMysql = async () => {
  for (const program of ['mariadbd', 'mariadb-install-db', 'my_print_defaults'] as const) await programOf(program)
}

const recipe = <S extends Server>(prepare: Recipe<S>['prepare'], start: Recipe<S>['start']): Recipe<S> => ({ prepare, start })

const recipes = {
  redis: recipe(prepareRedis, startRedis),
  'redis-cluster': recipe(prepareRedis, startRedisCluster),
  mysql: recipe(prepareMysql, startMysql),
  postgres: recipe(async () => void (await programOf('postgres')), startPostgres),
  mongodb: recipe(buildMongodb, startMongodb),
  'mongodb-races': recipe(buildMongodbForRaces, startMongodbForRaces),
}

export type Kind = keyof typeof recipes
export const kinds = Object.keys(recipes) as Kind[]

export type ServerOf<K extends Kind> = K extends 'redis-cluster' ? RedisCluster : Server

let turn: Promise<void> = Promise.resolve()

/** Installs and builds what a kind of server needs, one after the other. */
export async function prepare(kind: Kind): Promise<void> {
  const mine = turn.then(recipes[kind].prepare)
  turn = mine.catch(() => {})
  await mine
}

/** Starts a server that is prepared. */
export async function start<K extends Kind>(kind: K, options: Partial<ServiceOptions> = {}): Promise<ServerOf<K>> {
  const server: Server = await recipes[kind].start({ isDurable: true, nodeTimeout: 1000, args: [], ...options })
  return server as ServerOf<K>
}
