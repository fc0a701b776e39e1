import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { isHashOf } from '../../src/core/secret-hash.ts'
import { hashSecret } from '../../src/core/token.ts'

const letters = Array.from('ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_')
const secrets = fc.array(fc.constantFrom(...letters), { minLength: 32, maxLength: 32 }).map((list) => list.join(''))

describe('the hash of a secret', () => {
  test("is SHA-256, as OpenSSL's is, wherever it stands", () => {
    fc.assert(
      fc.property(secrets, fc.string({ maxLength: 40 }), fc.string({ maxLength: 5 }), (secret, before, after) => {
        expect(isHashOf(secret, before + hashSecret(secret) + after, before.length)).toBe(true)
      }),
      { numRuns: 20_000 },
    )
  })

  test('is of no other secret, however little it differs', () => {
    fc.assert(
      fc.property(secrets, fc.nat(31), fc.constantFrom(...letters), (secret, at, letter) => {
        fc.pre(secret[at] !== letter)
        const other = secret.slice(0, at) + letter + secret.slice(at + 1)
        expect(isHashOf(other, hashSecret(secret), 0)).toBe(false)
      }),
      { numRuns: 5000 },
    )
  })

  test('differs in each of its letters', () => {
    const secret = 'a'.repeat(32)
    const hash = hashSecret(secret)
    for (let at = 0; at < hash.length; at++) {
      for (const letter of letters) {
        const stored = hash.slice(0, at) + letter + hash.slice(at + 1)
        expect(isHashOf(secret, stored, 0)).toBe(letter === hash[at])
      }
    }
  })

  test('is of no text of another length, and does not stand where there is no room for it', () => {
    const secret = 'a'.repeat(32)
    expect(isHashOf(secret.slice(1), hashSecret(secret.slice(1)), 0)).toBe(false)
    expect(isHashOf(`${secret}a`, hashSecret(`${secret}a`), 0)).toBe(false)
    expect(isHashOf(secret, hashSecret(secret).slice(0, 42), 0)).toBe(false)
    expect(isHashOf(secret, hashSecret(secret), 1)).toBe(false)
  })
})
