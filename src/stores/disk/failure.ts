import { constants } from 'node:os'
import { setTimeout } from 'node:timers/promises'
import { SojournError } from '../../core/errors.ts'

const { ENOSPC, EFBIG, EDQUOT } = constants.errno
const mapFull = -30792
const full = new Set<unknown>([ENOSPC, EFBIG, EDQUOT, mapFull, 'ENOSPC', 'EFBIG', 'EDQUOT'])

/** What a failure of lmdb's, or of the file system's, is to the caller. */
export function failure(name: string, verb: string, cause: unknown): SojournError {
  if (cause instanceof SojournError) return cause
  if (isFull(cause)) {
    return new SojournError(
      'ERR_SOJOURN_STORE_FULL',
      `The disk that the store ${name} is on has no room left to ${verb}. Nothing that was acknowledged is lost: free some space.`,
      { cause },
    )
  }
  return new SojournError(
    'ERR_SOJOURN_STORE',
    `The store ${name} failed to ${verb}: ${messageOf(cause)}. Look at the disk; if that is sound, restart the process.`,
    { cause },
  )
}

/**
 * Why a commit failed. lmdb rejects each write of it with the same empty words, and tells the reason by a promise of its own,
 * which would be an unhandled rejection if nobody looked, and which it may forget to settle.
 */
export async function reasonOf(thrown: unknown): Promise<unknown> {
  if (!(thrown instanceof Error) || !('commitError' in thrown)) return thrown
  const waited = new AbortController()
  const reason = Promise.resolve(thrown.commitError).catch((cause: unknown) => cause)
  try {
    return (await Promise.race([reason, setTimeout(1000, undefined, { signal: waited.signal })])) ?? thrown
  } finally {
    waited.abort()
  }
}

function isFull(cause: unknown): boolean {
  return cause instanceof Error && 'code' in cause && full.has(cause.code)
}

function messageOf(cause: unknown): string {
  return cause instanceof Error ? cause.message : String(cause)
}
