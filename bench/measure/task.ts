import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'

const run = promisify(execFile)

/**
 * Runs bench/tasks/<name>.mjs in a process of its own. Nothing loads it, so it may use all cores: on one alone, V8's collectors and libuv's
 * threads would take turns with it.
 *
 * @returns what it printed, which is JSON
 */
export async function runTask(name: string, args: readonly string[], nodeOptions: readonly string[] = []): Promise<unknown> {
  const file = fileURLToPath(new URL(`../tasks/${name}.mjs`, import.meta.url))
  const { stdout } = await run(process.execPath, [...nodeOptions, file, ...args])
  return JSON.parse(stdout)
}
