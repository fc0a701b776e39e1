import { createDecipheriv, randomBytes } from 'node:crypto'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { parseKeys } from '../../src/core/keyring.ts'
import { Sealer } from '../../src/sealed/sealer.ts'

const [key, other] = [randomBytes(32), randomBytes(32)]
const keyring = parseKeys([key, other])
const sealer = new Sealer(keyring)
const name = '__Host-sid'
const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_'

describe('a seal', () => {
  test('opens to what was sealed', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme' }), fc.string(), (text, as) => {
        expect(sealer.open(as, sealer.seal(as, text))).toEqual({ text, isCurrent: true })
      }),
    )
  })

  test('is AES-256-GCM with the version, the key ID and the name as additional data, under a key of its own purpose', () => {
    const seal = sealer.seal(name, 'hello')
    expect(seal).toMatch(/^1[\w-]+$/)
    expect(seal.slice(1, 9)).toBe(keyring.current.id)
    const body = Buffer.from(seal.slice(9), 'base64url')
    const opened = (by: Uint8Array): string => {
      const decipher = createDecipheriv('aes-256-gcm', by, body.subarray(0, 12))
      decipher.setAAD(Buffer.from(`1${keyring.current.id}${name}`))
      decipher.setAuthTag(body.subarray(-16))
      return decipher.update(body.subarray(12, -16), undefined, 'utf8') + decipher.final('utf8')
    }
    expect(opened(keyring.current.derive('sealed sessions'))).toBe('hello')
    expect(() => opened(key), 'never by the key itself').toThrow(/unable to authenticate/)
  })

  test('has another nonce each time', () => {
    const nonces = new Set(Array.from({ length: 5000 }, () => sealer.seal(name, '').slice(9, 25)))
    expect(nonces.size).toBe(5000)
  })

  test('is sealed by the first key and opened by all of them, and it is told whether it was the first', () => {
    const before = new Sealer(parseKeys([other])).seal(name, 'x')
    expect(sealer.open(name, before)).toEqual({ text: 'x', isCurrent: false })
    expect(new Sealer(parseKeys([other])).open(name, sealer.seal(name, 'x'))).toBeNull()
  })
})

describe('does not open', () => {
  const text = JSON.stringify({ cart: ['tea'], visits: 3 })
  const seal = sealer.seal(name, text)

  test.each(['', 'sid', '__Host-sid ', '__Host-sid.1', '__Secure-sid', '__host-sid'])("under another cookie's name: %j", (as) => {
    expect(sealer.open(as, seal)).toBeNull()
  })

  test('with any one character changed to any other', () => {
    for (let i = 0; i < seal.length; i++)
      for (const character of `${alphabet}+/=. é\0`)
        if (character !== seal[i])
          expect(sealer.open(name, seal.slice(0, i) + character + seal.slice(i + 1)), `${i} ${character}`).toBeNull()
  })

  test('with any one bit changed', () => {
    const body = Buffer.from(seal.slice(9), 'base64url')
    for (let bit = 0; bit < body.length * 8; bit++) {
      const changed = Buffer.from(body)
      changed[bit >> 3]! ^= 1 << (bit & 7)
      expect(sealer.open(name, seal.slice(0, 9) + changed.toString('base64url'))).toBeNull()
    }
  })

  test('cut short or made longer', () => {
    for (let i = 0; i < seal.length; i++) {
      expect(sealer.open(name, seal.slice(0, i))).toBeNull()
      expect(sealer.open(name, seal.slice(i + 1))).toBeNull()
    }
    for (const more of ['A', 'AA', 'AAAA', '=', '==', '\n', ' ', ';', '\0']) {
      expect(sealer.open(name, seal + more)).toBeNull()
      expect(sealer.open(name, more + seal)).toBeNull()
    }
  })

  test('with the key ID of another key that there is, or of none', () => {
    for (const id of [keyring.all[1]!.id, 'AAAAAAAA', '__proto_']) expect(sealer.open(name, `1${id}${seal.slice(9)}`)).toBeNull()
  })

  test('made of parts of two', () => {
    const second = sealer.seal(name, text)
    for (let i = 10; i < seal.length; i++)
      if (seal.slice(i) !== second.slice(i) && seal.slice(0, i) !== second.slice(0, i))
        expect(sealer.open(name, seal.slice(0, i) + second.slice(i))).toBeNull()
  })

  test('when it is a megabyte, and takes no time over that', () => {
    const started = performance.now()
    for (let i = 0; i < 100; i++) expect(sealer.open(name, seal.slice(0, 9) + 'A'.repeat(1_000_000))).toBeNull()
    expect(performance.now() - started).toBeLessThan(1000)
  })
})
