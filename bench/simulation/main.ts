/*
 * Runs the simulation and puts its tables into docs/scale.md, between the markers: `npx tsx bench/simulation/main.ts`, some ten
 * minutes. With names (`steady storm`) it runs those alone and prints them. The same figures come out each time, for the same costs.json.
 */
import { readFile, writeFile } from 'node:fs/promises'
import { failover } from './scenarios/failover.ts'
import { loginStorm } from './scenarios/login-storm.ts'
import { goingHome, sweepers } from './scenarios/mass-expiry.ts'
import { regionLoss } from './scenarios/region-loss.ts'
import { restart } from './scenarios/restart.ts'
import { revocation } from './scenarios/revocation.ts'
import { steady } from './scenarios/steady.ts'
import { markdown, type Table } from './table.ts'

const scenarios: Readonly<Record<string, (tell: (line: string) => void) => Promise<Table>>> = {
  steady,
  revocation,
  storm: loginStorm,
  home: goingHome,
  sweepers,
  restart,
  failover,
  region: regionLoss,
}

const asked = process.argv.slice(2)
const unknown = asked.filter((name) => !Object.hasOwn(scenarios, name))
if (unknown.length > 0) {
  console.error(`There is no scenario '${unknown.join("', '")}'. There are: ${Object.keys(scenarios).join(', ')}`)
  process.exit(1)
}

const tables: string[] = []
for (const [name, scenario] of Object.entries(scenarios)) {
  if (asked.length > 0 && !asked.includes(name)) continue
  const table = markdown(await scenario((line) => console.error(line)))
  tables.push(table)
  console.log(`${table}\n`)
}

if (asked.length === 0) {
  const page = new URL('../../docs/scale.md', import.meta.url)
  const [begin, end] = ['<!-- simulation -->', '<!-- /simulation -->']
  const text = await readFile(page, 'utf8')
  if (!text.includes(begin) || !text.includes(end)) throw new Error(`docs/scale.md lacks the markers ${begin} and ${end}.`)
  const [before, after] = [text.slice(0, text.indexOf(begin) + begin.length), text.slice(text.indexOf(end))]
  await writeFile(page, `${before}\n\n${tables.join('\n\n')}\n\n${after}`)
}
// What managers wait for in virtual time keeps nothing alive; a handle of the library might.
process.exit(0)
