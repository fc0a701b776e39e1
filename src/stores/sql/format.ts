import { SojournError } from '../../core/errors.ts'
import type { Columns, FoundColumn } from './dialect.ts'

const format = 1

/** Stands in the table's comment. */
export const formatNote = `sojourn sessions, format ${format}`

const searched: readonly (keyof Columns)[] = ['id', 'user_id', 'expires_at']

/**
 * That a table is as this version of sojourn knows it. Further columns are the application's own.
 *
 * @throws SojournError `ERR_SOJOURN_STORE_FORMAT` with what is amiss, and the mend.
 */
export function checkFormat(name: string, table: string, expected: Columns, found: readonly FoundColumn[], mend: string): void {
  const amiss = objection(expected, found)
  if (amiss !== null) throw new SojournError('ERR_SOJOURN_STORE_FORMAT', `The store ${name}: the table ${table} ${amiss(mend)}`)
}

function objection(expected: Columns, found: readonly FoundColumn[]): ((mend: string) => string) | null {
  if (found.length === 0) return (mend) => `is not there. ${mend}`
  // Whoever made the table by a tool of their own may have left the note out.
  const noted = Number(/sojourn sessions, format (\d+)/.exec(found[0]!.note)?.[1] ?? format)
  if (noted !== format)
    return () => `is of format ${noted}, and this version of sojourn knows ${format}. Upgrade sojourn, or name another table.`
  const columns = new Map(found.map((column) => [column.name, column]))
  for (const [column, type] of Object.entries(expected)) {
    const there = columns.get(column)
    if (there === undefined)
      return () => `has no column ${column}, so it is not sojourn's. Name another table, or make it as schema() prints it.`
    if (there.type.toLowerCase() !== type) {
      return () => `has ${column} as ${there.type}, which must be ${type}. Name another table, or alter that column.`
    }
  }
  const slow = searched.find((column) => columns.get(column)?.indexed !== true)
  return slow === undefined ? null : (mend) => `has no index that begins with ${slow}. ${mend}`
}
