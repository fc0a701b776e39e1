import { SojournError } from '../../core/errors.ts'

const refusals: readonly (readonly [pattern: RegExp, mend: string])[] = [
  [/\bLOADING\b/, 'It reads its data after a start: it will answer when that is done'],
  [/\bREADONLY\b/, 'This server is a replica: name the primary, or a name that follows it'],
  [/\b(CLUSTERDOWN|MASTERDOWN|TRYAGAIN)\b/, 'The cluster gets over a lost node, or has lost too many: look at `redis-cli cluster info`'],
  [/\bNOREPLICAS\b/, 'Its replicas are away, and min-replicas-to-write asks for them'],
  [/\bMISCONF\b/, 'It cannot write to its disk: look at its log'],
  [/\b(NOAUTH|WRONGPASS|NOPERM)\b/, 'Look at the user and password, and at the permissions in docs/stores/redis.md'],
]

/** A client's failure as ours. What was sent is no part of it: an error may be logged, and sessions must not be. */
export function failure(store: string, cause: unknown): SojournError {
  if (cause instanceof SojournError) return cause
  const message = (cause instanceof Error ? cause.message : String(cause)).replace(/\.+$/, '')
  if (typeof cause === 'object' && cause !== null && 'command' in cause) Reflect.deleteProperty(cause, 'command')
  if (/\bOOM command not allowed\b|No space left/i.test(message)) {
    return new SojournError(
      'ERR_SOJOURN_STORE_FULL',
      `The store ${store} is full (${message}). Raise the server's maxmemory, or make room on its disk; what ends sessions is still let through.`,
      { cause },
    )
  }
  if (message.startsWith('WRONGTYPE')) {
    return new SojournError(
      'ERR_SOJOURN_STORE_FORMAT',
      `The store ${store} met a key that another program wrote. Give each its own prefix.`,
      { cause },
    )
  }
  const mend = refusals.find(([pattern]) => pattern.test(message))?.[1] ?? 'Look whether the server is up and can be reached'
  return new SojournError('ERR_SOJOURN_STORE', `The store ${store} failed: ${message}. ${mend}.`, { cause })
}
