import { execFile } from 'node:child_process'
import { availableParallelism } from 'node:os'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { findProgram } from '../../test/services/programs.ts'

export const canPin = findProgram('taskset') !== null && availableParallelism() > 1

/** What is measured has one core, and what loads it another, Redis with it: neither takes the other's time. */
export const serverCore = 0
export const loadCore = 1

/** @returns the command that starts the program on that core; as it is where there is no taskset, or one core alone */
export function onCore(core: number, command: readonly [string, ...string[]]): readonly [string, ...string[]] {
  return canPin ? ['taskset', '-c', String(core), ...command] : command
}

export interface Load {
  readonly requests: number
  /** Requests a second. */
  readonly rate: number
}

const script = fileURLToPath(new URL('wrk.lua', import.meta.url))
const run = promisify(execFile)

/**
 * Loads a server by wrk with one thread and 32 connections. The requests take the cookies in turn.
 *
 * @throws if an answer was no success, or a connection broke: such a figure would mean nothing. One without an answer is a figure
 */
export async function load(url: string, cookies: readonly string[], seconds: number): Promise<Load> {
  const [program, ...args] = onCore(loadCore, ['wrk', '-t1', '-c32', `-d${seconds}s`, '-s', script, url, '--', ...cookies])
  const { stdout } = await run(program, args)
  const counted = JSON.parse(stdout.trimEnd().split('\n').at(-1)!) as { requests: number; duration: number; failed: number }
  const { requests, duration, failed } = counted
  if (failed > 0) throw new Error(`${url} answered ${requests} requests, and ${failed} failed.`)
  return { requests, rate: requests / (duration / 1e6) }
}
