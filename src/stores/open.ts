import { SojournError } from '../core/errors.ts'
import type { Store } from '../core/store.ts'

interface Scheme {
  readonly form: string
  /** Gets the URL and what stands after its scheme. All that it needs is loaded here, so only by those who name the scheme. */
  readonly open: (url: string, rest: string) => Promise<Store>
}

const redis: Scheme = { form: 'redis://host', open: async (url) => await (await import('./open/redis.ts')).openRedis(url) }
const cluster: Scheme = { form: 'redis+cluster://host,host', open: async (url) => await (await import('./open/redis.ts')).openCluster(url) }
const mysql: Scheme = { form: 'mysql://host/database', open: async (url) => await (await import('./open/sql.ts')).openMysql(url) }
const postgres: Scheme = { form: 'postgres://host/database', open: async (url) => await (await import('./open/sql.ts')).openPostgres(url) }
const mongodb: Scheme = { form: 'mongodb://host/database', open: async (url) => await (await import('./open/mongodb.ts')).openMongodb(url) }

const schemes: ReadonlyMap<string, Scheme> = new Map([
  ['memory', { form: 'memory:', open: async (_, rest) => (await import('./memory.ts')).memory(nothingAfter('memory:', rest)) }],
  ['disk', { form: 'disk:./path/of/a/folder', open: async (_, rest) => (await import('./disk.ts')).disk(rest) }],
  ['sqlite', { form: 'sqlite:./path/of/a/file', open: async (_, rest) => await (await import('./open/sql.ts')).openSqlite(rest) }],
  ['redis', redis],
  ['rediss', { ...redis, form: 'rediss://host' }],
  ['redis+cluster', cluster],
  ['rediss+cluster', { ...cluster, form: 'rediss+cluster://host,host' }],
  ['mysql', mysql],
  ['mariadb', { ...mysql, form: 'mariadb://host/database' }],
  ['postgres', postgres],
  ['postgresql', { ...postgres, form: 'postgresql://host/database' }],
  ['mongodb', mongodb],
  ['mongodb+srv', { ...mongodb, form: 'mongodb+srv://host/database' }],
])

/**
 * Opens the store that a URL names, such as the one in an environment variable: `disk:./.data/sessions`, `redis://localhost`,
 * `postgres://shop@localhost/shop`. Its driver is loaded, connected, and closed with the store; table, indexes or folder are made if
 * they are not there. docs/stores.md has all forms.
 *
 * For a store's options, or a client that the application has already, call its own function: `disk(path, { durability: 'flushed' })`.
 *
 * @throws SojournError (as a rejection) `ERR_SOJOURN_OPTION` for a URL of no known store, or if its driver is not installed;
 *   `ERR_SOJOURN_STORE` if its server can't be reached; and what the store itself throws. No error holds a password.
 */
export async function openStore(url: string): Promise<Store> {
  const [, scheme, rest] = /^([a-z][a-z\d+.-]{0,31}):(.*)$/is.exec(url) ?? []
  const name = scheme?.toLowerCase() ?? ''
  const known = schemes.get(name)
  // Drivers take a scheme in small letters alone.
  if (known !== undefined) return await known.open(`${name}:${rest!}`, rest!)
  const forms = Array.from(schemes.values(), ({ form }) => form).join(', ')
  throw new SojournError(
    'ERR_SOJOURN_OPTION',
    scheme === undefined
      ? `The store's URL does not begin with a scheme. Known are: ${forms}`
      : `The store's URL begins with '${scheme}:', which is no store that is known here. Known are: ${forms}`,
  )
}

function nothingAfter(form: string, rest: string): undefined {
  if (rest === '') return
  throw new SojournError('ERR_SOJOURN_OPTION', `The store's URL has something after '${form}', where nothing belongs.`)
}
