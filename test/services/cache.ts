import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { say } from '../../scripts/setup.mjs'

const cache = fileURLToPath(new URL('../../node_modules/.cache/sojourn-services', import.meta.url))

/**
 * What was built from these files before, or else is built now.
 *
 * @param build makes the folder or file whose path it is given
 */
export async function built(name: string, sources: readonly URL[], told: string, build: (path: string) => Promise<void>): Promise<string> {
  const hash = createHash('sha256')
  for (const source of sources) hash.update(readFileSync(source)).update('\0')
  const path = join(cache, `${name}-${hash.digest('hex').slice(0, 12)}`)
  if (existsSync(path)) return path
  mkdirSync(cache, { recursive: true })
  const fresh = `${path}.${process.pid}`
  say(told)
  try {
    await build(fresh)
    // Another process may have been quicker: then its work stands.
    if (!existsSync(path)) renameSync(fresh, path)
  } finally {
    rmSync(fresh, { recursive: true, force: true })
  }
  return path
}
