import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createInterface } from 'node:readline'
import { setTimeout as sleep } from 'node:timers/promises'
import { installDebianPackages } from '../../scripts/setup.mjs'
import { findProgram } from '../../test/services/programs.ts'

/** What a processor is at. */
export const parts = ['the kernel', 'Node and V8, compiled', 'V8’s built-in functions', 'JavaScript'] as const
/** For whom: whose JavaScript runs, or called what does. What V8 has inlined counts for its caller, and a sample whose callers can't be told for nobody. */
export const owners = [
  'Node',
  'the framework or driver',
  'sojourn',
  'the handler',
  'waking who reads what it wrote',
  'nobody: V8’s collector and compilers, the event loop',
] as const
export type Part = (typeof parts)[number]
export type Owner = (typeof owners)[number]

/** µs of processor. */
export type Profile = Readonly<Record<Owner, Readonly<Record<Part, number>>>>

/** For a process of Node that is to be profiled: `perf` learns by it what V8's compiler made. The log that V8 would write beside it goes nowhere. */
export const nodeOptions = ['--perf-basic-prof', '--no-logfile-per-isolate', '--logfile=/dev/null']

// No machine's timer would be in step with it.
const frequency = 4999

/** Sees to it that there is Linux's `perf`. @returns what is missing; null for nothing */
export async function perfIsMissing(): Promise<string | null> {
  const otherwise = 'perf is missing, or this is no Linux: install it (Debian: apt-get install linux-perf)'
  if (process.platform !== 'linux') return otherwise
  if (findProgram('perf') !== null) return null
  return await installDebianPackages(['linux-perf'], 'which tells where the time goes', otherwise)
}

/** Samples a process while something goes on. */
export async function profile(pid: number, file: string, work: () => Promise<void>): Promise<Profile> {
  const recorder = spawn('perf', ['record', '-q', '-g', '-e', 'cpu-clock', '-F', String(frequency), '-p', String(pid), '-o', file], {
    stdio: ['ignore', 'ignore', 'pipe'],
  })
  let said = ''
  recorder.stderr.on('data', (chunk) => (said += chunk))
  const ended = once(recorder, 'exit')
  await sleep(300)
  await work()
  recorder.kill('SIGINT')
  await ended
  const restore = keepNewestCode(pid)
  const found = Object.fromEntries(owners.map((owner) => [owner, Object.fromEntries(parts.map((part) => [part, 0]))])) as Record<
    Owner,
    Record<Part, number>
  >
  let samples = 0
  for await (const frames of stacksIn(file)) {
    samples++
    found[ownerOf(frames)][partOf(frames[0]!)] += 1e6 / frequency
  }
  restore()
  if (samples === 0) throw new Error(`perf saw nothing of process ${pid}.`, { cause: said })
  return found
}

/** The symbols of each sample, the innermost first. */
async function* stacksIn(file: string): AsyncGenerator<string[]> {
  const script = spawn('perf', ['script', '-i', file, '-F', 'comm,ip,sym,dso'], { stdio: ['ignore', 'pipe', 'ignore'] })
  const ended = once(script, 'exit')
  let frames: string[] = []
  for await (const line of createInterface({ input: script.stdout })) {
    const frame = /^\s+([0-9a-f]+ .*)$/.exec(line)?.[1]
    if (frame !== undefined) frames.push(frame)
    else if (frames.length > 0) {
      yield frames
      frames = []
    }
  }
  if (frames.length > 0) yield frames
  const [code] = await ended
  if (code !== 0) throw new Error(`perf script ended with ${code}.`)
}

const mapOf = (pid: number): string => `/tmp/perf-${pid}.map`

/**
 * V8 notes all code that it ever made: what is gone, and has other code in its place by now, would lend that its name.
 *
 * @returns a function that puts the notes back, to which V8 goes on to write
 */
function keepNewestCode(pid: number): () => void {
  const text = readFileSync(mapOf(pid), 'utf8')
  const all = text.split('\n').flatMap((line) => {
    const [, at, length] = /^([0-9a-f]+) ([0-9a-f]+) /.exec(line) ?? []
    return at === undefined ? [] : [{ line, from: Number.parseInt(at, 16), to: Number.parseInt(at, 16) + Number.parseInt(length!, 16) }]
  })
  // By place, and of one place the newest first.
  const sorted = all.map((entry, age) => ({ ...entry, age })).toSorted((a, b) => a.from - b.from || b.age - a.age)
  const kept: typeof sorted = []
  for (const entry of sorted) {
    while (kept.length > 0 && kept.at(-1)!.to > entry.from && kept.at(-1)!.age < entry.age) kept.pop()
    if (kept.length === 0 || kept.at(-1)!.to <= entry.from) kept.push(entry)
  }
  writeFileSync(mapOf(pid), kept.map(({ line }) => `${line}\n`).join(''))
  return () => writeFileSync(mapOf(pid), text)
}

/** Removes what V8 wrote for `perf`, where that looks for it. To be called when the process has ended. */
export function forget(pid: number): void {
  rmSync(mapOf(pid), { force: true })
}

function partOf(frame: string): Part {
  if (frame.startsWith('ffff')) return 'the kernel'
  // V8 compiles regular expressions, whoever wrote them.
  if (/Builtins_|RegExp:/.test(frame)) return 'V8’s built-in functions'
  return isJavaScript(frame) ? 'JavaScript' : 'Node and V8, compiled'
}

function ownerOf(frames: readonly string[]): Owner {
  // A virtual machine's processor that had nothing to do is asleep, and to wake it a message goes by way of the host. The more a server
  // leaves the load generator to wait, the more it pays for that: no matter of whose code wrote. Databases are woken so as well.
  if (frames.some((frame) => frame.includes(' sock_def_readable '))) return 'waking who reads what it wrote'
  const frame = frames.find(isJavaScript)
  if (frame === undefined) return 'nobody: V8’s collector and compilers, the event loop'
  if (frame.includes(' node:')) return 'Node'
  if (frame.includes('/node_modules/')) return 'the framework or driver'
  return /file:.*\/dist\//.test(frame) ? 'sojourn' : 'the handler'
}

/** As V8 names a function: `JS:*name file:line:column`. */
function isJavaScript(frame: string): boolean {
  return / (?:node:|file:|\/)[^ ]*:\d+:\d+/.test(frame)
}
