import { SojournError } from '../../core/errors.ts'
import type { Trouble } from './dialect.ts'

const mends: Readonly<Record<Exclude<Trouble, 'full' | 'schema' | 'taken'>, string>> = {
  lost: 'Look whether its server is up and can be reached. The store goes on by itself when it is.',
  conflict: 'Other transactions kept getting in its way: look what else locks its table.',
  'read-only': 'It takes no writes: point the client at a server, or a file, that does. After a failover it may be a moment.',
  denied: 'Look at the user and password that it connects with, and grant that user SELECT, INSERT, UPDATE and DELETE on its table.',
  busy: 'Something else kept its table locked: look for a transaction that was left open.',
  other: 'The cause has more.',
}

/** What a failure of the driver's is to the caller. `mend` creates the schema. */
export function failure(name: string, verb: string, cause: unknown, trouble: Trouble, mend: string): SojournError {
  clean(cause)
  const reason = reasonOf(cause)
  if (trouble === 'full') {
    return new SojournError(
      'ERR_SOJOURN_STORE_FULL',
      `The store ${name} has no room left to ${verb}: ${reason}. Nothing that was acknowledged is lost: make room where its data are kept.`,
      { cause },
    )
  }
  if (trouble === 'schema') {
    return new SojournError('ERR_SOJOURN_STORE_FORMAT', `The store ${name} failed to ${verb}: ${reason}. ${mend}`, { cause })
  }
  return new SojournError(
    'ERR_SOJOURN_STORE',
    `The store ${name} failed to ${verb}: ${reason}. ${mends[trouble === 'taken' ? 'other' : trouble]}`,
    { cause },
  )
}

/** PostgreSQL tells the whole row that broke a rule, with the session's data and hashes: an error may be logged, and they must not be. */
function clean(cause: unknown): void {
  if (typeof cause !== 'object' || cause === null) return
  for (const name of ['detail', 'where', 'internalQuery']) if (name in cause) Reflect.deleteProperty(cause, name)
}

/** An error of several addresses that were tried in vain has no message of its own. */
function reasonOf(cause: unknown): string {
  if (!(cause instanceof Error)) return String(cause)
  if (cause.message !== '') return cause.message.replace(/\.$/, '')
  return 'code' in cause ? String(cause.code) : cause.name
}

/** The codes of Node's own for a server that can't be reached, or that went away. */
export const networkCodes: ReadonlySet<unknown> = new Set([
  'ECONNREFUSED',
  'ECONNRESET',
  'ECONNABORTED',
  'EPIPE',
  'ETIMEDOUT',
  'ENOTFOUND',
  'EAI_AGAIN',
  'EHOSTUNREACH',
  'EHOSTDOWN',
  'ENETUNREACH',
  'ENETDOWN',
  'ENOENT',
  'EMFILE',
])
