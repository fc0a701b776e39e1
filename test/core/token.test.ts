import { createHash } from 'node:crypto'
import fc from 'fast-check'
import { describe, expect, onTestFinished, test, vi } from 'vitest'
import {
  formatToken,
  hashSecret,
  isSessionId,
  mintId,
  mintKey,
  mintSecret,
  parseToken,
  randomBytes,
  sameHash,
  versionStep,
  wasIssued,
} from '../../src/core/token.ts'

const letters = /^[A-Za-z0-9_-]+$/

describe('a token', () => {
  test('is an ID of 16 characters and a secret of 32, all of base64url', () => {
    const [id, secret] = [mintId(), mintSecret(mintKey())]
    expect([id.length, secret.length]).toEqual([16, 32])
    const token = formatToken(id, secret)
    expect(token).toMatch(letters)
    expect(parseToken(token)).toEqual({ id, secret })
  })

  test('is never minted twice, nor is any part of it', () => {
    const ids = new Set<string>()
    const secrets = new Set<string>()
    const keys = new Set<string>()
    const key = mintKey()
    for (let i = 0; i < 100_000; i++) {
      ids.add(mintId())
      secrets.add(mintSecret(key).slice(0, 21))
      keys.add(mintKey())
    }
    expect([ids.size, secrets.size, keys.size]).toEqual([100_000, 100_000, 100_000])
  })

  test('is random in each of its bits', () => {
    const ones = Array.from({ length: 36 * 8 }, () => 0)
    const count = 20_000
    for (let i = 0; i < count; i++) {
      const bytes = Buffer.from(formatToken(mintId(), mintSecret(mintKey())), 'base64url')
      for (let bit = 0; bit < ones.length; bit++) ones[bit]! += (bytes[bit >> 3]! >> (bit & 7)) & 1
    }
    // Seven standard deviations.
    for (const sum of ones) expect(Math.abs(sum - count / 2)).toBeLessThan(7 * Math.sqrt(count / 4))
  })

  test('owes nothing to Math.random or the clock: with both standing still no two are alike', () => {
    vi.useFakeTimers({ now: 0 })
    const random = vi.spyOn(Math, 'random').mockReturnValue(0.5)
    onTestFinished(() => {
      vi.useRealTimers()
      random.mockRestore()
    })
    const key = mintKey()
    const parts = Array.from({ length: 10_000 }, () => [mintId(), mintSecret(key).slice(0, 21), mintKey()]).flat()
    expect(new Set(parts).size).toBe(30_000)
  })

  test('is read only from what could have been issued', () => {
    const token = formatToken(mintId(), mintSecret(mintKey()))
    for (const wrong of [
      null,
      undefined,
      '',
      token.slice(1),
      `${token}A`,
      ` ${token.slice(1)}`,
      `${token.slice(1)}\n`,
      token.replace(/.$/, '='),
      `${token.slice(0, 47)}é`,
    ]) {
      expect(parseToken(wrong)).toBeNull()
    }
    fc.assert(
      fc.property(
        fc.string({ minLength: 40, maxLength: 56, unit: 'binary' }),
        (text) => parseToken(text) === null || /^[\w-]{48}$/.test(text),
      ),
      { numRuns: 2000 },
    )
  })

  test('of a megabyte is refused in no time', () => {
    const long = 'A'.repeat(2 ** 20)
    const before = performance.now()
    for (let i = 0; i < 1000; i++) expect(parseToken(long)).toBeNull()
    expect(performance.now() - before).toBeLessThan(500)
  })

  test('has an ID that may be told from what is none', () => {
    expect(isSessionId(mintId())).toBe(true)
    for (const wrong of [
      '',
      'a'.repeat(15),
      'a'.repeat(17),
      `${'a'.repeat(15)}.`,
      `${'a'.repeat(15)}\n`,
      null,
      undefined,
      16,
      {},
      ['a'.repeat(16)],
    ])
      expect(isSessionId(wrong)).toBe(false)
  })
})

describe('the check bits of a secret', () => {
  test('say that it was issued, for this record alone', () => {
    const [key, other] = [mintKey(), mintKey()]
    for (let i = 0; i < 1000; i++) {
      const secret = mintSecret(key)
      expect([wasIssued(key, secret), wasIssued(other, secret)]).toEqual([true, false])
    }
  })

  test('tell a guess, or one of which a single bit is another', () => {
    const key = mintKey()
    const secret = Buffer.from(mintSecret(key), 'base64url')
    for (let bit = 0; bit < 192; bit++) {
      const near = Buffer.from(secret)
      near[bit >> 3]! ^= 1 << (bit & 7)
      expect(wasIssued(key, near.toString('base64url'))).toBe(false)
    }
    for (let i = 0; i < 10_000; i++) expect(wasIssued(key, randomBytes(24).toString('base64url'))).toBe(false)
  })

  test('are asked of any text without harm', () => {
    for (const text of ['', 'x', '='.repeat(32), 'é'.repeat(32), 'A'.repeat(31), 'A'.repeat(33)])
      expect(wasIssued(mintKey(), text)).toBe(false)
  })
})

describe('the hash of a secret', () => {
  test('is its SHA-256, in 43 characters', () => {
    const secret = mintSecret(mintKey())
    expect(hashSecret(secret)).toBe(createHash('sha256').update(secret).digest('base64url'))
    expect(hashSecret(secret)).toHaveLength(43)
  })

  test('is compared whole, at any place in a text', () => {
    const [hash, other] = [hashSecret('one'), hashSecret('another')]
    expect(sameHash(hash, 0, hash)).toBe(true)
    expect(sameHash(`head ${hash} tail`, 5, hash)).toBe(true)
    expect(sameHash(hash, 0, other)).toBe(false)
    for (let i = 0; i < 43; i++) {
      const changed = hash.slice(0, i) + (hash[i] === 'A' ? 'B' : 'A') + hash.slice(i + 1)
      expect(sameHash(hash, 0, changed)).toBe(false)
      expect(sameHash(changed, 0, hash)).toBe(false)
    }
    for (const short of ['', hash.slice(1), `${hash}A`]) expect(sameHash(hash, 0, short)).toBe(false)
    expect(sameHash(hash, 1, hash)).toBe(false)
  })
})

test('random bytes are never handed out twice, whatever sizes are asked for', () => {
  const seen = new Set<string>()
  for (let i = 0; i < 20_000; i++)
    seen.add(
      randomBytes(8 + (i % 25))
        .toString('hex')
        .slice(0, 16),
    )
  expect(seen.size).toBe(20_000)
  expect(randomBytes(4096).length).toBe(4096)
})

test('a version step is from 1 to 2^20', () => {
  const steps = Array.from({ length: 100_000 }, versionStep)
  expect(Math.min(...steps)).toBeGreaterThanOrEqual(1)
  expect(Math.max(...steps)).toBeLessThanOrEqual(2 ** 20)
  expect(new Set(steps).size).toBeGreaterThan(90_000)
})
