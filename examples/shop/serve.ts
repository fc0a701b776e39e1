import { once } from 'node:events'
import { createServer } from 'node:http'
import { createShop } from './app.ts'
import { openSessions } from './sessions.ts'
import type { Settings } from './settings.ts'
import { Credentials } from './users.ts'

export interface RunningShop {
  readonly url: string
  /** What the sessions are kept in, for people to read. */
  readonly store: string
  /** Lets the requests under way finish, then puts the sessions away. */
  close(): Promise<void>
}

/** Opens the sessions and serves the shop over them. */
export async function serve(settings: Settings): Promise<RunningShop> {
  const credentials = new Credentials(settings.accounts)
  const sessions = await openSessions(settings, credentials)
  const server = createServer(createShop(sessions, credentials, settings))
  try {
    server.listen(settings.port, settings.host)
    await once(server, 'listening')
  } catch (error) {
    await sessions.close()
    throw inPlainWords(error, settings)
  }

  const address = server.address()
  const port = typeof address === 'object' && address !== null ? address.port : settings.port
  const host = settings.host.includes(':') ? `[${settings.host}]` : settings.host

  async function close(): Promise<void> {
    server.close()
    const idle = setInterval(() => server.closeIdleConnections(), 100)
    const late = setTimeout(() => server.closeAllConnections(), 5000)
    await once(server, 'close')
    clearInterval(idle)
    clearTimeout(late)
    await sessions.close()
  }

  return { url: `http://${host}:${port}`, store: withoutPassword(settings.store), close }
}

/** A server's URL without its user, password and parameters; the path of a folder or a file as it is. */
function withoutPassword(url: string): string {
  return /^(?:memory|disk|sqlite):/i.test(url) ? url : url.replace(/\/\/.*@/s, '//').replace(/\?.*$/s, '')
}

function inPlainWords(error: unknown, { host, port }: Settings): unknown {
  const code = error instanceof Error && 'code' in error ? error.code : undefined
  if (code === 'EADDRINUSE') return new Error(`port ${port} on ${host} is in use; set PORT to another one, or to 0 for any that is free.`)
  if (code === 'EACCES') return new Error(`port ${port} on ${host} may not be opened by this user; set PORT to one above 1023.`)
  return error
}
