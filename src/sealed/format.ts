import { type Content, ContentFormat } from '../core/content.ts'
import { SojournError } from '../core/errors.ts'

/** Session data as they are written in a seal: as in a record, but what can't be read is not kept aside, for want of room and of a place. */
export class SealedFormat<Data> extends ContentFormat<Data> {
  override decode(text: string): Content<Data> {
    try {
      return super.decode(text)
    } catch (error) {
      if (!this.isUnreadable(error)) throw error
      throw new SojournError(
        'ERR_SOJOURN_DATA_UNREADABLE',
        'The data in a sealed session can not be decoded, migrated or validated by this release (`cause` says why). The session goes on with the initial data, and the cookie stays as it is until something is written.',
        { cause: error },
      )
    }
  }

  override setAside(): Content<Data> {
    return this.initial()
  }
}
