import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { closeSync, openSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { signalFamily } from './family.mjs'
import { newPlace, removePlace, type Place } from './place.ts'
import { identityOf } from './user.ts'
import { watch } from './watch.ts'

/** A running private server. It ends with this process, however that ends. */
export interface Server {
  readonly url: string
  /** The product and its version, as the server itself tells it. */
  readonly version: string
  /** Ends it at once, as a crash would: what it did not write is lost. With another signal (SIGTERM) it may end in order. */
  kill(signal?: 'SIGKILL' | 'SIGTERM' | 'SIGINT'): Promise<void>
  /** Starts it again on the same port and data, after killing it if it runs, and waits until it answers. */
  restart(): Promise<void>
  /** Stops its processes where they are: connections stay open, and nothing answers. */
  pause(): void
  resume(): void
  /** Ends it for good and removes its folder. */
  stop(): Promise<void>
}

export interface Program {
  /** In the folder's name and in messages. */
  readonly name: string
  readonly isRootRefused?: boolean
  /** Before the first start. */
  readonly prepare?: (place: Place) => Promise<void>
  readonly command: (place: Place) => readonly [command: string, ...args: string[]]
  readonly url: (place: Place) => string
  /** Asks the server for its version; throws while it does not answer. */
  readonly probe: (url: string) => Promise<string>
}

const startLimit = 60_000

export async function startServer(program: Program): Promise<Server> {
  for (let attempt = 1; ; attempt++) {
    const place = await newPlace(program.name, program.isRootRefused ?? false)
    try {
      await program.prepare?.(place)
      return await startAt(program, place)
    } catch (error) {
      removePlace(place)
      // Somebody may have taken the port meanwhile.
      if (attempt === 3 || !/in use/i.test(String(error))) throw error
    }
  }
}

async function startAt(program: Program, place: Place): Promise<Server> {
  const url = program.url(place)
  let running = run(program, place)
  const version = await running.untilItAnswers(url)
  const kill = async (signal: NodeJS.Signals = 'SIGKILL') => await running.end(signal)
  return {
    url,
    version,
    kill,
    async restart() {
      await kill()
      // What a killed server's children still hold is free a moment later.
      for (const began = Date.now(); ; await sleep(100)) {
        running = run(program, place)
        try {
          await running.untilItAnswers(url)
          return
        } catch (error) {
          if (Date.now() - began > 10_000) throw error
        }
      }
    },
    pause: () => running.signal('SIGSTOP'),
    resume: () => running.signal('SIGCONT'),
    async stop() {
      await kill()
      removePlace(place)
    },
  }
}

/** One process of the server, from its start to its end. */
function run(program: Program, place: Place) {
  const logFile = join(place.folder, 'log')
  const log = openSync(logFile, 'w')
  const [command, ...args] = program.command(place)
  const env = { ...process.env, TMPDIR: place.folder }
  // In a process group of its own: Ctrl-C in a terminal is for the tests, which end their servers themselves.
  const child = spawn(command, args, { cwd: place.folder, env, detached: true, stdio: ['ignore', log, log], ...identityOf(place.user) })
  closeSync(log)
  child.unref()
  const pid = child.pid
  if (pid !== undefined) watch('+', 'pid', pid)
  const ended = endOf(child)
  let outcome: string | undefined
  void ended.then((how) => {
    outcome = how
    if (pid !== undefined) watch('-', 'pid', pid)
  })

  const fail = (what: string, cause?: unknown) => {
    const lastLines = readFileSync(logFile, 'utf8').trimEnd().split('\n').slice(-20).join('\n')
    return new Error(`${program.name} ${what}. ${command} ${args.join(' ')}\n${lastLines}`, { cause })
  }

  const signal = (name: 'SIGKILL' | 'SIGSTOP' | 'SIGCONT') => {
    if (pid !== undefined && outcome === undefined) signalFamily(pid, name)
  }

  return {
    signal,
    async end(name: NodeJS.Signals) {
      child.ref()
      if (name === 'SIGKILL') signal(name)
      else child.kill(name)
      await ended
      child.unref()
    },
    async untilItAnswers(url: string): Promise<string> {
      for (const began = Date.now(); ; await sleep(20)) {
        if (outcome !== undefined) throw fail(`ended with ${outcome} before it answered`)
        try {
          return await Promise.race([program.probe(url), ended.then((how) => Promise.reject(new Error(how)))])
        } catch (error) {
          if (Date.now() - began < startLimit) continue
          signal('SIGKILL')
          throw fail(`did not answer within ${startLimit / 1000} s`, error)
        }
      }
    },
  }
}

async function endOf(child: ChildProcess): Promise<string> {
  try {
    const [code, signal] = await once(child, 'exit')
    return `${signal ?? code}`
  } catch (error) {
    return String(error)
  }
}
