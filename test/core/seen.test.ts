import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { ClientView } from '../../src/core/request.ts'
import { isSameDevice, partsOfSeen, seenOf } from '../../src/core/seen.ts'
import { mintKey } from '../../src/core/token.ts'
import { chrome, firefox } from './browser.ts'

const viewOf = (agent: string | undefined, address?: string): ClientView => ({ address, header: () => agent })
const networkIn = (key: string, address: string): string => seenOf(key, viewOf(undefined, address))!.slice(0, 3)

describe('what is kept of a client', () => {
  const addresses = Array.from({ length: 500_000 }, (_, i) => `${1 + (i >> 16)}.${(i >> 8) & 255}.${i & 255}.7`)

  test('is nine characters: its network, its browser and its platform; none where it told nothing', () => {
    const key = mintKey()
    const seen = seenOf(key, viewOf(firefox.agent, firefox.address))!
    expect(seen).toMatch(/^[\w-]{9}$/)
    expect(partsOfSeen(seen)).toEqual({ network: seen.slice(0, 3), browser: seen.slice(3, 6), platform: seen.slice(6) })
    expect(seenOf(key, viewOf(firefox.agent))).toBe(`...${seen.slice(3)}`)
    expect(seenOf(key, viewOf(undefined, firefox.address))).toBe(`${seen.slice(0, 3)}......`)
    expect(seenOf(key, viewOf('', ''))).toBeNull()
    expect(partsOfSeen('.........')).toEqual({ network: null, browser: null, platform: null })
  })

  test('is another under another key', () => {
    const [key, other] = [mintKey(), mintKey()]
    const same = addresses.slice(0, 10_000).filter((address) => networkIn(key, address) === networkIn(other, address))
    expect(same.length).toBeLessThan(10)
  })

  test('is shared by many networks, so that it does not tell which one it was, and by two in some quarter of a million', () => {
    const key = mintKey()
    const counts = new Map<string, number>()
    for (const address of addresses) {
      const mark = networkIn(key, address)
      counts.set(mark, (counts.get(mark) ?? 0) + 1)
    }
    // 500,000 into 262,144: were it by chance alone, 85 % of the marks would be met.
    expect(counts.size).toBeGreaterThan(218_000)
    expect(counts.size).toBeLessThan(228_000)
    expect([...counts.values()].reduce((most, count) => Math.max(most, count))).toBeLessThan(20)
  })

  test('tells the same device from another, in place', () => {
    fc.assert(
      fc.property(fc.constantFrom(firefox.agent, chrome.agent, 'curl/8', '', undefined), fc.string(), (agent, before) => {
        const key = mintKey()
        const text = before + key + (seenOf(key, viewOf(agent, firefox.address)) ?? '.........')
        const isSame = (other: string | undefined): boolean =>
          isSameDevice(text, text.length - 6, before.length, viewOf(other, chrome.address))
        expect(isSame(agent)).toBe(true)
        for (const other of [firefox.agent, chrome.agent, 'curl/8', ''])
          expect(isSame(other)).toBe(other === agent || agent === '' || agent === undefined)
      }),
      { numRuns: 300 },
    )
  })

  test('is the same for whatever calls itself alike, met before or not', () => {
    const key = mintKey()
    fc.assert(
      fc.property(fc.string({ unit: 'binary-ascii', maxLength: 600 }), fc.nat(200), (agent, length) => {
        const seen = seenOf(key, viewOf(agent))
        // Others of the same length, and of the same ends, may have the same place among those that were met.
        seenOf(key, viewOf(`${agent.slice(0, length)}Firefox/1.0 (Windows)${agent.slice(length)}`))
        seenOf(key, viewOf(agent.replaceAll('a', 'b')))
        expect(seenOf(key, viewOf(agent))).toBe(seen)
      }),
      { numRuns: 1000 },
    )
  })
})
