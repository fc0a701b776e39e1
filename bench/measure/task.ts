import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { onCore, serverCore } from './cores.ts'

const run = promisify(execFile)

/**
 * Runs bench/tasks/<name>.mjs in a process of its own.
 *
 * @returns what it printed, which is JSON
 */
export async function runTask(name: string, args: readonly string[], nodeOptions: readonly string[] = []): Promise<unknown> {
  const file = fileURLToPath(new URL(`../tasks/${name}.mjs`, import.meta.url))
  const [program, ...rest] = onCore(serverCore, [process.execPath, ...nodeOptions, file, ...args])
  const { stdout } = await run(program, rest)
  return JSON.parse(stdout)
}
