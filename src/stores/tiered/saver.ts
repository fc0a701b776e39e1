import { SojournError } from '../../core/errors.ts'
import type { SessionRecord, Store, Touch } from '../../core/store.ts'
import type { PromptStore } from '../memory.ts'
import type { Claim } from './claim.ts'
import { type Resident, Residents, unknown } from './residents.ts'

const workersAtMost = 16
const savesOfClose = 64
const lookEvery = 1000
const pauseAfterFailure = 500
const freshly = { fresh: true }

export interface SaverOptions {
  /** For how long, in ms, memory may be ahead of `next`. */
  readonly backup: number
  /** What may be on its way out of memory, in bytes, before who writes must wait. */
  readonly mostLeaving: number
}

/**
 * Brings what memory has to `next`: what was pushed out of it, what has waited for long enough, and all of it in the end. What leaves is
 * held here until it has arrived. Work on one session's record in `next` is done one after the other.
 */
export class Saver {
  readonly residents = new Residents()
  readonly #next: Store
  readonly #memory: () => PromptStore
  readonly #claim: Claim
  readonly #options: SaverOptions
  readonly #leaving = new Map<string, SessionRecord>()
  /** Those of them that no worker has taken yet. */
  readonly #queue = new Set<string>()
  readonly #listings = new Set<Set<string>>()
  readonly #sweeps = new Set<{ readonly now: number; readonly done: Promise<unknown> }>()
  #leavingBytes = 0
  #workers = 0
  #waiting: { readonly resolve: () => void; readonly reject: (error: unknown) => void }[] = []
  readonly #timer: NodeJS.Timeout

  constructor(next: Store, memory: () => PromptStore, claim: Claim, options: SaverOptions) {
    this.#next = next
    this.#memory = memory
    this.#claim = claim
    this.#options = options
    this.#timer = setInterval(() => this.#pump(), Math.min(lookEvery, options.backup)).unref()
  }

  get isCrowded(): boolean {
    return this.#leavingBytes > this.#options.mostLeaving
  }

  /** Resolves when there is room again for what leaves. @throws what it could not be saved for */
  room(): Promise<void> {
    this.#pump()
    return new Promise((resolve, reject) => this.#waiting.push({ resolve, reject }))
  }

  /** Takes what memory has no room for: `next` has it already, or it leaves. */
  readonly spill = (record: SessionRecord): void => {
    const resident = this.residents.find(record.id)
    if (resident === undefined) return
    if (resident.isDirty) {
      for (const moved of this.#listings) moved.add(record.id)
      this.#leaving.set(record.id, record)
      this.#queue.add(record.id)
      this.#leavingBytes += sizeOf(record)
      if (this.#workers === 0) queueMicrotask(() => this.#pump())
    } else if (resident.work === null) this.residents.remove(resident)
  }

  /** The IDs of those that are on their way out. */
  leaving(): string[] {
    return [...this.#leaving.keys()]
  }

  /** What is on its way out, which is as good as in memory. */
  leavingOf(id: string): SessionRecord | undefined {
    return this.#leaving.get(id)
  }

  /** The record, if it is here. */
  peek(id: string): SessionRecord | null {
    return this.#memory().get(id) ?? this.#leaving.get(id) ?? null
  }

  /**
   * Notes what is on its way out now, or sets out until `end`: what a listing of memory may miss, even if it comes back.
   */
  noteMoved(): { readonly moved: ReadonlySet<string>; readonly end: () => void } {
    const moved = new Set(this.#leaving.keys())
    this.#listings.add(moved)
    return { moved, end: () => this.#listings.delete(moved) }
  }

  /** It is in memory again, or gone for good. */
  stay(id: string): void {
    const record = this.#leaving.get(id)
    if (record === undefined) return
    this.#leaving.delete(id)
    this.#queue.delete(id)
    this.#leavingBytes -= sizeOf(record)
  }

  /**
   * While `next` is swept nothing is saved over a copy that the sweep may take: whether it took it is known afterwards, and what lives on
   * is here until then.
   */
  async duringSweep<T>(now: number, sweep: () => Promise<T>): Promise<T> {
    const done = sweep()
    const going = { now, done }
    this.#sweeps.add(going)
    try {
      return await done
    } finally {
      this.#sweeps.delete(going)
    }
  }

  /** Resolves when all sweeps of `next` are over that have begun by now. */
  async sweepsOver(): Promise<void> {
    await Promise.all(Array.from(this.#sweeps, async ({ done }) => await settled(done)))
  }

  changed(id: string): Resident {
    const resident = this.residents.find(id) ?? this.residents.add(id, 0, 0)
    this.residents.changed(resident, performance.now())
    return resident
  }

  /** Resolves when `next` has what memory has now, or later. */
  async save(id: string): Promise<void> {
    await this.alone(id, async (resident) => {
      if (resident.isDirty) await this.#send(resident)
    })
  }

  /** Does work on `next` that concerns a session when all that came before is done, and before all that comes after. */
  async alone<T>(id: string, work: (resident: Resident) => Promise<T>): Promise<T> {
    const resident = this.residents.find(id) ?? this.residents.add(id, unknown, 0)
    const before = resident.work
    const going = before === null ? work(resident) : settled(before).then(async () => await work(resident))
    resident.work = going
    try {
      return await going
    } finally {
      if (resident.work === going) {
        resident.work = null
        if (this.peek(id) === null) this.residents.remove(resident)
      }
    }
  }

  /** Saves all there is. @throws when some of it could not be saved */
  async finish(): Promise<void> {
    clearInterval(this.#timer)
    const all: string[] = []
    for (let resident = this.residents.firstDirty; resident !== null; resident = resident.later) all.push(resident.id)
    let failed = 0
    let cause: unknown
    for (let from = 0; from < all.length; from += savesOfClose) {
      const answers = await Promise.allSettled(all.slice(from, from + savesOfClose).map(async (id) => await this.save(id)))
      for (const answer of answers) {
        if (answer.status === 'fulfilled') continue
        failed++
        cause = answer.reason
      }
    }
    if (failed === 0) return
    throw new SojournError(
      'ERR_SOJOURN_STORE',
      `${failed} of ${all.length} sessions in memory could not be brought to the store ${this.#next.name} before it was closed, and are lost.`,
      { cause },
    )
  }

  #pump(): void {
    if (this.#workers >= workersAtMost) return
    const id = this.#take()
    if (id === undefined) return
    this.#workers++
    void this.#work(id)
    this.#pump()
  }

  async #work(first: string): Promise<void> {
    for (let id: string | undefined = first; id !== undefined; id = this.#take()) {
      try {
        await this.save(id)
        if (!this.isCrowded) for (const { resolve } of this.#waiting.splice(0)) resolve()
      } catch (error) {
        if (this.#leaving.has(id)) this.#queue.add(id)
        for (const { reject } of this.#waiting.splice(0)) reject(error)
        await new Promise((resolve) => setTimeout(resolve, pauseAfterFailure).unref())
      }
    }
    this.#workers--
  }

  /** What is to be saved next: what leaves, then what has waited for long enough. */
  #take(): string | undefined {
    for (const id of this.#queue) {
      this.#queue.delete(id)
      return id
    }
    let resident = this.residents.firstDirty
    while (resident !== null && resident.work !== null) resident = resident.later
    const isDue = resident !== null && performance.now() - resident.dirtySince >= this.#options.backup
    return isDue ? resident!.id : undefined
  }

  async #send(resident: Resident): Promise<void> {
    const { id } = resident
    for (const { now, done } of this.#sweeps) if (resident.stored !== 0 && resident.storedExpiry <= now) await settled(done)
    // Another process may have taken the store over, and written what this one knows nothing of.
    const claiming = this.#claim.check()
    if (claiming !== null) await claiming
    const record = this.peek(id)
    if (record === null) return
    const { changes } = resident
    if (resident.stored === unknown) await this.#look(resident)
    if (resident.stored === record.version) {
      const touches = touchesOf(record, resident.storedExpiry)
      for (const touch of touches) await this.#next.touch([touch])
    }
    // Or no more: a sweep that came while the touch was on its way may have taken what it was for.
    if (resident.stored !== record.version) await this.#put(resident, record)
    resident.stored = record.version
    resident.storedExpiry = record.expiresAt
    const isLast = resident.changes === changes
    this.residents.saved(resident)
    if (isLast) this.stay(id)
    // What it became meanwhile waits anew.
    else this.residents.changed(resident, performance.now())
  }

  async #put(resident: Resident, record: SessionRecord): Promise<void> {
    const expected = resident.stored
    resident.stored = unknown
    if (await this.#next.put(record, expected)) return
    // An earlier put whose answer was lost may have landed.
    await this.#look(resident)
    const { stored } = resident
    if (stored === record.version) return
    if (stored > record.version || !(await this.#next.put(record, stored))) throw this.#claim.lose()
  }

  async #look(resident: Resident): Promise<void> {
    const found = await this.#next.get(resident.id, freshly)
    resident.stored = found?.version ?? 0
    resident.storedExpiry = found?.expiresAt ?? 0
  }
}

/**
 * The touches that bring a stored record, which expires then, to these times. One lands only on what had not expired when it was
 * used: of several uses that were noted in memory alone the last may be later than that, so one comes before it.
 */
function touchesOf({ id, userId, version, lastSeenAt, expiresAt }: SessionRecord, storedExpiry: number): Touch[] {
  const touch = { id, userId, version, lastSeenAt, expiresAt }
  if (expiresAt <= storedExpiry) return []
  if (lastSeenAt < storedExpiry) return [touch]
  const before = { ...touch, lastSeenAt: storedExpiry - 1, expiresAt: expiresAt - 1 }
  return expiresAt - 1 > storedExpiry ? [before, touch] : [{ ...touch, lastSeenAt: storedExpiry - 1 }]
}

function sizeOf({ head, data }: SessionRecord): number {
  return 600 + 2 * (head.length + data.length)
}

async function settled(work: Promise<unknown>): Promise<void> {
  await work.then(
    () => {},
    () => {},
  )
}
