import { SojournError } from '../../core/errors.ts'

// PostgreSQL cuts a name after 63 characters without a word, and the indexes' names are longer than the table's.
const shape = /^[A-Za-z_][A-Za-z\d_]{0,47}$/

/**
 * A table's or schema's name from the options, fit to be quoted into a statement: no driver has parameters for names.
 *
 * @throws SojournError `ERR_SOJOURN_OPTION` for anything but a letter or `_`, then letters, digits and `_`, at most 48 in all.
 */
export function checkName(option: string, value: string): string {
  if (typeof value === 'string' && shape.test(value) && !/^(sqlite|pg)_/i.test(value)) return value
  throw new SojournError(
    'ERR_SOJOURN_OPTION',
    `The option ${option} is ${JSON.stringify(value)}. Give a name of letters, digits and '_', at most 48, that begins with no digit and is none of the server's own.`,
  )
}

/** How many bytes of UTF-8 a user ID may take: what the indexes of every server here can hold, with room to spare. */
const longest = 1024

/**
 * @returns why a user ID can't be kept character by character; null if it can be.
 */
export function objectionTo(userId: string): string | null {
  if (/\p{Surrogate}/u.test(userId)) return 'has half a surrogate pair in it, which is no text'
  const bytes = Buffer.byteLength(userId)
  return bytes > longest ? `takes ${bytes} bytes, and may take ${longest}` : null
}
