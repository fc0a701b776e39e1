import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import type { Finding } from '../row.ts'
import type { Result } from './results.ts'

/** A picture of the results. */
export interface Chart {
  /** The file's, without .svg. */
  readonly name: string
  readonly title: string
  readonly shape: 'bars' | 'lines'
  readonly unit: string
  readonly values: readonly { readonly name: string; readonly value: number; readonly kind?: string; readonly sessions?: number }[]
}

/** Where the charts are, as RESULTS.md names it. */
export const folder = 'charts'

/** One for each row that compares with the bare server, or that tells of growth; and one of all that stands in Express. */
export function chartsOf(results: readonly Result[]): readonly Chart[] {
  const charts = results.flatMap(({ row, findings }) => [
    ...barsOf(row.name, row.title, findings),
    ...linesOf(row.name, row.title, findings),
  ])
  const onExpress = results
    .filter(({ row }) => ['express', 'disk', 'sealed', 'databases'].includes(row.name))
    .flatMap(({ findings }) => findings)
  return [...barsOf('express-all', 'Express 5: throughput by session library and store', onExpress), ...charts]
}

function barsOf(name: string, title: string, findings: readonly Finding[]): Chart[] {
  const values = findings.flatMap(({ what, value, unit }) => {
    const [, entrant, kind] = /^(.*), ([RW])$/.exec(what) ?? []
    // '× bare net/http' as well; never '× bare, 2,500 in turn', which is of the same entrants once more.
    return /^× bare[^,]*$/.test(unit) && entrant !== undefined && value !== null ? [{ name: entrant, kind: kind!, value }] : []
  })
  return values.length === 0 ? [] : [{ name, title, shape: 'bars', unit: 'throughput, × the bare server', values }]
}

function linesOf(row: string, title: string, findings: readonly Finding[]): Chart[] {
  const points = findings.flatMap(({ unit, value, point }) => (point === undefined || value === null ? [] : [{ unit, value, point }]))
  const units = [...new Set(points.map(({ unit }) => unit))]
  return units.map((unit, index) => ({
    name: index === 0 ? row : `${row}-${index + 1}`,
    title,
    shape: 'lines',
    unit,
    values: points.filter((one) => one.unit === unit).map(({ value, point }) => ({ value, name: point.line, sessions: point.sessions })),
  }))
}

/** Writes them as SVG files. @param to the folder */
export async function draw(charts: readonly Chart[], to: string): Promise<void> {
  const program = fileURLToPath(new URL('charts.mjs', import.meta.url))
  const child = spawn(process.execPath, [program, to], { stdio: ['pipe', 'inherit', 'inherit'] })
  child.stdin.end(JSON.stringify(charts))
  const [code] = await once(child, 'exit')
  if (code !== 0) throw new Error(`The charts could not be drawn: ${program} ended with ${code}.`)
}
