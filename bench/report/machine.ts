import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { availableParallelism, cpus, release, totalmem, type } from 'node:os'
import { canPin } from '../measure/cores.ts'
import { settings } from '../measure/settings.ts'

interface Lock {
  readonly packages: Readonly<Record<string, { readonly version?: string; readonly dependencies?: Readonly<Record<string, string>> }>>
}

const read = (path: string) => JSON.parse(readFileSync(new URL(path, import.meta.url), 'utf8')) as unknown

/** What the results were measured on, as lines of Markdown. */
export function conditions(databases: Iterable<string>, idle: string | null): readonly string[] {
  const { packages } = read('../package-lock.json') as Lock
  const peers = Object.keys(packages['']!.dependencies ?? {}).map((name) => `${name} ${packages[`node_modules/${name}`]!.version}`)
  const { version } = read('../../package.json') as { version: string }
  return [
    `- ${new Date().toISOString().slice(0, 10)}, sojourn ${version}`,
    `- ${cpus()[0]?.model.trim() ?? 'a processor that tells no name'}, ${availableParallelism()} cores, ${Math.round(totalmem() / 2 ** 30)} GiB of memory, ${systemName()}`,
    `- Node ${process.versions.node}, V8 ${process.versions.v8}, ${wrkVersion()}: one thread, ${settings.connections} connections`,
    `- ${[...databases].join(', ')}`,
    `- ${peers.join(', ')}`,
    `- ${settings.rounds} rounds, ${settings.seconds} s each after ${settings.warmUp} s that don’t count; ${
      canPin
        ? 'servers on the first core, the load generator on the second, where no row says otherwise'
        : 'no core of their own for servers and load generator'
    }`,
    ...(idle === null ? [] : [`- ${idle}`]),
  ]
}

function systemName(): string {
  try {
    return `${/^PRETTY_NAME="(.*)"$/m.exec(readFileSync('/etc/os-release', 'utf8'))![1]}, ${type()} ${release()}`
  } catch {
    return `${type()} ${release()}`
  }
}

/** wrk tells its version and ends with a failure. */
function wrkVersion(): string {
  try {
    return execFileSync('wrk', ['-v'], { encoding: 'utf8' }).split(' [', 1)[0]!
  } catch (error) {
    return String((error as { stdout?: string }).stdout).split(' [', 1)[0]!
  }
}
