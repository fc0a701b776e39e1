import { setTimeout as sleep } from 'node:timers/promises'
import type { SessionRecord, Store } from '../../src/core/store.ts'
import { newRecord } from '../../src/testing/store-cases/rule.ts'

/** What a load saw. */
export interface Seen {
  /** Writes that were acknowledged. */
  acknowledged: number
  /** Of them, those that were not there when the session was read again. */
  lost: number
  /** Verbs that failed, by their error's code. */
  readonly failures: Map<string, number>
  /** The longest that a verb took, in ms. */
  slowest: number
  /** The longest that one session waited from one acknowledged write to the next, in ms. */
  longestGap: number
}

// No outage of a test is as long.
const patience = 30_000

/**
 * Writers, each of whom counts up the data of a session of its own by compare-and-swap, for as long as `goes` says. One whose
 * write fails reads what is there, as the core does, and goes on from that.
 */
export async function countUp(store: Store, writers: number, goes: () => boolean): Promise<Seen> {
  const seen: Seen = { acknowledged: 0, lost: 0, failures: new Map(), slowest: 0, longestGap: 0 }
  await Promise.all(Array.from({ length: writers }, (_, index) => write(newRecord({ userId: `user ${index % 5}`, data: '0' }))))
  return seen

  async function write(first: SessionRecord): Promise<void> {
    let stored: SessionRecord | null = null
    let acknowledged: SessionRecord | null = null
    let last = performance.now()
    while (goes()) {
      const next: SessionRecord =
        stored === null
          ? { ...first, version: first.version + countOf(acknowledged) }
          : { ...stored, version: stored.version + 1, data: `${countOf(stored) + 1}` }
      const landed = await attempt(async () => await store.put(next, stored?.version ?? 0))
      if (landed === true) {
        const now = performance.now()
        seen.longestGap = Math.max(seen.longestGap, now - last)
        last = now
        seen.acknowledged++
        stored = acknowledged = next
        continue
      }
      stored = await readAgain(first.id)
      acknowledged = compared(stored, acknowledged)
    }
    compared(await readAgain(first.id), acknowledged)
    seen.longestGap = Math.max(seen.longestGap, performance.now() - last)
  }

  /** What was acknowledged must be there, or what came after it. */
  function compared(stored: SessionRecord | null, acknowledged: SessionRecord | null): SessionRecord | null {
    if (acknowledged === null || (stored !== null && stored.version >= acknowledged.version)) return acknowledged
    seen.lost += countOf(acknowledged) - (stored === null ? -1 : countOf(stored))
    return stored
  }

  async function readAgain(id: string): Promise<SessionRecord | null> {
    for (const began = performance.now(); performance.now() - began < patience; await sleep(20)) {
      const stored = await attempt(async () => await store.get(id, { fresh: true }))
      if (stored !== undefined) return stored
    }
    throw new Error(`A session could not be read for ${patience / 1000} s: the store does not go on. So far ${told(seen)}`)
  }

  async function attempt<T>(verb: () => Promise<T>): Promise<T | undefined> {
    const began = performance.now()
    try {
      return await verb()
    } catch (error) {
      const code = error instanceof Error && 'code' in error ? String(error.code) : String(error)
      seen.failures.set(code, (seen.failures.get(code) ?? 0) + 1)
      return undefined
    } finally {
      seen.slowest = Math.max(seen.slowest, performance.now() - began)
    }
  }
}

function countOf(record: SessionRecord | null): number {
  return record === null ? 0 : Number(record.data)
}

export function told({ acknowledged, lost, failures, slowest, longestGap }: Seen): string {
  const failed = Array.from(failures, ([code, count]) => `${count} × ${code}`).join(', ') || 'none'
  return `${acknowledged} writes acknowledged, ${lost} of them lost; failed: ${failed}; slowest answer ${Math.round(slowest)} ms, longest pause of a session ${Math.round(longestGap)} ms`
}
