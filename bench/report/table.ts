import type { Finding } from '../row.ts'

/** 'yes', 'missed', or nothing where there is no goal. */
export function reached({ value, goal }: Finding): boolean | null {
  if (goal === undefined) return null
  if (value === null) return false
  return 'atLeast' in goal ? value >= goal.atLeast : value <= goal.atMost
}

/** '≥ 0.85', or nothing. */
export function goalOf({ goal }: Finding): string {
  if (goal === undefined) return ''
  return 'atLeast' in goal ? `≥ ${figure(goal.atLeast)}` : `≤ ${figure(goal.atMost)}`
}

/** '0.853 × bare' */
export function measured({ value, unit }: Finding): string {
  return value === null ? '**not measured**' : `${figure(value)} ${unit}`
}

/** '0.61, by hand', or nothing. */
export function boundOf({ bound }: Finding): string {
  return bound === undefined ? '' : `${figure(bound.value)}, ${bound.of}`
}

/** Findings as a Markdown table, whose columns are aligned for whoever reads it as it is. */
export function tableOf(findings: readonly Finding[]): string {
  const rows = findings.map((finding) => {
    const { what, spread, note = '' } = finding
    const isReached = reached(finding)
    return [
      what,
      measured(finding),
      spread === undefined ? '' : `${figure(spread[0])} to ${figure(spread[1])}`,
      goalOf(finding),
      isReached === null ? '' : isReached ? 'yes' : '**missed**',
      note.replaceAll('|', '\\|'),
    ]
  })
  const table = [['', 'measured', 'rounds', 'goal', 'reached', ''], ...rows]
  const widths = table[0]!.map((_, column) => Math.max(3, ...table.map((row) => row[column]!.length)))
  const lines = table.map((row) => `| ${row.map((cell, column) => cell.padEnd(widths[column]!)).join(' | ')} |`)
  lines.splice(1, 0, `| ${widths.map((width) => '-'.repeat(width)).join(' | ')} |`)
  return lines.join('\n')
}

/** As many digits as mean something: 0.853, 12.4, 1,234. */
export function figure(value: number): string {
  if (value === 0 || Math.abs(value) >= 100) return Math.round(value).toLocaleString('en')
  return String(Number(value.toPrecision(3)))
}
