import type { Content } from '../core/content.ts'
import type { KnownContent } from '../core/recent-content.ts'
import type { SessionId } from '../core/token.ts'
import type { SealedRecord } from './record.ts'

/** What is inside a seal, which requests share that bring the same one. */
export class Opened<Data> implements KnownContent<Data> {
  readonly record: SealedRecord
  /** Whether it was sealed with the key that seals now. */
  readonly isCurrent: boolean
  #content: Content<Data> | null

  /** @param content what the record's data decode to, where that is known */
  constructor(record: SealedRecord, isCurrent: boolean, content: Content<Data> | null) {
    this.record = record
    this.isCurrent = isCurrent
    this.#content = content
  }

  find(_id: SessionId, text: string): Content<Data> | null {
    return text === this.record.data ? this.#content : null
  }

  keep(_id: SessionId, text: string, content: Content<Data>): void {
    // What a request makes of it is for a seal of its own.
    if (text === this.record.data) this.#content = content
  }
}
