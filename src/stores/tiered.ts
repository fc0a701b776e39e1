import { checkKeys } from '../core/check-keys.ts'
import { type Duration, parseDuration } from '../core/duration.ts'
import { SojournError } from '../core/errors.ts'
import { parseSize, type Size } from '../core/size.ts'
import type { Store } from '../core/store.ts'
import { Overflow } from './tiered/overflow.ts'
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
   * 'write-through': each write reaches `next` before it is acknowledged. 'overflow': sessions live in memory, and go to `next` when
   * it has no room for them, for safety, and in the end; for one process alone.
   *
   * @default 'write-through'
   */
  readonly mode?: 'write-through' | 'overflow' | undefined
  /**
   * How old a session in memory may be, counted from when `next` was asked for it: for so long this process may go on serving a session that
   * another one has changed or ended.
   *
   * @default '5s'; '30s' while `next` tells of what others change (Redis, PostgreSQL), which is then known within milliseconds. Not in overflow mode
   */
  readonly staleness?: Duration | undefined
  /**
   * Whether `next` is asked to tell of what others change, where it can. Each change is then told to each process, which the server pays
   * for by their number; false leaves `staleness` alone. Not in overflow mode.
   *
   * @default true
   */
  readonly channel?: boolean | undefined
  /**
   * In overflow mode, for how long what was written may be in memory alone: what a crash can lose.
   *
   * @default '1m'
   */
  readonly backup?: Duration | undefined
  /** Where the sessions live. It is closed with this one. */
  readonly next: Store
}

const untold = '5s'
const told = '30s'
const unsaved = '1m'

/**
 * Keeps the sessions that are in use in this process's memory, in front of another store.
 *
 * By default each write reaches `next` before it is acknowledged; reads are answered from memory for as long as `staleness` allows. Any number of
 * processes may stand before one `next`. No session is refused by what memory says: then `next` is asked.
 *
 * In overflow mode one process alone works on `next`; a crash loses what was written in the last minute.
 *
 * @throws SojournError `ERR_SOJOURN_OPTION` for an option that is none. In overflow mode verbs reject with
 *   `ERR_SOJOURN_STORE_OWNED` where another process is at work on `next`; `close` with `ERR_SOJOURN_STORE` where not all could be moved.
 */
export function tiered(options: TieredOptions): Store {
  checkKeys(options, ['memory', 'mode', 'staleness', 'channel', 'backup', 'next'], '')
  checkKeys(options.memory, ['maxBytes'], 'memory.')
  const { next, mode = 'write-through', memory: { maxBytes = '256 MB' } = {}, staleness, channel, backup } = options
  if (typeof next?.get !== 'function') {
    throw new SojournError('ERR_SOJOURN_OPTION', 'tiered() needs the store that is behind it, such as tiered({ next: redis(client) }).')
  }
  const bytes = parseSize(maxBytes, 'memory.maxBytes')
  if (mode === 'overflow') {
    refuse('staleness', staleness, mode)
    refuse('channel', channel, mode)
    return new Overflow(next, { maxBytes: bytes, backup: parseDuration(backup ?? unsaved, 'backup') })
  }
  if (mode !== 'write-through') {
    throw new SojournError('ERR_SOJOURN_OPTION', `mode is ${JSON.stringify(mode)}; it must be 'write-through' or 'overflow'.`)
  }
  refuse('backup', backup, mode)
  if (channel !== undefined && typeof channel !== 'boolean') {
    throw new SojournError('ERR_SOJOURN_OPTION', `channel is ${JSON.stringify(channel)}; it must be true or false.`)
  }
  return new WriteThrough(next, {
    maxBytes: bytes,
    channel,
    staleness: { told: parseDuration(staleness ?? told, 'staleness'), untold: parseDuration(staleness ?? untold, 'staleness') },
  })
}

/** An option of the other mode would go unheard. */
function refuse(option: string, value: unknown, mode: string): void {
  if (value === undefined) return
  throw new SojournError('ERR_SOJOURN_OPTION', `${option} was given, which means nothing in the mode '${mode}'; leave it out.`)
}
