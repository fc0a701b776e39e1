import { describe, expect, test } from 'vitest'
import { mintId, mintKey, mintSecret } from '../../src/core/token.ts'

/** Ten million, as OWASP's advice on session identifiers has it for a busy site's month. */
const count = Number(process.env.RANDOMNESS_COUNT ?? 10_000_000)

/** Unequal neighbours after sorting: of 64 random bits, ten million have a pair alike once in 400,000 such runs. */
function duplicates(values: BigUint64Array): number {
  values.sort()
  let found = 0
  for (let i = 1; i < values.length; i++) if (values[i] === values[i - 1]) found++
  return found
}

/** The chi-square of each byte's place, against all 256 values being as likely. */
class Distribution {
  readonly #width: number
  readonly #seen: Float64Array
  #rows = 0

  constructor(width: number) {
    this.#width = width
    this.#seen = new Float64Array(width * 256)
  }

  add(bytes: Uint8Array): void {
    for (let place = 0; place < this.#width; place++) this.#seen[place * 256 + bytes[place]!]!++
    this.#rows++
  }

  chiSquares(): number[] {
    const expected = this.#rows / 256
    return Array.from({ length: this.#width }, (_, place) => {
      const cells = this.#seen.subarray(place * 256, (place + 1) * 256)
      return cells.reduce((sum, seen) => sum + (seen - expected) ** 2 / expected, 0)
    })
  }
}

// Chi-square with 255 degrees of freedom: 36 places all lie between these in all but about one run of a million.
const [least, most] = [142, 403]

function check(mint: () => string, width: number, count: number): { duplicates: number; chiSquares: number[] } {
  const firsts = new BigUint64Array(count)
  // By bytes: to make ten million bigints takes longer than to mint what they come from.
  const written = new Uint8Array(firsts.buffer)
  const distribution = new Distribution(width)
  const bytes = Buffer.alloc(width)
  for (let i = 0; i < count; i++) {
    bytes.write(mint(), 'base64url')
    distribution.add(bytes)
    for (let at = 0; at < 8; at++) written[8 * i + at] = bytes[at]!
  }
  return { duplicates: duplicates(firsts), chiSquares: distribution.chiSquares() }
}

describe(`${count} of a kind`, { timeout: 300_000 }, () => {
  const key = mintKey()

  test.each([
    ['session IDs', mintId, 12],
    // One key for all of them: so their check bits must differ too.
    ['secrets', () => mintSecret(key), 24],
  ] as const)('%s: no two are alike, and each byte takes each value as often', (_, mint, width) => {
    const { duplicates, chiSquares } = check(mint, width, count)
    expect(duplicates).toBe(0)
    for (const [place, chiSquare] of chiSquares.entries()) {
      expect(chiSquare, `byte ${place}`).toBeGreaterThan(least)
      expect(chiSquare, `byte ${place}`).toBeLessThan(most)
    }
  })

  test('a generator that leans by a hundredth, or repeats itself once, would be found', () => {
    // A tenth of them shows as much.
    const some = Math.ceil(count / 10)
    let minted = 0
    let first = ''
    const leaning = () => {
      const bytes = Buffer.from(mintId(), 'base64url')
      if (++minted % 100 === 0) bytes[3] = 7
      const id = bytes.toString('base64url')
      if (minted === 1) first = id
      return minted === some - 1 ? first : id
    }
    const { duplicates, chiSquares } = check(leaning, 12, some)
    expect(duplicates).toBe(1)
    expect(chiSquares[3]).toBeGreaterThan(most)
  })
})
