import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { onCore, serverCore } from './cores.ts'

/** What load is put on. */
export interface Loadable {
  readonly origin: string
  /** What its process has used of processors until now, with all its threads, in µs. */
  cpu(): number | Promise<number>
  stop(): Promise<void>
}

export interface ServerOptions {
  /** 'express': the program is bench/servers/express.mjs. */
  readonly program: string
  /** What it gets to know: library, store, url. */
  readonly settings: Readonly<Record<string, unknown>>
  /** @default the first one */
  readonly core?: number | 'any' | undefined
  /** Options of Node. @default [] */
  readonly nodeOptions?: readonly string[]
}

/** A server in a process of its own, which ends with this one. */
export class Server implements Loadable {
  readonly origin: string
  readonly #child: ChildProcess
  readonly #ended: Promise<never>

  static async start({ program, settings, core = serverCore, nodeOptions = [] }: ServerOptions): Promise<Server> {
    const file = fileURLToPath(new URL(`../servers/${program}.mjs`, import.meta.url))
    const [command, ...args] = onCore(core, [process.execPath, ...nodeOptions, file, JSON.stringify(settings)])
    const child = spawn(command, args, { stdio: ['ignore', 'ignore', 'pipe', 'ipc'], env: { ...process.env, NODE_ENV: 'production' } })
    // Some peers warn of their own store at each start: that is shown with a failure alone.
    let output = ''
    child.stderr!.on('data', (chunk) => (output += chunk))
    const ended = once(child, 'exit').then(([code]): never => {
      throw new Error(`The server ${program} with ${String(settings['library'])} ended with ${code}.`, { cause: output })
    })
    const [{ port }] = (await Promise.race([once(child, 'message'), ended])) as [{ port: number }]
    // From here on its end shows in what is asked of it.
    ended.catch(() => {})
    return new Server(child, ended, `http://127.0.0.1:${port}`)
  }

  private constructor(child: ChildProcess, ended: Promise<never>, origin: string) {
    this.#ended = ended
    this.#child = child
    this.origin = origin
  }

  get pid(): number {
    return this.#child.pid!
  }

  async cpu(): Promise<number> {
    return ((await this.ask('cpu')) as { cpu: number }).cpu
  }

  async ask(question: string): Promise<unknown> {
    const answered = once(this.#child, 'message')
    this.#child.send(question)
    return (await Promise.race([answered, this.#ended]))[0]
  }

  async stop(): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return
    const ended = once(this.#child, 'exit')
    this.#child.kill('SIGKILL')
    await ended
  }
}
