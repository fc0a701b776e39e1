import { execFile, type ExecFileOptions } from 'node:child_process'
import { accessSync, constants, readdirSync } from 'node:fs'
import { delimiter, join } from 'node:path'
import { promisify } from 'node:util'
import type { Place } from './place.ts'
import { identityOf } from './user.ts'

/** @returns the first of these programs that is on the PATH, or where Debian and Homebrew put servers */
export function findProgram(...names: string[]): string | null {
  const folders = [
    ...(process.env['PATH'] ?? '').split(delimiter),
    '/usr/sbin',
    '/usr/local/sbin',
    '/opt/homebrew/bin',
    ...postgresFolders(),
  ]
  return names.flatMap((name) => folders.map((folder) => join(folder, name))).find(isExecutable) ?? null
}

/** Debian keeps each PostgreSQL version's programs in a folder of their own: the newest first. */
function postgresFolders(): string[] {
  const base = '/usr/lib/postgresql'
  try {
    const versions = readdirSync(base).sort((a, b) => Number(b) - Number(a))
    return versions.map((version) => join(base, version, 'bin'))
  } catch {
    return []
  }
}

function isExecutable(file: string): boolean {
  try {
    accessSync(file, constants.X_OK)
    return true
  } catch {
    return false
  }
}

/** Runs a program to its end; what it prints is told only if it fails. */
export async function runQuietly(command: string, args: readonly string[], options: ExecFileOptions): Promise<void> {
  try {
    await promisify(execFile)(command, args, { ...options, maxBuffer: 1e8 })
  } catch (error) {
    const { stdout = '', message } = error as Error & { stdout?: string }
    throw new Error(`${message}\n${stdout}`, { cause: error })
  }
}

/** The same, as the place's user and with its folder for temporary files. */
export async function runAt({ folder, user }: Place, command: string, ...args: string[]): Promise<void> {
  await runQuietly(command, args, { cwd: folder, env: { ...process.env, TMPDIR: folder }, ...identityOf(user) })
}
