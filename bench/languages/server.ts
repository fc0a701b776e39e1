import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { request, type IncomingMessage } from 'node:http'
import { text } from 'node:stream/consumers'
import { setTimeout as sleep } from 'node:timers/promises'
import { freePort } from '../../test/services/place.ts'
import { watch } from '../../test/services/watch.ts'
import { onCore, serverCore } from './load.ts'

/** 'memory' is the memory of the server itself. */
export type Mode = 'bare' | 'memory' | 'redis'

export interface Answer {
  /** What the 100 bytes begin with: the value that was read or written. */
  readonly value: string
  /** The Cookie header that goes with the cookies that it set; empty if it set none. */
  readonly cookie: string
}

const startLimit = 120_000
/** Linux counts processor time so, whatever the kernel's own ticks. */
const ticksPerSecond = 100

/** One of the programs in a process of its own, which ends with this one. */
export class Server {
  readonly origin: string
  readonly #child: ChildProcess
  #output = ''

  /** @param command what starts it, without the mode and the port */
  static async start(command: readonly [string, ...string[]], mode: Mode, env: NodeJS.ProcessEnv): Promise<Server> {
    const port = await freePort()
    const [program, ...args] = onCore(serverCore, [...command, mode, String(port)])
    const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'pipe'], env: { ...process.env, ...env, NODE_ENV: 'production' } })
    const server = new Server(child, `http://127.0.0.1:${port}`)
    await once(child, 'spawn')
    watch('+', 'pid', child.pid!)
    child.once('exit', () => watch('-', 'pid', child.pid!))
    await server.#untilItAnswers(`${command.join(' ')} ${mode}`)
    return server
  }

  private constructor(child: ChildProcess, origin: string) {
    this.#child = child
    this.origin = origin
    for (const stream of [child.stdout!, child.stderr!]) stream.on('data', (chunk) => (this.#output += chunk))
  }

  /** @throws unless the answer is a success of 100 bytes */
  async get(path: string, cookie = ''): Promise<Answer> {
    // No other header: the same client as the load generator, to a server that compares them.
    const sent = request(this.origin + path, { headers: cookie === '' ? {} : { Cookie: cookie }, agent: false }).end()
    const [response] = (await once(sent, 'response')) as [IncomingMessage]
    const body = await text(response)
    if (response.statusCode !== 200 || body.length !== 100)
      throw new Error(`${this.origin}${path} answered ${response.statusCode}: ${body.slice(0, 500)}`)
    const set = response.headers['set-cookie'] ?? []
    return { value: body.slice(0, body.indexOf(' ')), cookie: set.map((line) => line.split(';', 1)[0]).join('; ') }
  }

  /** The processor time that it has taken until now, with all its threads, in µs; NaN where no `/proc` tells. */
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
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return
    const ended = once(this.#child, 'exit')
    this.#child.kill('SIGKILL')
    await ended
  }

  async #untilItAnswers(name: string): Promise<void> {
    for (const began = Date.now(); ; await sleep(50)) {
      try {
        await this.get('/r')
        return
      } catch (error) {
        const hasEnded = this.#child.exitCode !== null || this.#child.signalCode !== null
        if (!hasEnded && Date.now() - began < startLimit) continue
        await this.stop()
        throw new Error(`${name} did not start.\n${this.#output}`, { cause: error })
      }
    }
  }
}
