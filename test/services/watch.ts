import { spawn } from 'node:child_process'
import type { Writable } from 'node:stream'
import { fileURLToPath } from 'node:url'

let pipe: Writable | undefined

/** Tells this process's watchdog, which is started at first use, of a server or a folder that must not outlive this process. */
export function watch(sign: '+' | '-', what: 'pid' | 'folder', value: string | number): void {
  pipe ??= startWatchdog()
  pipe.write(`${sign}${what} ${value}\n`)
}

function startWatchdog(): Writable {
  const program = fileURLToPath(new URL('watchdog.mjs', import.meta.url))
  // In a session of its own: what is sent to the terminal's process group must not reach it. With no environment: what is
  // sent to every process that bears a mark of this run's must not either.
  const child = spawn(process.execPath, [program], { detached: true, env: {}, stdio: ['pipe', 'ignore', 'ignore'] })
  child.unref()
  // A worker of a test run whose main process has died may go on for ever; vitest replaces process.exit.
  process.once('disconnect', () => process.kill(process.pid, 'SIGKILL'))
  const { stdin } = child
  if ('unref' in stdin && typeof stdin.unref === 'function') stdin.unref()
  return stdin
}
