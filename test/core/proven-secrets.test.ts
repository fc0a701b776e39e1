import fc from 'fast-check'
import { describe, expect, test, vi } from 'vitest'
import { isProven } from '../../src/core/proven-secrets.ts'
import { places } from '../../src/core/places.ts'
import { isHashOf } from '../../src/core/secret-hash.ts'
import { hashSecret } from '../../src/core/token.ts'
import { first } from './sealing/kit.ts'
import { Site } from './site.ts'

vi.mock('../../src/core/secret-hash.ts', { spy: true })

const letters = Array.from('ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_')
const secrets = fc.array(fc.constantFrom(...letters), { minLength: 32, maxLength: 32 }).map((list) => list.join(''))

describe('a secret that was proven', () => {
  test('is proven again, wherever its hash stands, and no other is by its hash', () => {
    fc.assert(
      fc.property(secrets, fc.nat(31), fc.constantFrom(...letters), (secret, at, letter) => {
        fc.pre(secret[at] !== letter)
        const hash = hashSecret(secret)
        const other = secret.slice(0, at) + letter + secret.slice(at + 1)
        for (let round = 0; round < 2; round++) {
          expect(isProven(secret, hash, 0)).toBe(true)
          expect(isProven(secret, `1${hash}2`, 1)).toBe(true)
          expect(isProven(other, hash, 0)).toBe(false)
        }
      }),
      { numRuns: 5000 },
    )
  })

  test('is not hashed again', () => {
    const secret = 'once'.repeat(8)
    const hash = hashSecret(secret)
    vi.mocked(isHashOf).mockClear()
    for (let round = 0; round < 3; round++) expect(isProven(secret, hash, 0)).toBe(true)
    expect(isHashOf).toHaveBeenCalledTimes(1)
  })

  test.each([
    ['once', {}, 1],
    ['for each request where there is encryption: none is kept', { encryption: { keys: [first], bind: 'client' } }, 3],
  ] as const)('is hashed %s', async (_, options, times) => {
    const member = await new Site(options).member()
    vi.mocked(isHashOf).mockClear()
    for (let round = 0; round < 3; round++) expect(await member.visit()).toBe('ada')
    expect(isHashOf).toHaveBeenCalledTimes(times)
  })

  test('proves no other hash: not one that differs in a letter, nor that of another secret', () => {
    const secret = 'a'.repeat(32)
    const hash = hashSecret(secret)
    expect(isProven(secret, hash, 0)).toBe(true)
    for (let at = 0; at < hash.length; at++) {
      for (const letter of letters) expect(isProven(secret, hash.slice(0, at) + letter + hash.slice(at + 1), 0)).toBe(letter === hash[at])
    }
    expect(isProven(secret, hashSecret('b'.repeat(32)), 0)).toBe(false)
    expect(isProven(secret, hash, 0)).toBe(true)
  })

  test('may lose its place to others, and is proven anew', () => {
    const many = Array.from({ length: 4 * places }, (_, index) => String(index).padStart(32, '0'))
    const hashes = many.map(hashSecret)
    for (let round = 0; round < 3; round++) {
      for (const [index, secret] of many.entries()) {
        expect(isProven(secret, hashes[index]!, 0)).toBe(true)
        expect(isProven(secret, hashes[(index + 1) % many.length]!, 0)).toBe(false)
        expect(isProven(many[(index + 1) % many.length]!, hashes[index]!, 0)).toBe(false)
      }
    }
  })

  test('of another length is none', () => {
    expect(isProven('', '', 0)).toBe(false)
    const secret = 'a'.repeat(32)
    expect(isProven(secret, hashSecret(secret), 0)).toBe(true)
    expect(isProven(secret.slice(1), hashSecret(secret), 0)).toBe(false)
    expect(isProven(`${secret}a`, hashSecret(secret), 0)).toBe(false)
    expect(isProven(secret, hashSecret(secret).slice(0, 42), 0)).toBe(false)
    expect(isProven(secret, hashSecret(secret), 1)).toBe(false)
  })
})
