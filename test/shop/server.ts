import { execFileSync, spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll } from 'vitest'

const root = fileURLToPath(new URL('../..', import.meta.url))

/** What the shop is started with: its own environment variables. */
export type ShopEnvironment = Readonly<Record<string, string>>

export interface Exit {
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
  readonly stdout: string
  readonly stderr: string
}

/** The demo shop as a process of its own, as `npm start` runs it. */
export interface ShopProcess {
  readonly url: string
  /** The processes that serve, where WORKERS asks for several. */
  workers(): number[]
  /** Ends the process and waits until it is gone. */
  end(signal: NodeJS.Signals): Promise<Exit>
}

const running = new Set<ChildProcess>()
const folders: string[] = []

afterAll(async () => {
  for (const child of running) {
    child.kill('SIGKILL')
    await once(child, 'close')
  }
  for (const folder of folders) rmSync(folder, { recursive: true, force: true, maxRetries: 5, retryDelay: 100 })
})

/** A folder that goes when the file's tests are through. */
export function temporaryFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'sojourn-shop-'))
  folders.push(folder)
  return folder
}

/** A store for SESSION_STORE in a folder of its own. */
export function temporaryStore(): string {
  return `disk:${join(temporaryFolder(), 'sessions')}`
}

/** Starts the shop, on a free port unless the environment names one, and waits until it listens. */
export async function startShop(environment: ShopEnvironment): Promise<ShopProcess> {
  const { child, exit, output } = launch(environment)
  const line = /^Sojourn shop on (http:\/\/\S+) \(sessions: .+\)$/m
  const url = await new Promise<string>((resolve, reject) => {
    child.stdout?.on('data', () => {
      const found = line.exec(output.stdout)?.[1]
      if (found !== undefined) resolve(found)
    })
    exit.then(
      ({ code, signal, stderr }) => reject(new Error(`The shop ended with ${signal ?? code} before it listened: ${stderr}`)),
      reject,
    )
  })
  return {
    url,
    workers: () => childrenOf(child.pid ?? 0),
    end(signal) {
      child.kill(signal)
      return exit
    },
  }
}

/** Starts a shop that is meant to fail, and waits for its end. */
export function shopThatEnds(environment: ShopEnvironment): Promise<Exit> {
  return launch(environment).exit
}

function launch(environment: ShopEnvironment) {
  const env = { PATH: process.env.PATH, HOME: process.env.HOME, PORT: '0', ACCOUNTS: join(temporaryFolder(), 'accounts'), ...environment }
  const child = spawn(process.execPath, ['--import', 'tsx', 'examples/shop/server.ts'], {
    cwd: root,
    env,
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  running.add(child)
  const output = { stdout: '', stderr: '' }
  child.stdout.setEncoding('utf8').on('data', (chunk: string) => (output.stdout += chunk))
  child.stderr.setEncoding('utf8').on('data', (chunk: string) => (output.stderr += chunk))
  const exit = new Promise<Exit>((resolve) => {
    child.once('close', (code, signal) => {
      running.delete(child)
      resolve({ code, signal, ...output })
    })
  })
  return { child, exit, output }
}

/** The processes that this one started to run the same program. */
function childrenOf(parent: number): number[] {
  return commands(parent).flatMap(([pid, command]) => (command.includes('server.ts') ? [pid] : []))
}

function commands(parent: number): [pid: number, command: string][] {
  if (process.platform !== 'linux') {
    const rows = execFileSync('ps', ['-A', '-o', 'ppid=,pid=,args='], { encoding: 'utf8' }).split('\n')
    const fields = rows.map((row) => row.trim().split(/\s+/))
    return fields.filter(([ppid]) => Number(ppid) === parent).map(([, pid, ...args]) => [Number(pid), args.join(' ')])
  }
  // A small system may have no `ps`.
  const children = readFileSync(`/proc/${parent}/task/${parent}/children`, 'utf8').split(' ').filter(Boolean)
  return children.map((pid) => [Number(pid), existsSync(`/proc/${pid}/cmdline`) ? readFileSync(`/proc/${pid}/cmdline`, 'utf8') : ''])
}
