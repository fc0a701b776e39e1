import { placeOf, places } from '../core/places.ts'
import type { Opened } from './opened.ts'
import { bodyAt } from './sealer.ts'

interface Entry<Data> {
  readonly name: string
  readonly seal: string
  readonly opened: Opened<Data>
}

/** Of a seal, in characters: all that are kept take 8 MB, and some 20 MB what was in them, as most sessions are. */
const longestKept = 4000
/** So many at a seal's end are of its authentication tag alone. */
const tagCharacters = 20

/**
 * What was opened or sealed last, so that a seal that comes again need not be: a browser sends one with each of a page's requests,
 * and to decrypt, check and parse it takes longer than all else that a session does. Each seal has one place, which others may have
 * too. Whether a session has expired, or was revoked, is asked each time; one that has is dropped, as at the logout.
 */
export class RecentSeals<Data> {
  readonly #entries: (Entry<Data> | undefined)[] = new Array<undefined>(places).fill(undefined)

  find(name: string, seal: string): Opened<Data> | null {
    const entry = this.#entries[placeOf(seal, bodyAt)]
    return entry !== undefined && entry.name === name && isSame(entry.seal, seal) ? entry.opened : null
  }

  keep(name: string, seal: string, opened: Opened<Data>): void {
    // Copied: a part of a text keeps the whole of it in memory, here all cookies of the request.
    if (seal.length <= longestKept)
      this.#entries[placeOf(seal, bodyAt)] = { name, seal: Buffer.from(seal, 'latin1').toString('latin1'), opened }
  }

  drop(seal: string): void {
    const place = placeOf(seal, bodyAt)
    if (this.#entries[place]?.seal === seal) this.#entries[place] = undefined
  }

  clear(): void {
    this.#entries.fill(undefined)
  }
}

/** Takes as long for a seal with a wrong tag wherever that differs; who has the right one has the seal. */
function isSame(kept: string, seal: string): boolean {
  const { length } = kept
  if (seal.length !== length) return false
  let difference = 0
  for (let i = length - tagCharacters; i < length; i++) difference |= kept.charCodeAt(i) ^ seal.charCodeAt(i)
  return difference === 0 && kept === seal
}
