// Signals for a process and all that it started: a server's children may have process groups of their own (PostgreSQL's have).
// Plain JavaScript, because watchdog.mjs is run by Node itself.
import { spawnSync } from 'node:child_process'
import { existsSync, readFileSync, readdirSync } from 'node:fs'

/** @returns {readonly (readonly [pid: number, parent: number])[]} every process and its parent */
function processes() {
  if (!existsSync('/proc/self/stat')) {
    const { stdout } = spawnSync('ps', ['-A', '-o', 'pid=,ppid='], { encoding: 'utf8' })
    return Array.from(stdout.matchAll(/(\d+)\s+(\d+)/g), ([, pid, parent]) => [Number(pid), Number(parent)])
  }
  return readdirSync('/proc').flatMap((name) => {
    try {
      // The second field is the program's name in parentheses, which may hold anything.
      const [, parent] = /^\d+ \(.*\) \S (\d+)/s.exec(readFileSync(`/proc/${name}/stat`, 'latin1')) ?? []
      return parent === undefined ? [] : [/** @type {const} */ ([Number(name), Number(parent)])]
    } catch {
      return [] // It has ended meanwhile, or is no process at all.
    }
  })
}

/** @param {number} pid */
function familyOf(pid) {
  const all = processes()
  const family = [pid]
  for (const member of family) family.push(...all.flatMap(([child, parent]) => (parent === member ? [child] : [])))
  return family
}

/** @param {number} pid @param {NodeJS.Signals} signal */
function send(pid, signal) {
  try {
    process.kill(pid, signal)
  } catch (error) {
    if (/** @type {NodeJS.ErrnoException} */ (error).code !== 'ESRCH') throw error
  }
}

/**
 * @param {number} pid of a process that has not been waited for yet
 * @param {'SIGKILL' | 'SIGSTOP' | 'SIGCONT'} signal
 */
export function signalFamily(pid, signal) {
  // A stopped parent starts no child while its children are counted.
  if (signal !== 'SIGCONT') send(pid, 'SIGSTOP')
  const family = familyOf(pid)
  for (const member of signal === 'SIGCONT' ? family.toReversed() : family) send(member, signal)
}
