// Outlives the process that starts servers, and ends them when that one has ended, in whatever way: then its end of the pipe
// that is this program's stdin is closed. Lines: `+pid 7`, `-pid 7`, `+folder path`, `-folder path`.
import { rmSync } from 'node:fs'
import { createInterface } from 'node:readline'
import { signalFamily } from './family.mjs'

/** @type {Record<string, Set<string>>} */
const held = { pid: new Set(), folder: new Set() }

for await (const line of createInterface({ input: process.stdin })) {
  const [, sign, what, value] = /^([+-])(pid|folder) (.+)$/.exec(line) ?? []
  if (what === undefined || value === undefined) continue
  if (sign === '+') held[what]?.add(value)
  else held[what]?.delete(value)
}
for (const pid of held['pid'] ?? []) signalFamily(Number(pid), 'SIGKILL')
for (const folder of held['folder'] ?? []) rmSync(folder, { recursive: true, force: true, maxRetries: 20, retryDelay: 100 })
