import { adopt, sameContent } from './adopt.ts'
import type { Rework } from './commit.ts'
import type { Content, ContentFormat } from './content.ts'

/** The content that one request works on: decoded when it is first looked at, compared at the commit with what it was. */
export class WorkingCopy<Data extends object> {
  readonly #format: ContentFormat<Data>
  readonly #onUnreadable: (error: unknown) => void
  /** The stored text that it started from; null for the initial content. */
  #text: string | null
  #base: Content<Data> | null = null
  #mine: Content<Data> | null = null
  /** The lists and objects of `#mine` that are our own, and may be changed in place. */
  #made: object[] = []

  constructor(format: ContentFormat<Data>, text: string | null, onUnreadable: (error: unknown) => void) {
    this.#format = format
    this.#text = text
    this.#onUnreadable = onUnreadable
  }

  get baseText(): string | null {
    return this.#text
  }

  /** Whether the request ever looked: only then can it have changed anything. */
  get isLoaded(): boolean {
    return this.#mine !== null
  }

  get isChanged(): boolean {
    return this.#mine !== null && !sameContent(this.base(), this.#mine)
  }

  /** What the request started from. */
  base(): Content<Data> {
    return (this.#base ??= this.#read())
  }

  /** What the request sees and changes. */
  content(): Content<Data> {
    if (this.#mine === null) {
      this.#mine = this.#format.copy(this.base(), this.#made)
    }
    return this.#mine
  }

  /** This text was stored: changes count from there. What the handler changed while that was on its way stays a change. */
  rebase(text: string, rework: Rework<Data>): void {
    const mine = this.#mine
    const next = mine === null ? null : rework(mine)
    if (next !== null && next !== mine) this.become(next)
    this.#text = text
    this.#base = null
  }

  /** Back to the initial content, in the same objects. */
  restart(): void {
    this.#text = null
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
    if (this.#text === null) return this.#format.initial()
    try {
      return this.#format.decode(this.#text)
    } catch (error) {
      if (!this.#format.isUnreadable(error)) throw error
      this.#onUnreadable(error)
      return this.#format.setAside(this.#text)
    }
  }
}
