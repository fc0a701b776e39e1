import type { Content } from './content.ts'
import { placeOf, places } from './places.ts'
import type { SessionId } from './token.ts'

interface Entry<Data> {
  readonly text: string
  readonly content: Content<Data>
}

/** Where the decoded content of a record may be found, and is left for others. Nobody changes what is kept: requests work on copies. */
export interface KnownContent<Data> {
  find(id: SessionId, text: string): Content<Data> | null
  keep(id: SessionId, text: string, content: Content<Data>): void
}

/** Where an ID's last two characters begin. */
const idEnd = 14
/** So that what is kept here stays below some 30 MB, whatever sessions hold. */
const longestKept = 4000

/**
 * The decoded content of the sessions that were read or written last, so that one whose text is still the same need not be parsed
 * again: a copy of what was parsed takes a tenth of the time. Each session has one place, which others may have too; a place is
 * found by two characters of the ID, which are random.
 */
export class RecentContent<Data> implements KnownContent<Data> {
  readonly #entries: (Entry<Data> | undefined)[] = new Array<undefined>(places).fill(undefined)

  find(id: SessionId, text: string): Content<Data> | null {
    const entry = this.#entries[placeOf(id, idEnd)]
    return entry !== undefined && entry.text === text ? entry.content : null
  }

  keep(id: SessionId, text: string, content: Content<Data>): void {
    if (text.length <= longestKept) this.#entries[placeOf(id, idEnd)] = { text, content }
  }
}
