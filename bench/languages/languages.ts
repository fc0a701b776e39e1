import { execFile } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { cp, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { built } from '../../test/services/cache.ts'
import { findProgram, runQuietly } from '../../test/services/programs.ts'
import type { Mode } from './program.ts'

/** A language's session library, and the server that it is measured on. */
export interface Peer {
  /** What it is called with its sessions in memory and in Redis. */
  readonly names: Readonly<Record<Exclude<Mode, 'bare'>, string>>
  /** The server without sessions: 'net/http'. */
  readonly bare: string
  /** Programs that must be on the PATH. */
  readonly needs: readonly string[]
  readonly env?: NodeJS.ProcessEnv
  /** How many requests of each kind it answers before it is as fast as it will be. */
  readonly warmUp: number
  /** @returns the command that starts the server, without mode and port, once it is built if need be */
  build(): Promise<readonly [string, ...string[]]>
  /** What was measured: the library's version, and the toolchain's. */
  versions(): Promise<string>
}

const here = (path: string) => new URL(path, import.meta.url)
const folder = (name: string) => fileURLToPath(here(`${name}/`))

/** What `pattern`, a global one, finds in a file of this folder: each in turn. */
function found(file: string, pattern: RegExp): string {
  const values = Array.from(readFileSync(here(file), 'utf8').matchAll(pattern), ([, value]) => value)
  if (values.length === 0) throw new Error(`bench/languages/${file} has nothing like ${pattern}.`)
  return values.join(' and ')
}

/** What a program says of its version, in words that match. */
async function said(program: string, argument: string, pattern: RegExp): Promise<string> {
  const { stdout, stderr } = await promisify(execFile)(program, [argument])
  return pattern.exec(stdout + stderr)?.[1] ?? 'unknown'
}

const go: Peer = {
  names: { memory: 'scs, memory', redis: 'scs, Redis' },
  bare: 'net/http',
  needs: ['go'],
  env: { GOMAXPROCS: '1' },
  warmUp: 10_000,
  async build() {
    const sources = ['scs/main.go', 'scs/go.mod', 'scs/go.sum'].map(here)
    const program = await built('scs', sources, 'Building the benchmark of scs (once) …', async (path) => {
      await runQuietly('go', ['build', '-o', path, '.'], { cwd: folder('scs') })
    })
    return [program]
  },
  versions: async () => `scs ${found('scs/go.mod', /scs\/v2 v(\S+)/g)}, Go ${await said('go', 'version', /go(\d\S+)/)}`,
}

const rust: Peer = {
  names: { memory: 'tower-sessions, memory', redis: 'tower-sessions, Redis' },
  bare: 'axum',
  needs: ['cargo', 'rustc'],
  warmUp: 10_000,
  async build() {
    const files = ['Cargo.toml', 'Cargo.lock', ...['answer', 'bare', 'main', 'routes', 'sessions'].map((name) => `src/${name}.rs`)]
    const sources = files.map((name) => here(`tower/${name}`))
    const program = await built('tower', sources, 'Building the benchmark of tower-sessions (once, some minutes) …', async (path) => {
      const target = await mkdtemp(join(tmpdir(), 'sojourn-tower-'))
      try {
        await runQuietly('cargo', ['build', '--release', '--locked', '--target-dir', target], { cwd: folder('tower') })
        await cp(join(target, 'release/tower-server'), path)
      } finally {
        await rm(target, { recursive: true, force: true })
      }
    })
    return [program]
  },
  async versions() {
    const locked = (name: string) => found('tower/Cargo.lock', new RegExp(`name = "${name}"\nversion = "(.*)"`, 'g'))
    const store = `tower-sessions-redis-store ${locked('tower-sessions-redis-store')}`
    return `tower-sessions ${locked('tower-sessions')} (the older with ${store}), axum ${locked('axum')}, Rust ${await said('rustc', '--version', /rustc (\S+)/)}`
  },
}

const java: Peer = {
  names: { memory: "Tomcat's own sessions, memory", redis: 'Spring Session, Redis' },
  bare: 'Spring MVC on Tomcat',
  needs: ['mvn', 'javac', 'java'],
  warmUp: 50_000,
  async build() {
    const files = ['Answer', 'BareController', 'Server', 'SessionController'].map((name) => `java/bench/${name}.java`)
    const settings = ['', '-bare', '-memory'].map((name) => `resources/application${name}.properties`)
    const sources = ['pom.xml', ...[...files, ...settings].map((name) => `src/main/${name}`)].map((name) => here(`spring/${name}`))
    const jar = await built('spring', sources, 'Building the benchmark of Spring Session (once) …', async (path) => {
      const out = await mkdtemp(join(tmpdir(), 'sojourn-spring-'))
      try {
        await runQuietly('mvn', ['-q', '-B', 'package', `-Dout=${out}`], { cwd: folder('spring') })
        await cp(join(out, 'spring-server.jar'), path)
      } finally {
        await rm(out, { recursive: true, force: true })
      }
    })
    return ['java', '-jar', jar]
  },
  versions: async () =>
    `Spring Boot ${found('spring/pom.xml', /<parent>[^]*?<version>(.*)<\/version>/g)}, Java ${await said('java', '-version', /"(.+?)"/)}`,
}

/** The peers, in the order of the results. */
export const peers: readonly Peer[] = [go, rust, java]

/** @returns the first program that it needs and that is not there */
export function missing({ needs }: Peer): string | null {
  return needs.find((name) => findProgram(name) === null) ?? null
}
