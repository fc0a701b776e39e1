// npx tsx bench/languages/main.ts: the row alone, with its progress.
import { row } from '../rows/languages.ts'

const findings = await row.run((line) => void process.stderr.write(`${line}\n`))
console.log(`${row.title}\n\n${row.method}\n`)
console.log('| | | rounds | |\n| --- | --- | --- | --- |')
for (const { what, value, unit, spread = [value, value], note } of findings)
  console.log(`| ${what} | ${value.toFixed(3)} ${unit} | ${spread.map((ratio) => ratio.toFixed(3)).join(' to ')} | ${note} |`)
process.exit()
