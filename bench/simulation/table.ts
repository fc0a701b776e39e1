/** What a scenario found. */
export interface Table {
  readonly title: string
  /** What was done, for the reader of the table. */
  readonly method: string
  readonly head: readonly string[]
  readonly rows: readonly (readonly string[])[]
}

export function markdown({ title, method, head, rows }: Table): string {
  const line = (cells: readonly string[]): string => `| ${cells.join(' | ')} |`
  return [`### ${title}`, '', method, '', line(head), line(head.map(() => '---')), ...rows.map(line)].join('\n')
}

/** Three digits that count, with thousands apart. */
export function figure(value: number): string {
  if (!Number.isFinite(value)) return '–'
  if (value === 0) return '0'
  const digits = Math.max(0, 2 - Math.floor(Math.log10(Math.abs(value))))
  return Number(value.toPrecision(3)).toLocaleString('en', { maximumFractionDigits: Math.min(digits, 6) })
}

export function percent(share: number): string {
  return `${figure(share * 100)} %`
}
