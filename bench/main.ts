// npm run bench [-- names of rows [--write]] [--rounds=5] [--seconds=3] [--warm-up=1]; npm run bench:quick
import { readdirSync } from 'node:fs'
import { loadavg } from 'node:os'
import { wakeCheaply } from './measure/idle.ts'
import { quick } from './quick.ts'
import { reached, tableOf } from './report/table.ts'
import { writeResults, type Result } from './report/results.ts'
import type { Row } from './row.ts'

const tell = (line: string) => void process.stderr.write(`${line}\n`)

/** The order of the results; rows that it does not name come last. */
const order = [
  'node-http',
  'express',
  'fastify',
  'profile',
  'disk',
  'redis',
  'databases',
  'near-cache',
  'sealed',
  'calls',
  'memory',
  'growth',
  'sweep',
  'many-at-once',
  'processes',
  'peer-memory',
  'start',
  'languages',
]

async function allRows(): Promise<readonly Row[]> {
  const files = readdirSync(new URL('rows', import.meta.url)).filter((file) => file.endsWith('.ts'))
  const rows = await Promise.all(files.map(async (file) => ((await import(`./rows/${file}`)) as { row: Row }).row))
  const place = ({ name }: Row) => (order.includes(name) ? order.indexOf(name) : order.length)
  return rows.sort((a, b) => place(a) - place(b) || (a.name < b.name ? -1 : 1))
}

async function measure(row: Row): Promise<Result> {
  tell(`\n${row.name}: ${row.title}`)
  const began = Date.now()
  try {
    const findings = await row.run(tell)
    console.log(`\n${row.title}\n\n${tableOf(findings)}\n`)
    return { row, findings, failure: null, seconds: (Date.now() - began) / 1000 }
  } catch (error) {
    console.error(error)
    return { row, findings: [], failure: error instanceof Error ? error.message : String(error), seconds: (Date.now() - began) / 1000 }
  }
}

// Temporary folders are removed at the exit.
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.once(signal, () => process.exit(1))

const [busy] = loadavg()
if (busy! > 0.5) tell(`Other programs run on this machine (load ${busy!.toFixed(1)}): figures will be worth less.`)

// Before any figure is taken.
const idle = wakeCheaply()

/** @returns whether each row could be measured: a goal that is missed is a result, and no fault */
async function bench(names: readonly string[]): Promise<boolean> {
  const rows = await allRows()
  const unknown = names.filter((name) => !rows.some((row) => row.name === name))
  if (unknown.length > 0) {
    console.error(`There is no row '${unknown.join("', '")}'. There are: ${rows.map(({ name }) => name).join(', ')}`)
    return false
  }
  const chosen = names.length === 0 ? rows : rows.filter(({ name }) => names.includes(name))
  const left = new Set(rows.map(({ name }) => name))
  const results: Result[] = []
  for (const row of chosen) {
    results.push(await measure(row))
    left.delete(row.name)
    // After each, for a run takes an hour and may be broken off.
    if (names.length === 0 || process.argv.includes('--write')) await writeResults(results, [...left], idle)
  }
  const missed = results.flatMap(({ findings }) => findings.filter((finding) => reached(finding) === false))
  const failed = results.filter(({ failure }) => failure !== null)
  console.log(`${missed.length} of the goals missed, ${failed.length} of the rows failed.`)
  return failed.length === 0
}

const names = process.argv.slice(2).filter((argument) => !argument.startsWith('--'))
const isGood = process.argv.includes('--quick') ? await quick(tell) : await bench(names)
process.exit(isGood ? 0 : 1)
