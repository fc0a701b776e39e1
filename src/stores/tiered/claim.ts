import { randomBytes } from 'node:crypto'
import { readFileSync, readlinkSync } from 'node:fs'
import { hostname } from 'node:os'
import { setTimeout as pause } from 'node:timers/promises'
import { SojournError } from '../../core/errors.ts'
import type { SessionRecord, Store } from '../../core/store.ts'

/** The record by which a process owns a store: no session's, since IDs of sessions are random, and none to the core, which takes it for a tombstone. */
export const claimId = 'sojourn_overflow'

// No sweep comes to it, whatever its clock says.
const expiresAt = 8.64e15
const head = 't{}'

/*
 * The owner renews its claim each second, and works only while the last renewal that landed was sent less than 5 s ago. Whoever comes
 * takes the claim of one that has not renewed it for 6 s, by compare-and-swap: so at no moment two work, whatever their clocks say. Where it can be
 * seen that the owner's process has ended, there is nothing to wait for.
 */
const renewEvery = 1000
const heldFor = 5000
const deadAfter = 6000
const lookEvery = 200

interface Owner {
  readonly owner: string
  /** The machine's start and the space in which process IDs are counted; null where that can't be told. */
  readonly place: string | null
  readonly pid: number
  readonly host: string
}

/** Owns a store, for one process, from `begin` to `release`. */
export class Claim {
  readonly #store: Store
  readonly #name: string
  readonly #owner: Owner = { owner: randomBytes(9).toString('base64url'), place: placeOf(), pid: process.pid, host: hostname() }
  #version = 0
  #heldSince = -Infinity
  #timer: NodeJS.Timeout | null = null
  #renewing: Promise<void> | null = null
  /** What took it away. */
  #lost: SojournError | null = null

  constructor(store: Store, name: string) {
    this.#store = store
    this.#name = name
  }

  /**
   * @param isWanted false when nobody waits for it any more
   * @throws ERR_SOJOURN_STORE_OWNED where another process is at work on the store
   */
  async begin(isWanted: () => boolean): Promise<void> {
    let seen: { readonly version: number; readonly at: number } | null = null
    while (isWanted()) {
      const found = await this.#store.get(claimId, { fresh: true })
      if (found === null || isFree(found) || this.#hasEnded(ownerOf(found)) || isStale(seen, found)) {
        if (await this.#put(found?.version ?? 0)) return this.#keep()
        seen = null
        continue
      }
      if (seen !== null && seen.version !== found.version) throw this.#owned(ownerOf(found))
      seen ??= { version: found.version, at: performance.now() }
      await pause(lookEvery)
    }
  }

  /** @throws ERR_SOJOURN_STORE_OWNED when it was lost, or can't be renewed */
  check(): void {
    if (this.#lost !== null) throw this.#lost
    if (performance.now() - this.#heldSince < heldFor) return
    throw new SojournError(
      'ERR_SOJOURN_STORE',
      `The store ${this.#name} could not renew its claim for ${heldFor / 1000} s, and another process may take it over; look whether the store behind it is up.`,
    )
  }

  /** Somebody else writes here. */
  lose(): SojournError {
    return (this.#lost ??= this.#owned(null))
  }

  async release(): Promise<void> {
    if (this.#timer !== null) clearInterval(this.#timer)
    await this.#renewing
    if (this.#version > 0 && this.#lost === null) await this.#store.put(this.#record(''), this.#version)
  }

  #keep(): void {
    this.#timer = setInterval(() => {
      this.#renewing ??= this.#renew().finally(() => (this.#renewing = null))
    }, renewEvery).unref()
  }

  /** A failure is told by the verbs, when it lasts. */
  async #renew(): Promise<void> {
    try {
      if (await this.#put(this.#version)) return
      // One whose answer was lost may have landed.
      const found = await this.#store.get(claimId, { fresh: true })
      if (found === null) await this.#put(0)
      else if (ownerOf(found)?.owner === this.#owner.owner) this.#version = found.version
      else this.#lost = this.#owned(ownerOf(found))
    } catch {}
  }

  async #put(expected: number): Promise<boolean> {
    const sentAt = performance.now()
    this.#version = expected
    if (!(await this.#store.put(this.#record(JSON.stringify(this.#owner)), expected))) return false
    this.#version = expected + 1
    this.#heldSince = sentAt
    return true
  }

  #record(data: string): SessionRecord {
    const now = Date.now()
    const version = this.#version + 1
    return { id: claimId, version, userId: null, createdAt: now, lastSeenAt: now, expiresAt, head, data }
  }

  #hasEnded(owner: Owner | null): boolean {
    if (owner === null || owner.place === null || owner.place !== this.#owner.place || owner.pid === process.pid) return false
    try {
      process.kill(owner.pid, 0)
      return false
    } catch (error) {
      return error instanceof Error && 'code' in error && error.code === 'ESRCH'
    }
  }

  #owned(owner: Owner | null): SojournError {
    const who = owner === null ? 'another process' : `process ${owner.pid} on ${JSON.stringify(owner.host)}`
    return new SojournError(
      'ERR_SOJOURN_STORE_OWNED',
      `The store ${this.#name} belongs to ${who}, which keeps sessions in its memory: in overflow mode a store has one process. End that one first, or use the mode 'write-through'.`,
    )
  }
}

function isFree({ data }: SessionRecord): boolean {
  return data === ''
}

function isStale(seen: { readonly version: number; readonly at: number } | null, { version }: SessionRecord): boolean {
  return seen !== null && seen.version === version && performance.now() - seen.at >= deadAfter
}

function ownerOf({ data }: SessionRecord): Owner | null {
  try {
    return JSON.parse(data) as Owner
  } catch {
    return null
  }
}

function placeOf(): string | null {
  try {
    return `${readFileSync('/proc/sys/kernel/random/boot_id', 'latin1').trim()} ${readlinkSync('/proc/self/ns/pid')}`
  } catch {
    return null
  }
}
