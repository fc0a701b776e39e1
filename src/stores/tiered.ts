import { checkKeys } from '../core/check-keys.ts'
import { type Duration, parseDuration } from '../core/duration.ts'
import { SojournError } from '../core/errors.ts'
import { parseSize, type Size } from '../core/size.ts'
import type { Store } from '../core/store.ts'
import { WriteThrough } from './tiered/write-through.ts'

export interface TieredOptions {
  readonly memory?:
    | {
        /**
         * What the sessions in memory may take, with all that finds them: a number of bytes, or text such as '256 MB'. An estimate, on
         * the high side.
         *
         * @default '256 MB'
         */
        readonly maxBytes?: Size | undefined
      }
    | undefined
  /**
   * How old a session in memory may be, counted from when `next` was asked for it: for so long this process may go on serving a session that
   * another one has changed or ended.
   *
   * @default '5s'; '30s' while `next` tells of what others change (Redis, PostgreSQL), which is then known within milliseconds
   */
  readonly staleness?: Duration | undefined
  /** Where the sessions live. It is closed with this one. */
  readonly next: Store
}

const untold = '5s'
const told = '30s'

/**
 * Keeps the sessions that are in use in this process's memory, in front of another store.
 *
 * Each write reaches `next` before it is acknowledged; reads are answered from memory for as long as `staleness` allows. Any number of processes may stand
 * before one `next`. No session is refused by what memory says: then `next` is asked.
 *
 * @throws SojournError `ERR_SOJOURN_OPTION` for an option that is none
 */
export function tiered(options: TieredOptions): Store {
  checkKeys(options, ['memory', 'staleness', 'next'], '')
  checkKeys(options.memory, ['maxBytes'], 'memory.')
  const { next, memory: { maxBytes = '256 MB' } = {}, staleness } = options
  if (typeof next?.get !== 'function') {
    throw new SojournError('ERR_SOJOURN_OPTION', 'tiered() needs the store that is behind it, such as tiered({ next: redis(client) }).')
  }
  return new WriteThrough(next, {
    maxBytes: parseSize(maxBytes, 'memory.maxBytes'),
    staleness: { told: parseDuration(staleness ?? told, 'staleness'), untold: parseDuration(staleness ?? untold, 'staleness') },
  })
}
