import { execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { rmSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { promisify } from 'node:util'
import { installDebianPackages } from '../../scripts/setup.mjs'
import { findProgram } from '../../test/services/programs.ts'

/** Who a process works for. */
export const parts = [
  'kernel',
  'Node and V8, compiled',
  'V8’s built-in functions',
  'JavaScript of Node',
  'JavaScript of the framework or driver',
  'JavaScript of sojourn',
  'JavaScript of the handler',
] as const
export type Part = (typeof parts)[number]

/** µs of processor. */
export type Profile = Readonly<Record<Part, number>>

/** For a process of Node that is to be profiled: `perf` learns by it what V8's compiler made. The log that V8 would write beside it goes nowhere. */
export const nodeOptions = ['--perf-basic-prof', '--no-logfile-per-isolate', '--logfile=/dev/null']

// No machine's timer would be in step with it.
const frequency = 4999
const call = promisify(execFile)

/** Sees to it that there is Linux's `perf`. @returns what is missing; null for nothing */
export async function perfIsMissing(): Promise<string | null> {
  const otherwise = 'perf is missing, or this is no Linux: install it (Debian: apt-get install linux-perf)'
  if (process.platform !== 'linux') return otherwise
  if (findProgram('perf') !== null) return null
  return await installDebianPackages(['linux-perf'], 'which tells where the time goes', otherwise)
}

/** Samples a process while something goes on. */
export async function profile(pid: number, file: string, work: () => Promise<void>): Promise<Profile> {
  const recorder = spawn('perf', ['record', '-q', '-e', 'cpu-clock', '-F', String(frequency), '-p', String(pid), '-o', file], {
    stdio: ['ignore', 'ignore', 'pipe'],
  })
  let said = ''
  recorder.stderr.on('data', (chunk) => (said += chunk))
  const ended = once(recorder, 'exit')
  await sleep(300)
  await work()
  recorder.kill('SIGINT')
  await ended
  const { stdout } = await call('perf', ['report', '-i', file, '--no-children', '-g', 'none', '-F', 'sample,symbol', '--stdio'], {
    maxBuffer: 2 ** 28,
  })
  const found = Object.fromEntries(parts.map((part) => [part, 0])) as Record<Part, number>
  for (const line of stdout.split('\n')) {
    const [, samples, symbol] = /^ *(\d+) +(\[[.k]\] .*)$/.exec(line) ?? []
    if (samples !== undefined) found[partOf(symbol!)] += (Number(samples) * 1e6) / frequency
  }
  if (Object.values(found).every((time) => time === 0)) throw new Error(`perf saw nothing of process ${pid}.`, { cause: said })
  return found
}

/** Removes what V8 wrote for `perf`, where that looks for it. To be called when the process has ended. */
export function forget(pid: number): void {
  rmSync(`/tmp/perf-${pid}.map`, { force: true })
}

function partOf(symbol: string): Part {
  if (symbol.startsWith('[k]')) return 'kernel'
  // V8 compiles regular expressions, whoever wrote them.
  if (/Builtins_|RegExp:/.test(symbol)) return 'V8’s built-in functions'
  if (/ node:/.test(symbol)) return 'JavaScript of Node'
  if (symbol.includes('/node_modules/')) return 'JavaScript of the framework or driver'
  if (/file:.*\/dist\//.test(symbol)) return 'JavaScript of sojourn'
  if (symbol.includes('file:')) return 'JavaScript of the handler'
  return 'Node and V8, compiled'
}
