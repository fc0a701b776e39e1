import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { Sketch } from '../../src/core/sketch.ts'

const names = ['a', 'b', 'c', 'd', 'e', 'f', 'g', 'h', 'i', 'j', 'k']

describe('a sketch', () => {
  test('counts never too few, and few names exactly', () => {
    fc.assert(
      fc.property(fc.array(fc.constantFrom(...names.slice(0, 10)), { maxLength: 300 }), (added) => {
        const sketch = new Sketch()
        for (const name of added) sketch.add(name)
        for (const name of names) expect(sketch.count(name)).toBe(added.filter((one) => one === name).length)
      }),
      { numRuns: 50 },
    )
  })

  test('of many addresses takes no more memory than of one, and is wrong by a few ten-thousandths at most', () => {
    const sketch = new Sketch()
    const frequent = Array.from({ length: 20 }, (_, i) => `frequent ${i}`)
    sketch.add('first')
    const buffers = process.memoryUsage().arrayBuffers
    for (let i = 0; i < 200_000; i++) {
      sketch.add(`${i >> 16}.${(i >> 8) & 255}.${i & 255}.0/24`)
      if (i % 200 === 0) sketch.add(frequent[(i / 200) % 20]!)
    }
    expect(process.memoryUsage().arrayBuffers - buffers).toBeLessThan(2_000_000)
    for (const name of frequent) {
      expect(sketch.count(name)).toBeGreaterThanOrEqual(50)
      expect(sketch.count(name)).toBeLessThan(50 + 60)
    }
    // Without the conservative update it would be 9 on average.
    const unseen = Array.from({ length: 2000 }, (_, i) => sketch.count(`never seen ${i}`))
    expect(unseen.reduce((sum, count) => sum + count, 0) / unseen.length).toBeLessThan(7)
  }, 60_000)
})
