// npm run bench [-- names of rows] [--rounds=5] [--seconds=3] [--warm-up=1]; npm run bench:quick
import { readdirSync } from 'node:fs'
import { loadavg } from 'node:os'
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

const names = process.argv.slice(2).filter((argument) => !argument.startsWith('--'))
if (process.argv.includes('--quick')) {
  process.exitCode = (await quick(tell)) ? 0 : 1
} else {
  const rows = await allRows()
  const unknown = names.filter((name) => !rows.some((row) => row.name === name))
  if (unknown.length > 0)
    throw new Error(`There is no row '${unknown.join("', '")}'. There are: ${rows.map(({ name }) => name).join(', ')}`)
  const results: Result[] = []
  for (const row of rows) if (names.length === 0 || names.includes(row.name)) results.push(await measure(row))
  if (names.length === 0) await writeResults(results)
  const missed = results.flatMap(({ findings }) => findings.filter((finding) => reached(finding) === false))
  const failed = results.filter(({ failure }) => failure !== null)
  console.log(`${missed.length} of the goals missed, ${failed.length} of the rows failed.`)
  // A goal that is missed is a result; a row that could not be measured is a fault.
  if (failed.length > 0) process.exitCode = 1
}
process.exit()
