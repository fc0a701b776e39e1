import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { networkOf } from '../../src/core/network.ts'

describe('a network', () => {
  test.each([
    ['192.0.2.7', '192.0.2.0/24'],
    ['192.0.2.255', '192.0.2.0/24'],
    ['::ffff:192.0.2.7', '192.0.2.0/24'],
    ['::FFFF:192.0.2.7', '192.0.2.0/24'],
    ['[::ffff:192.0.2.7]:443', '192.0.2.0/24'],
    ['192.0.2.7:8080', '192.0.2.0/24'],
    ['2001:db8:1:2:3:4:5:6', '2001:db8:1::/48'],
    ['2001:0db8:0001:2::6', '2001:db8:1::/48'],
    ['2001:DB8:1::', '2001:db8:1::/48'],
    ['[2001:db8:1::5]:443', '2001:db8:1::/48'],
    ['2001:db8::1', '2001:db8:0::/48'],
    ['2001:db8:0:9::1', '2001:db8:0::/48'],
    ['::1', '0:0:0::/48'],
    ['::', '0:0:0::/48'],
    ['fe80::1%eth0.5', 'fe80:0:0::/48'],
    ['fe80::1%eth0', 'fe80:0:0::/48'],
    ['unknown', 'unknown'],
    ['proxy.example', 'proxy.example'],
  ])('of %s is %s', (address, network) => expect(networkOf(address)).toBe(network))

  test.each([undefined, ''])('is none where the address is %j', (address) => expect(networkOf(address)).toBeNull())

  test('is short text, whatever a proxy forwards', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 300 }), fc.constantFrom('', '1.2.3.4', '::', '[', ':'), (text, before) => {
        expect((networkOf(before + text) ?? '').length).toBeLessThanOrEqual(72)
      }),
      { numRuns: 1000 },
    )
  })
})
