import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { rich } from '../../src/codecs/rich.ts'
import { json } from '../../src/core/codec.ts'
import { ContentFormat } from '../../src/core/content.ts'
import { SojournError } from '../../src/core/errors.ts'
import { anyKey, anyText, plain } from './plain-data.ts'

function formatOf(options: { version?: number; migrate?: (data: unknown, version: number) => unknown; codec?: typeof json } = {}) {
  const { version = 1, migrate, codec = json } = options
  return new ContentFormat<object>({ initial: () => ({}), codec, schema: undefined, schemaVersion: version, maxSize: 1e6, migrate })
}

describe('the text of a record', () => {
  it('holds data, flash messages and what was set aside, whatever they are', () => {
    const format = formatOf()
    const content = fc.record({
      data: fc.dictionary(anyKey, plain, { noNullPrototype: true }),
      flash: fc.dictionary(fc.stringMatching(/^[a-z\d]{1,6}$/), fc.tuple(anyText, anyText), { noNullPrototype: true }),
      aside: fc.option(anyText),
    })
    fc.assert(
      fc.property(content, (value) => {
        const text = format.encode(value)
        expect(Buffer.from(text).toString()).toBe(text)
        expect(format.decode(text)).toEqual(value)
      }),
      { numRuns: 1000 },
    )
  })

  it('comes with a copy of what it decodes to, which shares nothing with what was written', () => {
    const format = formatOf()
    fc.assert(
      fc.property(fc.dictionary(anyKey, plain, { noNullPrototype: true }), (data) => {
        const content = { data, flash: {}, aside: null }
        const { text, copy } = format.encodeAndCopy(content)
        expect(text).toBe(format.encode(content))
        expect(copy).toEqual(format.decode(text))
        for (const key of Object.keys(data)) delete data[key]
        expect(copy).toEqual(format.decode(text))
      }),
      { numRuns: 1000 },
    )
  })

  it('comes without a copy where it may be decoded to something else, and refuses what it would refuse alone', () => {
    const content = { data: { at: new Date(0) }, flash: {}, aside: null }
    expect(formatOf({ codec: rich() }).encodeAndCopy(content)).toEqual({ text: formatOf({ codec: rich() }).encode(content), copy: null })
    const cycle: Record<string, unknown> = {}
    cycle['self'] = [cycle]
    const odd = [
      { at: new Date(0) },
      cycle,
      { list: Array(2) },
      { [Symbol('secret')]: 1 },
      { a: { b: undefined } },
      { n: Number.NaN },
      { f() {} },
    ]
    for (const data of odd) {
      expect(() => formatOf().encodeAndCopy({ data, flash: {}, aside: null })).toThrow(
        expect.objectContaining({ code: 'ERR_SOJOURN_DATA_UNENCODABLE' }),
      )
    }
  })

  it('is as short as can be where there are only data', () => {
    expect(formatOf({ version: 7 }).encode({ data: { a: 1 }, flash: {}, aside: null })).toBe('7\n{"a":1}')
  })

  it('that cannot be read is an error of one code, never another', () => {
    const formats = [formatOf(), formatOf({ codec: rich() })]
    const anyRecord = fc.oneof(
      anyText,
      fc.tuple(anyText, anyText, anyText).map(([version, preface, data]) => `${version}${preface}\n${data}`),
      fc.json().map((text) => `1\n${text}`),
    )
    fc.assert(
      fc.property(anyRecord, (text) => {
        for (const format of formats) {
          const error = errorOf(() => format.decode(text))
          if (error !== null)
            expect(error).toMatchObject({ name: 'SojournError', code: expect.stringMatching(/_(?:UNREADABLE|NEWER)$/) as unknown })
        }
      }),
      { numRuns: 1000 },
    )
  })

  it.each(['', '{}', '1', 'x\n{}', '-1\n{}', '\n{}', '1\n', '1\n{', '1{\n{}', '1{"flash":\n{}', 'NaN\n{}'])(
    '%j was not written by sojourn',
    (text) => {
      expect(errorOf(() => formatOf().decode(text))).toMatchObject({ code: 'ERR_SOJOURN_DATA_UNREADABLE' })
    },
  )
})

describe('versions', () => {
  it('of a newer release are an error that says so', () => {
    expect(errorOf(() => formatOf({ version: 2 }).decode('3\n{}'))).toMatchObject({
      code: 'ERR_SOJOURN_DATA_NEWER',
      status: 503,
      message: expect.stringMatching(/version 3, and this process knows 2 at most/) as unknown,
    })
    expect(errorOf(() => formatOf({ version: 2 }).decode('30{"flash":{}}\nnot even text of this codec'))?.code).toBe(
      'ERR_SOJOURN_DATA_NEWER',
    )
  })

  it('of an older release are migrated, from the one that wrote them', () => {
    const asked: unknown[] = []
    const format = formatOf({ version: 3, migrate: (data, version) => (asked.push([data, version]), { migrated: true }) })
    expect(format.decode('1\n{"a":1}').data).toEqual({ migrated: true })
    expect(format.decode('2\n{"a":2}').data).toEqual({ migrated: true })
    expect(format.decode('3\n{"a":3}').data).toEqual({ a: 3 })
    expect(asked).toEqual([
      [{ a: 1 }, 1],
      [{ a: 2 }, 2],
    ])
  })
})

describe('what was set aside', () => {
  it('is the whole text as it was found, and the first of them stays', () => {
    const format = formatOf()
    const first = format.setAside('1\nnot JSON')
    expect(first).toEqual({ data: {}, flash: {}, aside: '1\nnot JSON' })
    const stored = format.encode({ ...first, data: { a: 1 } })
    expect(format.decode(stored)).toEqual({ data: { a: 1 }, flash: {}, aside: '1\nnot JSON' })
    expect(format.setAside(stored).aside).toBe('1\nnot JSON')
    expect(format.asideOf(stored)).toBe('1\nnot JSON')
    expect(format.asideOf('1\n{}')).toBeNull()
    expect(format.asideOf('broken')).toBe('broken')
  })
})

function errorOf(run: () => unknown): SojournError | null {
  try {
    run()
    return null
  } catch (error) {
    if (error instanceof SojournError) return error
    throw error
  }
}
