import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { service } from '../../test/services/service.ts'
import { versionOfRedis, withRedis } from '../../test/services/redis.ts'
import { canPin, loadCore } from './load.ts'

export interface OpenRedis {
  readonly url: string
  readonly version: string
  /** Ends it, if it was started here. */
  close(): Promise<void>
}

/**
 * The server that `REDIS_URL` names; or else one for this run, which keeps nothing on the disk, so that it is not the disk that is
 * measured, and stays off the core of the servers.
 */
export async function openRedis(): Promise<OpenRedis> {
  const url = process.env['REDIS_URL']
  if (url) return { url, version: `${await versionOfRedis(url)} (REDIS_URL)`, close: async () => {} }
  const server = await service('redis', { isDurable: false })
  if (canPin) {
    const information = await withRedis(server.url, async (client) => await client.info('server'))
    const pid = /^process_id:(\d+)/m.exec(information)?.[1]
    if (pid === undefined) throw new Error(`${server.url} does not tell its process.`)
    await promisify(execFile)('taskset', ['--all-tasks', '--cpu-list', '--pid', String(loadCore), pid])
  }
  return { url: server.url, version: server.version, close: async () => await server.stop() }
}
