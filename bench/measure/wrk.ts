import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { loadCore, onCore } from './cores.ts'
import { settings } from './settings.ts'

/** What one time of load came to. */
export interface Load {
  readonly requests: number
  /** Requests a second. */
  readonly rate: number
  /** Latencies in ms. */
  readonly p50: number
  readonly p99: number
}

/** What the requests say. */
export interface Client {
  /** The Cookie header of each session. */
  readonly cookies: readonly string[]
  readonly headers: Readonly<Record<string, string>>
}

const script = fileURLToPath(new URL('wrk.lua', import.meta.url))
const run = promisify(execFile)

/**
 * Loads a server by wrk with one thread. Of several cookies each request has one, in turn.
 *
 * @throws if an answer was no success, or a connection broke: such a figure would mean nothing. One without an answer is a figure
 */
export async function load(url: string, { cookies, headers }: Client, seconds: number): Promise<Load> {
  const single = cookies.length === 1 ? { Cookie: cookies[0] } : {}
  const said = Object.entries({ ...headers, ...single }).flatMap(([name, value]) => ['-H', `${name}: ${value}`])
  // By wrk's own limit of two seconds, a machine that stalls once would make a server fail that is only slow.
  const limits = [`-c${settings.connections}`, `-d${seconds}s`, '--timeout', '30s']
  const [program, ...args] = onCore(loadCore, ['wrk', '-t1', ...limits, ...said, '-s', script, url])
  const { stdout } = await run(program, [...args, '--', ...cookies])
  const counted = JSON.parse(stdout.trimEnd().split('\n').at(-1)!) as Record<
    'requests' | 'duration' | 'refused' | 'broken' | 'p50' | 'p99',
    number
  >
  const { requests, duration, refused, broken, p50, p99 } = counted
  if (refused > 0 || broken > 0)
    throw new Error(`${url} answered ${requests} requests, ${refused} of them by an error, and ${broken} broke.`)
  return { requests, rate: requests / (duration / 1e6), p50: p50 / 1000, p99: p99 / 1000 }
}
