import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { runTask } from './task.ts'

const folders = new Map<number, Promise<string>>()

/** A folder of the disk store with so many sessions: filled once for all rows, and removed at the end. */
export function filledDisk(sessions: number, tell: (line: string) => void): Promise<string> {
  let folder = folders.get(sessions)
  if (folder === undefined) {
    folder = fill(sessions, tell)
    folders.set(sessions, folder)
  }
  return folder
}

async function fill(sessions: number, tell: (line: string) => void): Promise<string> {
  const folder = mkdtempSync(join(tmpdir(), 'sojourn-bench-'))
  process.once('exit', () => rmSync(folder, { recursive: true, force: true }))
  const began = performance.now()
  await runTask('disk-filler', [folder, String(sessions)], ['--import', import.meta.resolve('tsx')])
  tell(`  ${sessions.toLocaleString('en')} sessions on disk, written in ${Math.round((performance.now() - began) / 1000)} s`)
  return folder
}
