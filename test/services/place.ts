import { chownSync, mkdtempSync, rmSync, statSync } from 'node:fs'
import { createServer } from 'node:net'
import { once } from 'node:events'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { watch } from './watch.ts'
import { userOf, type User } from './user.ts'

/** Where one server runs: both stay the same when it is killed and started again. */
export interface Place {
  /** Its own temporary folder, owned by `user`. */
  readonly folder: string
  readonly port: number
  /** Whom it runs as, if not as this process does. */
  readonly user: User | null
}

export async function newPlace(name: string, isRootRefused: boolean): Promise<Place> {
  const user = isRootRefused ? userOf() : null
  const folder = mkdtempSync(join(user === null ? tmpdir() : openFolder(), `sojourn-${name}-`))
  watch('+', 'folder', folder)
  if (user !== null) chownSync(folder, user.uid, user.gid)
  return { folder, port: await freePort(), user }
}

export function removePlace({ folder }: Place): void {
  rmSync(folder, { recursive: true, force: true, maxRetries: 20, retryDelay: 100 })
  watch('-', 'folder', folder)
}

/** A temporary folder that another user can reach: TMPDIR itself may be inside a private one. */
function openFolder(): string {
  return [tmpdir(), '/tmp', '/var/tmp'].find(isOpen) ?? tmpdir()
}

function isOpen(folder: string): boolean {
  const isOpenItself = (statSync(folder).mode & 0o001) !== 0
  return isOpenItself && (dirname(folder) === folder || isOpen(dirname(folder)))
}

/**
 * A free port on the loopback, below the ones that systems hand out by themselves: so nobody is given a server's port while
 * that server is down between being killed and started again.
 */
export async function freePort(): Promise<number> {
  for (let attempt = 1; ; attempt++) {
    const port = 10_000 + Math.floor(Math.random() * 20_000)
    const server = createServer()
    try {
      server.listen(port, '127.0.0.1')
      await once(server, 'listening')
      return port
    } catch (error) {
      if (attempt === 100) throw error
    } finally {
      server.close()
    }
  }
}
