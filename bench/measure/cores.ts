import { execFileSync } from 'node:child_process'
import { availableParallelism } from 'node:os'
import { findProgram } from '../../test/services/programs.ts'

/**
 * Puts a program on one core of its own, so that the load generator never takes the time that it measures: what is measured runs on the
 * first, what loads it on the second. All threads of a server share its core (V8's collectors, libuv's pool, lmdb's writer), so what they
 * cost counts, as it does where each core has a process of its own.
 *
 * @returns the command that starts it; as it is where there is no taskset, or one core alone
 */
export function onCore(core: number | 'any', command: readonly [string, ...string[]]): readonly [string, ...string[]] {
  return core !== 'any' && canPin ? ['taskset', '-c', String(core), ...command] : command
}

export const canPin = !process.argv.includes('--unpinned') && findProgram('taskset') !== null && availableParallelism() > 1
export const serverCore = 0
export const loadCore = 1

/** Keeps this process, and what it starts, off the servers' core for as long as it loads them itself, or starts what they depend on. */
export async function onLoadCore<T>(work: () => Promise<T>): Promise<T> {
  if (!canPin) return await work()
  const taskset = (...args: string[]) => execFileSync('taskset', ['--all-tasks', '--cpu-list', '--pid', ...args, String(process.pid)])
  // "pid 4711's current affinity list: 0,1", a line for each thread, all alike.
  const before = /: ([\d,-]+)$/m.exec(taskset().toString())![1]!
  try {
    taskset(String(loadCore))
    return await work()
  } finally {
    taskset(before)
  }
}
