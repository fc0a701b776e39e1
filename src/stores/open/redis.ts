import type { Store } from '../../core/store.ts'
import { redis, type RedisClient } from '../redis.ts'
import { failure } from '../redis/failure.ts'
import { connectLimit, driver, ready } from './driver.ts'
import { reading, serverUrl, takeParameter } from './url.ts'

export const form = 'redis://user:password@host:6379/0?prefix=shop:'
export const clusterForm = 'redis+cluster://user:password@host:6379,other:6379?prefix=shop:'

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
  const client = reading(form, () => createClient({ url: serverUrl(url), disableOfflineQueue: true, socket: connection.socket }))
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
    const rootNodes = hosts.split(',').map((host) => ({ url: new URL(`${scheme}://${host}`).href }))
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
