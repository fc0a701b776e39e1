import { adopt, sameContent } from './adopt.ts'
import { asItIs, type Rework } from './compose.ts'
import type { Content, ContentFormat } from './content.ts'
import type { KnownContent } from './recent-content.ts'
import type { SessionRecord } from './store.ts'
import type { SessionId } from './token.ts'

interface Reporter {
  report(error: unknown): void
}

/** The content that one request works on: decoded when it is first looked at, compared at the commit with what it was. */
export class WorkingCopy<Data extends object> {
  readonly #format: ContentFormat<Data>
  readonly #reporter: Reporter
  /** Where the text that it started from is to be read: to open it may cost, and is for those who look. */
  #record: Pick<SessionRecord, 'id' | 'data'> | null
  readonly #known: KnownContent<Data> | null
  /** The stored text that it started from; null for the initial content, and until it is read. */
  #text: string | null = null
  #base: Content<Data> | null = null
  #mine: Content<Data> | null = null
  /** What is still to be made of `#mine`, by the next who looks: for most, nobody does. */
  #rework: (() => void) | null = null
  /** The lists and objects of `#mine` that are our own, and may be changed in place. */
  #made: object[] = []

  /** @param known where the decoded content of a record may be found, and is left for others */
  constructor(
    format: ContentFormat<Data>,
    record: Pick<SessionRecord, 'id' | 'data'> | null,
    known: KnownContent<Data> | null,
    reporter: Reporter,
  ) {
    this.#format = format
    this.#record = record
    this.#known = known
    this.#reporter = reporter
  }

  get baseText(): string | null {
    if (this.#record !== null) {
      this.#text = this.#record.data
      this.#record = null
    }
    return this.#text
  }

  /** Whether the request ever looked: only then can it have changed anything. */
  get isLoaded(): boolean {
    return this.#mine !== null
  }

  get isChanged(): boolean {
    return this.#mine !== null && !sameContent(this.base(), this.content())
  }

  /** What the request started from. */
  base(): Content<Data> {
    return (this.#base ??= this.#read())
  }

  /** What the request sees and changes. */
  content(): Content<Data> {
    this.#rework?.()
    if (this.#mine === null) {
      this.#mine = this.#format.copy(this.base(), this.#made)
    }
    return this.#mine
  }

  /** This text, which decodes to `content`, was stored: changes count from there. What the handler changed while that was on its way stays a change. */
  rebase(id: SessionId, text: string | null, content: Content<Data> | null, rework: Rework<Data>): void {
    this.rebaseUnseen(id, text, content, rework)
    this.#rework?.()
  }

  /** The same at the end of a request: what others wrote comes in only if somebody looks after all. */
  rebaseUnseen(id: SessionId, text: string | null, content: Content<Data> | null, rework: Rework<Data>): void {
    this.#rework?.()
    if (this.#mine !== null && rework !== asItIs) {
      const base = this.base()
      this.#rework = () => {
        this.#rework = null
        const mine = this.#mine!
        const next = rework(mine, base)
        if (next !== mine) this.become(next)
      }
    }
    this.#record = null
    this.#text = text
    this.#base = content
    if (text !== null && content !== null) this.#known?.keep(id, text, content)
  }

  /** Back to the initial content, in the same objects. */
  restart(): void {
    this.#record = null
    this.#text = null
    this.#base = null
    this.#rework = null
    if (this.#mine === null) return
    this.#base = this.#format.initial()
    this.become(this.#base)
  }

  /** Other content in the same `data` object, which the handler may hold. */
  become(content: Content<Data>): void {
    if (this.#mine === null) return
    const ours = new Set(this.#made)
    const next = this.#format.copy(content, this.#made)
    if (ours.has(this.#mine.data)) {
      adopt(this.#mine.data, next.data, (container) => ours.has(container))
      next.data = this.#mine.data
    }
    this.#mine = next
  }

  #read(): Content<Data> {
    const id = this.#record?.id
    const text = this.baseText
    if (text === null) return this.#format.initial()
    const known = id === undefined ? null : this.#known?.find(id, text)
    if (known) return known
    try {
      const content = this.#format.decode(text)
      if (id !== undefined) this.#known?.keep(id, text, content)
      return content
    } catch (error) {
      if (!this.#format.isUnreadable(error)) throw error
      this.#reporter.report(error)
      return this.#format.setAside(text)
    }
  }
}
