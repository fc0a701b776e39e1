import { createHmac, randomBytes } from 'node:crypto'
import { inspect } from 'node:util'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { type KeyMaterial, parseKeys } from '../../src/core/keyring.ts'

const [bytes, other] = [randomBytes(32), randomBytes(48)]

describe('a key', () => {
  test.each([
    ['base64', bytes.toString('base64')],
    ['base64url', bytes.toString('base64url')],
    ['hexadecimal', bytes.toString('hex')],
    ['hexadecimal in capitals', bytes.toString('hex').toUpperCase()],
    ['text with the line break of a file', `${bytes.toString('base64')}\n`],
    ['a Uint8Array', new Uint8Array(bytes)],
  ])('may be given as %s', (_form, key) => {
    const { current } = parseKeys([key])
    expect(current.id).toBe(parseKeys([bytes]).current.id)
    expect(current.derive('a')).toEqual(parseKeys([bytes]).current.derive('a'))
  })

  test.each<[what: string, key: unknown, message: RegExp]>([
    ['undefined', undefined, /^secrets\[1\] is missing/],
    ['null', null, /is missing/],
    ['empty text', '', /is missing/],
    ['blank text', '  \n', /neither base64/],
    ['no bytes', new Uint8Array(), /has 0 bytes, and must have at least 32/],
    ['31 bytes', bytes.subarray(0, 31), /has 31 bytes/],
    ['31 bytes as base64', bytes.subarray(0, 31).toString('base64'), /has 31 bytes/],
    ['31 bytes as hexadecimal', bytes.subarray(0, 31).toString('hex'), /has 31 bytes/],
    ['a password', 'correct horse battery staple, and so on and on', /a password is no key/],
    ['a number', 12345, /is a number/],
    ['zeros', new Uint8Array(32), /is not random/],
    ['one letter over and over', 'a'.repeat(64), /is not random/],
  ])('of %s is an error that says how to make one', (_what, key, message) => {
    const make = (): unknown => parseKeys([bytes, key as KeyMaterial], 'secrets')
    expect(make).toThrow(expect.objectContaining({ code: 'ERR_SOJOURN_OPTION', message: expect.stringMatching(message) }))
    expect(make).toThrow(/openssl rand -base64 32/)
  })

  test('is told in no message, and not by looking at the keyring', () => {
    const short = bytes.subarray(0, 20).toString('base64')
    expect(() => parseKeys([short])).toThrow(expect.not.objectContaining({ message: expect.stringContaining(short) }))
    const keyring = parseKeys([bytes])
    const shown = inspect(keyring, { depth: 9, showHidden: true }) + JSON.stringify(keyring)
    for (const form of ['hex', 'base64', 'base64url'] as const) expect(shown).not.toContain(bytes.toString(form))
  })

  test('does not change with the bytes that it was made from', () => {
    const given = Uint8Array.from(bytes)
    const { current } = parseKeys([given])
    given.fill(0)
    expect(current.derive('a')).toEqual(parseKeys([bytes]).current.derive('a'))
  })
})

describe('a list of keys', () => {
  test.each([[[]], [undefined], [bytes.toString('base64')]])('is needed: %j is none', (keys) => {
    expect(() => parseKeys(keys as unknown as KeyMaterial[])).toThrow(/^keys must be a list of at least one key/)
  })

  test('has the first key as its current one, and finds each by its ID', () => {
    const keyring = parseKeys([bytes, other])
    expect(keyring.all.map(({ id }) => id)).toEqual([parseKeys([bytes]).current.id, parseKeys([other]).current.id])
    expect(keyring.current).toBe(keyring.all[0])
    for (const key of keyring.all) expect(keyring.byId(key.id)).toBe(key)
    for (const id of ['', 'AAAAAAAA', '__proto__']) expect(keyring.byId(id)).toBeNull()
  })

  test('with one key twice is an error', () => {
    expect(() => parseKeys([bytes, other, bytes.toString('hex')])).toThrow(/holds one key twice/)
  })
})

describe('what is derived from a key', () => {
  test('is what HKDF-SHA-256 says, and stays so: a later release must open what this one sealed', () => {
    const { current } = parseKeys([Buffer.from(Array.from({ length: 32 }, (_, i) => i))])
    const hmac = (key: Buffer, text: string | Buffer) => createHmac('sha256', key).update(text).digest()
    const extracted = hmac(Buffer.alloc(32), Buffer.from(Array.from({ length: 32 }, (_, i) => i)))
    expect(current.derive('a')).toEqual(hmac(extracted, 'sojourn key for a\x01'))
    expect(current.id).toBe(hmac(extracted, 'sojourn key id\x01').subarray(0, 6).toString('base64url'))
    expect(current.id).toBe('TEqFF1u9')
  })

  test('is another for each label and each key, and never its ID', () => {
    fc.assert(
      fc.property(fc.string(), fc.string(), (a, b) => {
        fc.pre(a !== b)
        const [one, two] = parseKeys([bytes, other]).all
        const keys = [one!.derive(a), one!.derive(b), two!.derive(a)].map((key) => key.toString('base64url'))
        expect(new Set(keys).size).toBe(3)
        for (const key of keys) expect([key.length, key.startsWith(one!.id)]).toEqual([43, false])
      }),
    )
  })
})
