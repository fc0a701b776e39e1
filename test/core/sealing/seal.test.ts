import { hkdfSync, randomBytes } from 'node:crypto'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { parseKeys } from '../../../src/core/keyring.ts'
import { seal, sealedLength, sealHeader, unseal } from '../../../src/core/sealing/seal.ts'
import { ServerKey } from '../../../src/core/sealing/server-keys.ts'
import { first, second } from './kit.ts'

const key = randomBytes(32)

describe('what was sealed', () => {
  test('is opened by its key, whatever text or bytes it was', () => {
    const text = fc.string({ unit: 'binary', maxLength: 300 }).filter((one) => !/\p{Surrogate}/u.test(one))
    const opens = (plain: string | Buffer): void => {
      expect(unseal(key, seal(key, plain))).toEqual(Buffer.from(plain as string))
    }
    fc.assert(fc.property(text, (plain) => opens(plain)))
    fc.assert(fc.property(fc.uint8Array(), (plain) => opens(Buffer.from(plain))))
  })

  test('is printable, and never the same twice', () => {
    const seen = new Set(Array.from({ length: 2000 }, () => seal(key, 'tea').slice(0, sealHeader)))
    expect(seen.size).toBe(2000)
    for (const sealed of seen) expect(sealed).toMatch(/^[\w-]{40}$/)
  })

  test('is as long as was said before', () => {
    for (let bytes = 0; bytes < 100; bytes++) expect(seal(key, Buffer.alloc(bytes))).toHaveLength(sealedLength(bytes))
  })

  test('is not opened with a bit of it changed, wherever', () => {
    const bytes = Buffer.from(seal(key, 'a cart of tea'), 'base64url')
    for (let bit = 0; bit < bytes.length * 8; bit++) {
      const changed = Buffer.from(bytes)
      changed[bit >> 3]! ^= 1 << (bit & 7)
      expect(unseal(key, changed.toString('base64url')), `bit ${bit}`).toBeNull()
    }
  })

  test('is not opened by another key, nor cut short, nor out of nothing', () => {
    const sealed = seal(key, 'tea')
    expect(unseal(randomBytes(32), sealed)).toBeNull()
    for (let length = 0; length < sealed.length; length++) expect(unseal(key, sealed.slice(0, length))).toBeNull()
    expect(unseal(key, '{"cart":[]}')).toBeNull()
  })
})

describe("a server's key", () => {
  const [one, other] = parseKeys([first, second]).all.map((key) => new ServerKey(key))

  test('wraps for a secret by HKDF as RFC 5869 has it', () => {
    const salt = parseKeys([first]).current.derive('session wraps')
    expect(one!.wrapKey('secret')).toEqual(Buffer.from(hkdfSync('sha256', 'secret', salt, 'sojourn session data key', 32)))
  })

  test('has another key for each purpose, session and secret, and none in common with another', () => {
    const all = [one!, other!].flatMap((key) => [
      ...['a', 'b']
        .flatMap((text) => [key.ownerKey(text), key.dataKey(text), key.wrapKey(text)])
        .map((bytes) => bytes.toString('base64url')),
      ...['a', 'b'].flatMap((text) => [key.mac(text), key.nameOf(text)]),
    ])
    expect(new Set(all).size).toBe(all.length)
  })
})
