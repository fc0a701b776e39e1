/** What is known of a session in memory beside its record: what `next` has of it. */
export interface Resident {
  readonly id: string
  /** The version that `next` has: 0 for none, `unknown` after a write that failed. */
  stored: number
  /** The expiry that goes with it there. */
  storedExpiry: number
  /** Whether memory is ahead of `next`. */
  isDirty: boolean
  /** When it became so, by the clock of this process. */
  dirtySince: number
  /** Counts what was done to the record, so that a save knows whether it saved the last of it. */
  changes: number
  /** Work on `next` that concerns it: there is one at a time. */
  work: Promise<unknown> | null
  /** Its neighbours among the dirty ones. */
  earlier: Resident | null
  later: Resident | null
}

export const unknown = -1

/** The sessions that are here, by ID, and those among them that are to be saved, in the order in which they became so. */
export class Residents {
  readonly #residents = new Map<string, Resident>()
  #first: Resident | null = null
  #last: Resident | null = null
  dirtyCount = 0

  /** The one that has waited for longest. */
  get firstDirty(): Resident | null {
    return this.#first
  }

  find(id: string): Resident | undefined {
    return this.#residents.get(id)
  }

  /** @param stored the version that `next` has, which expires then */
  add(id: string, stored: number, storedExpiry: number): Resident {
    const resident: Resident = {
      id,
      stored,
      storedExpiry,
      isDirty: false,
      dirtySince: 0,
      changes: 0,
      work: null,
      earlier: null,
      later: null,
    }
    this.#residents.set(id, resident)
    return resident
  }

  remove(resident: Resident): void {
    this.saved(resident)
    if (this.#residents.get(resident.id) === resident) this.#residents.delete(resident.id)
  }

  /** It was changed. One that waits to be saved keeps its place, so that none waits for ever. */
  changed(resident: Resident, now: number): void {
    resident.changes++
    if (resident.isDirty) return
    resident.isDirty = true
    resident.dirtySince = now
    resident.earlier = this.#last
    if (this.#last === null) this.#first = resident
    else this.#last.later = resident
    this.#last = resident
    this.dirtyCount++
  }

  saved(resident: Resident): void {
    if (!resident.isDirty) return
    resident.isDirty = false
    const { earlier, later } = resident
    if (earlier === null) this.#first = later
    else earlier.later = later
    if (later === null) this.#last = earlier
    else later.earlier = earlier
    resident.earlier = resident.later = null
    this.dirtyCount--
  }
}
