import type { Store } from '../../core/store.ts'
import { redis, type RedisClient } from '../redis.ts'
import { failure } from '../redis/failure.ts'
import { connectLimit, driver, ready } from './driver.ts'
import { reading, serverUrl, takeParameter } from './url.ts'

const form = 'redis://user:password@host:6379/0?prefix=shop:'
const clusterForm = 'redis+cluster://user:password@host:6379,other:6379?prefix=shop:'

/** The part of a client that is used beside the store's. */
interface Connectable {
  readonly isOpen: boolean
  on(event: 'error', listener: () => void): unknown
  connect(): Promise<unknown>
  destroy(): void
}

export async function openRedis(text: string): Promise<Store> {
  const { createClient } = await driver('redis', () => import('redis'))
  const { url, value: prefix } = takeParameter(text, 'prefix')
  const connection = new Connection()
  const client = reading(form, () => {
    const { socket, ...endpoint } = endpointOf(serverUrl(url))
    return createClient({ ...endpoint, disableOfflineQueue: true, socket: { ...connection.socket, ...socket } })
  })
  return await connection.open(client, prefix)
}

/** One user, and all other parameters of none: nodes that are found later are like those that are named. */
export async function openCluster(text: string): Promise<Store> {
  const { createCluster } = await driver('redis', () => import('redis'))
  const { url, value: prefix } = takeParameter(text, 'prefix')
  const connection = new Connection()
  const client = reading(clusterForm, () => {
    const [, tls, user = '', hosts] = /^redis(s?)\+cluster:\/\/(?:([^@/]*)@)?([^@/?]+)\/?$/.exec(url) ?? []
    if (hosts === undefined) throw new Error('no hosts')
    const scheme = tls === '' ? 'redis' : 'rediss'
    const rootNodes = hosts.split(',').map((host) => endpointOf(new URL(`${scheme}://${host}`).href))
    const { username, password } = new URL(`redis://${user}@host`)
    return createCluster({
      rootNodes,
      defaults: {
        ...(username !== '' && { username: decodeURIComponent(username) }),
        ...(password !== '' && { password: decodeURIComponent(password) }),
        disableOfflineQueue: true,
        socket: { ...connection.socket, ...(tls !== '' && { tls: true as const }) },
      },
    })
  })
  return await connection.open(client, prefix)
}

interface Endpoint {
  readonly url?: string
  readonly username?: string
  readonly password?: string
  readonly database?: number
  readonly socket?: { readonly host: string; readonly port: number; readonly tls?: true }
}

/** What a client is made of: the URL, unless its host is an IPv6 address, which the driver does not take out of its brackets. */
function endpointOf(href: string): Endpoint {
  const { protocol, hostname, port, username, password, pathname, search } = new URL(href)
  // The driver would overlook it.
  if (search !== '') throw new Error('a parameter that nobody knows')
  const address = /^\[(.+)\]$/.exec(hostname)?.[1]
  if (address === undefined) return { url: href }
  return {
    ...(username !== '' && { username: decodeURIComponent(username) }),
    ...(password !== '' && { password: decodeURIComponent(password) }),
    ...(pathname.length > 1 && { database: Number(pathname.slice(1)) }),
    socket: { host: address, port: Number(port || '6379'), ...(protocol === 'rediss:' && { tls: true as const }) },
  }
}

class Connection {
  #wasOpen = false

  /** The first attempt tells how it went; what was connected once tries until it is again. */
  readonly socket = {
    connectTimeout: connectLimit,
    reconnectStrategy: (retries: number, cause: Error) => (this.#wasOpen ? Math.min(50 * 2 ** retries, 500) + Math.random() * 50 : cause),
  }

  async open(client: RedisClient & Connectable, prefix: string | undefined): Promise<Store> {
    // Errors of the connection are told by the verbs that fail.
    client.on('error', () => {})
    const store = redis(client, prefix === undefined ? {} : { prefix }, () => {
      if (client.isOpen) client.destroy()
    })
    return await ready(store, async () => {
      await client.connect().catch((cause: unknown) => {
        throw failure(store.name, cause)
      })
      this.#wasOpen = true
    })
  }
}
