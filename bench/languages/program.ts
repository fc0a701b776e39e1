import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { freePort } from '../../test/services/place.ts'
import { watch } from '../../test/services/watch.ts'
import { onCore, serverCore } from '../measure/cores.ts'
import type { Loadable } from '../measure/server.ts'
import { Visitor } from '../measure/visitor.ts'

/** 'memory' is the memory of the program itself. */
export type Mode = 'bare' | 'memory' | 'redis'

const startLimit = 120_000
/** Linux counts processor time so, whatever the kernel's own ticks. */
const ticksPerSecond = 100

/** A server in another language: `PROGRAM MODE PORT`. It has no channel to this process, and ends with it all the same. */
export class Program implements Loadable {
  readonly origin: string
  readonly #child: ChildProcess
  #output = ''

  /** @param command what starts it, without the mode and the port */
  static async start(command: readonly [string, ...string[]], mode: Mode, env: NodeJS.ProcessEnv): Promise<Program> {
    const port = await freePort()
    const [file, ...args] = onCore(serverCore, [...command, mode, String(port)])
    const child = spawn(file, args, { stdio: ['ignore', 'pipe', 'pipe'], env: { ...process.env, ...env } })
    const program = new Program(child, `http://127.0.0.1:${port}`)
    await once(child, 'spawn')
    watch('+', 'pid', child.pid!)
    child.once('exit', () => watch('-', 'pid', child.pid!))
    await program.#untilItAnswers(`${command.join(' ')} ${mode}`)
    return program
  }

  private constructor(child: ChildProcess, origin: string) {
    this.#child = child
    this.origin = origin
    for (const stream of [child.stdout!, child.stderr!]) stream.on('data', (chunk) => (this.#output += chunk))
  }

  /** NaN where no `/proc` tells. */
  cpu(): number {
    try {
      const stat = readFileSync(`/proc/${this.#child.pid}/stat`, 'utf8')
      // The second field is the program's name in parentheses, which may hold anything.
      const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
      return ((Number(fields[11]) + Number(fields[12])) / ticksPerSecond) * 1e6
    } catch {
      return Number.NaN
    }
  }

  async stop(): Promise<void> {
    if (this.#hasEnded) return
    const ended = once(this.#child, 'exit')
    this.#child.kill('SIGKILL')
    await ended
  }

  get #hasEnded(): boolean {
    return this.#child.exitCode !== null || this.#child.signalCode !== null
  }

  async #untilItAnswers(name: string): Promise<void> {
    const visitor = new Visitor(this.origin)
    for (const began = Date.now(); ; await sleep(50)) {
      try {
        await visitor.get('/read')
        visitor.leave()
        return
      } catch (error) {
        if (!this.#hasEnded && Date.now() - began < startLimit) continue
        await this.stop()
        throw new Error(`${name} did not start.\n${this.#output}`, { cause: error })
      }
    }
  }
}
