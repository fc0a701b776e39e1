import { type Codec, copyJson, describeObject, json } from './codec.ts'
import { SojournError } from './errors.ts'
import { type StandardSchema, validate } from './schema.ts'
import { clone, isObject } from './values.ts'

/** Messages for the next page, each under a key of its own, so that two requests that add and take them never collide. */
export type Flash = Record<string, readonly [kind: string, message: string]>

/** Takes the messages of a kind out, in the order of their keys. */
export function takeMessages(flash: Flash, kind: string): string[] {
  const keys = Object.keys(flash)
    .filter((key) => flash[key]![0] === kind)
    .toSorted()
  const messages = keys.map((key) => flash[key]![1])
  for (const key of keys) delete flash[key]
  return messages
}

/** All that a record's data holds. */
export interface Content<Data> {
  data: Data
  readonly flash: Flash
  /** Stored data that this release could not read, as it was found, kept until somebody can. */
  readonly aside: string | null
}

export interface ContentOptions<Data> {
  readonly initial: () => Data
  readonly codec: Codec
  readonly schema: StandardSchema<Data> | undefined
  readonly schemaVersion: number
  /** How long the encoded data may be, in bytes. */
  readonly maxSize: number
  readonly migrate: ((data: unknown, version: number) => unknown) | undefined
}

/** What stands before the data in a record, where there is anything to say. */
interface Preface {
  flash?: Flash
  aside?: string
}

/**
 * How content is written in a record: a line with the schema's version (and, seldom, flash messages and what was set aside),
 * then the data in the codec's own text.
 */
export class ContentFormat<Data> {
  #options: ContentOptions<Data>

  constructor(options: ContentOptions<Data>) {
    this.#options = options
    this.initial() // An initial value that does not fit the schema, or an asynchronous schema, is told at start.
  }

  /** The content of a session that nothing was written to, made anew each time. */
  initial(): Content<Data> {
    const { initial, schema } = this.#options
    const data = clone(initial())
    if (!isRoot(data))
      throw new SojournError('ERR_SOJOURN_OPTION', `The option initial must answer an object, and answered ${describe(data)}.`)
    return { data: schema === undefined ? data : validate(schema, data), flash: {}, aside: null }
  }

  /** @throws ERR_SOJOURN_DATA_UNENCODABLE or ERR_SOJOURN_DATA_INVALID, naming the path; ERR_SOJOURN_DATA_TOO_LARGE */
  encode(content: Content<Data>): string {
    const { data } = content
    const { codec, schema } = this.#options
    if (!isRoot(data)) {
      throw new SojournError(
        'ERR_SOJOURN_DATA_UNENCODABLE',
        `Session data can't be stored: data is ${describe(data)}, and must be an object.`,
      )
    }
    if (schema !== undefined) validate(schema, data)
    return this.#textOf(content, codec.encode(data))
  }

  #textOf(content: Content<Data>, encoded: string): string {
    const text = this.#join(content, encoded)
    if (this.#fits(text)) return text
    throw new SojournError(
      'ERR_SOJOURN_DATA_TOO_LARGE',
      `Session data take ${Buffer.byteLength(text)} bytes when encoded, and maxDataSize is ${this.#options.maxSize}; keep in the session what belongs to the visit, and the rest in a database.`,
    )
  }

  #join({ flash, aside }: Content<Data>, encoded: string): string {
    return `${this.#options.schemaVersion}${writePreface(flash, aside)}\n${encoded}`
  }

  #fits(text: string): boolean {
    const { maxSize } = this.#options
    // No character takes more than three bytes for each of its UTF-16 units: most texts need no count.
    return text.length * 3 <= maxSize || Buffer.byteLength(text) <= maxSize
  }

  /**
   * Encodes, and copies what was encoded: one walk over the data for both, and the next request need not parse the text. The copy is
   * null where a schema, or another codec, may make something else of the text.
   */
  encodeAndCopy(content: Content<Data>): { readonly text: string; readonly copy: Content<Data> | null } {
    const copy = this.copyToStore(content)
    if (copy === null) return { text: this.encode(content), copy }
    const text = this.#textOf(copy, JSON.stringify(copy.data))
    return { text, copy }
  }

  /** That copy alone; null also where there is something that can't be stored, of which `encode` tells. */
  copyToStore({ data, flash, aside }: Content<Data>): Content<Data> | null {
    const { codec, schema } = this.#options
    const copy = codec === json && schema === undefined ? copyJson(data) : undefined
    return copy === undefined ? null : { data: copy as Data, flash: copyFlash(flash), aside }
  }

  /** The text of plain content; null where it can't be stored, for a reason that `encode` tells, or only `encode` knows its text. */
  tryEncode(content: Content<Data>): string | null {
    const copy = this.copyToStore(content)
    if (copy === null) return null
    const text = this.#join(copy, JSON.stringify(copy.data))
    return this.#fits(text) ? text : null
  }

  /**
   * Decodes, migrates, validates.
   *
   * @throws ERR_SOJOURN_DATA_NEWER for data of a later release, ERR_SOJOURN_DATA_UNREADABLE for what can't be read
   */
  decode(text: string): Content<Data> {
    const { codec, schema, schemaVersion, migrate } = this.#options
    const line = text.indexOf('\n')
    const version = Number.parseInt(text, 10)
    if (line === -1 || !(version >= 0)) throw unreadable('it was not written by sojourn')
    if (version > schemaVersion) {
      throw new SojournError(
        'ERR_SOJOURN_DATA_NEWER',
        `Session data has the schema version ${version}, and this process knows ${schemaVersion} at most; finish the roll-out of the newer release.`,
      )
    }
    try {
      const preface = readPreface(text.slice(0, line))
      let data: unknown = codec.decode(text.slice(line + 1))
      if (version < schemaVersion && migrate !== undefined) data = migrate(data, version)
      // A migration that answers later, or nothing, would make every change vanish.
      if (!isRoot(data)) throw unreadable(`it is ${describe(data)}, and must be an object (does migrate return it, at once?)`)
      return {
        data: schema === undefined ? (data as Data) : validate(schema, data),
        flash: preface.flash ?? {},
        aside: preface.aside ?? null,
      }
    } catch (cause) {
      if (cause instanceof SojournError && (cause.code === 'ERR_SOJOURN_SCHEMA_ASYNC' || this.isUnreadable(cause))) throw cause
      throw unreadable(cause instanceof SojournError ? cause.message : 'it can not be decoded or migrated', cause)
    }
  }

  /** A copy that shares nothing with the original; `made` gathers the lists and objects of its data. */
  copy(content: Content<Data>, made?: object[]): Content<Data> {
    try {
      return { data: clone(content.data, made), flash: copyFlash(content.flash), aside: content.aside }
    } catch (error) {
      this.encode(content) // A cycle, or nested too deep: told by its path.
      throw error
    }
  }

  isUnreadable(error: unknown): boolean {
    return error instanceof SojournError && error.code === 'ERR_SOJOURN_DATA_UNREADABLE'
  }

  /** The initial content, with the unreadable text set aside in it: what was set aside first is kept. */
  setAside(text: string): Content<Data> {
    return { ...this.initial(), aside: prefaceOf(text).aside ?? text }
  }

  /** What an unreadable record holds, or what was set aside when it was written over; null when all is well. */
  asideOf(text: string): string | null {
    try {
      return this.decode(text).aside
    } catch (error) {
      if (!this.isUnreadable(error)) throw error
      return this.setAside(text).aside
    }
  }
}

function copyFlash(flash: Flash): Flash {
  return isEmpty(flash) ? {} : { ...flash }
}

function isEmpty(flash: Flash): boolean {
  for (const _ in flash) return false
  return true
}

function writePreface(flash: Flash, aside: string | null): string {
  const hasFlash = !isEmpty(flash)
  if (!hasFlash && aside === null) return ''
  return JSON.stringify({ ...(hasFlash && { flash }), ...(aside !== null && { aside }) } satisfies Preface)
}

function readPreface(line: string): Preface {
  const text = line.replace(/^\d+/, '')
  return text === '' ? {} : (JSON.parse(text) as Preface)
}

function prefaceOf(text: string): Preface {
  try {
    return readPreface(text.slice(0, Math.max(0, text.indexOf('\n'))))
  } catch {
    return {} // It can't be read either: the whole text is what there is to keep.
  }
}

function unreadable(why: string, cause?: unknown): SojournError {
  return new SojournError(
    'ERR_SOJOURN_DATA_UNREADABLE',
    `Stored session data can't be read: ${why}. The session goes on with the initial data; what was stored is kept aside (\`sessions.setAside(id)\`).`,
    cause === undefined ? undefined : { cause },
  )
}

/** Session data are a plain object, or a list: what else came of a callback could not be changed in place and stored. */
function isRoot(data: unknown): boolean {
  return isObject(data) || Array.isArray(data)
}

function describe(data: unknown): string {
  return typeof data === 'object' && data !== null
    ? describeObject(data)
    : `${typeof data === 'undefined' || data === null ? '' : 'a '}${data === null ? 'null' : typeof data}`
}
