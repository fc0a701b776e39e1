import { adopt, mergeContent, sameContent } from './adopt.ts'
import type { Content, ContentFormat } from './content.ts'
import type { DataCore } from './core.ts'
import type { MergeRules } from './merge.ts'

/** The content that one request works on: decoded when it is first looked at, compared at the commit with what it was. */
export class WorkingCopy<Data extends object> {
  readonly #format: ContentFormat<Data>
  readonly #rules: MergeRules
  readonly #onUnreadable: (error: unknown) => void
  /** The stored text that it started from; null for the initial content. */
  #text: string | null
  #base: Content<Data> | null = null
  #mine: Content<Data> | null = null

  constructor({ format, rules }: DataCore<Data>, text: string | null, onUnreadable: (error: unknown) => void) {
    this.#format = format
    this.#rules = rules
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
    return this.#mine !== null && !sameContent((this.#base ??= this.#read()), this.#mine)
  }

  /** What the request sees and changes. */
  content(): Content<Data> {
    if (this.#mine === null) {
      this.#base = this.#read()
      this.#mine = this.#format.copy(this.#base)
    }
    return this.#mine
  }

  replaceData(data: Data): void {
    this.content().data = data
  }

  /**
   * This content was stored as this text: changes count from there. What the handler changed while that was on its way stays,
   * as a change to be stored.
   *
   * @param seen what went into it of what the handler had made; null when nothing did
   */
  rebase(content: Content<Data>, text: string, seen: Content<Data> | null): void {
    if (this.#mine !== null && this.#mine !== content) {
      const from = seen ?? (this.#base ??= this.#read())
      this.#become(sameContent(from, this.#mine) ? content : mergeContent(from, content, this.#mine, this.#rules).content)
    }
    this.#text = text
    this.#base = null
  }

  /** Back to the initial content, in the same objects. */
  restart(): void {
    this.#text = null
    if (this.#mine === null) return
    this.#base = this.#format.initial()
    this.#become(this.#format.copy(this.#base))
  }

  /** Other content in the same `data` object, which the handler may hold. */
  #become(content: Content<Data>): void {
    if (this.#mine === null) return
    adopt(this.#mine.data, content.data)
    this.#mine = { ...content, data: this.#mine.data }
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
