import { rmSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { versions } from '../measure/databases.ts'
import type { Finding, Row } from '../row.ts'
import { type Chart, chartsOf, draw, folder } from './chart.ts'
import { conditions } from './machine.ts'
import { boundOf, goalOf, measured, reached, tableOf } from './table.ts'

/** What measuring one row came to. */
export interface Result {
  readonly row: Row
  readonly findings: readonly Finding[]
  /** Why it could not be measured. */
  readonly failure: string | null
  readonly seconds: number
}

const path = (name: string) => fileURLToPath(new URL(`../${name}`, import.meta.url))

/**
 * Writes RESULTS.md and its charts anew.
 *
 * @param left the names of the rows that were not measured
 * @param idle what is to be told of idle processors
 */
export async function writeResults(results: readonly Result[], left: readonly string[], idle: string | null): Promise<void> {
  const charts = chartsOf(results)
  rmSync(path(folder), { recursive: true, force: true })
  await draw(charts, path(folder))
  writeFileSync(path('RESULTS.md'), pageOf(results, charts, left, idle))
}

function pageOf(results: readonly Result[], charts: readonly Chart[], left: readonly string[], idle: string | null): string {
  const minutes = Math.round(results.reduce((sum, { seconds }) => sum + seconds, 0) / 60)
  const overview = charts.filter(({ name }) => !results.some(({ row }) => isOf(row, name)))
  return `${[
    '# Results',
    `Written by \`npm run bench\` ([how it measures](README.md)), in one run of ${minutes} minutes${left.length === 0 ? '' : `, without the rows ${left.join(', ')}`}:`,
    conditions(versions, idle).join('\n'),
    'Times are this machine’s own; ratios travel better. R reads one value of a session of some 300 bytes, W changes one so that it is saved. ' +
      'Each figure is the median of the rounds, each ratio that of pairs from the same round; “rounds” has the least and the most.',
    '## Goals',
    'A bound is what the same row measured of something that does less than sessions do: the least of a session written out by hand, a server without ' +
      'sessions. Where a figure is near its bound, what is missing to the goal is what any session would take here, and not this code alone.',
    goals(results),
    ...overview.map(picture),
    ...results.flatMap((result) => section(result, charts)),
  ].join('\n\n')}\n`
}

/** Every figure that has a goal, and every row that could not be measured. */
function goals(results: readonly Result[]): string {
  const lines = results.flatMap(({ row, findings, failure }) => {
    if (failure !== null) return [`| [${row.title}](#${row.name}) | | | | **failed** | |`]
    return findings
      .filter(({ goal }) => goal !== undefined)
      .map(
        (finding) =>
          `| [${row.title}](#${row.name}) | ${finding.what} | ${goalOf(finding)} | ${measured(finding)} | ${reached(finding) ? 'yes' : '**missed**'} | ${boundOf(finding)} |`,
      )
  })
  return ['| where | what | goal | measured | reached | bound |', '| --- | --- | --- | --- | --- | --- |', ...lines].join('\n')
}

function section({ row, findings, failure }: Result, charts: readonly Chart[]): string[] {
  return [
    `<a id="${row.name}"></a>\n\n## ${row.title}`,
    row.method,
    ...(failure === null ? [tableOf(findings)] : [`**This row failed:** ${failure}`]),
    ...charts.filter(({ name }) => isOf(row, name)).map(picture),
  ]
}

const isOf = (row: Row, chart: string) => chart === row.name || (/^-\d+$/.test(chart.slice(row.name.length)) && chart.startsWith(row.name))

const picture = ({ name, title }: Chart) => `![${title}](${folder}/${name}.svg)`
