import { expect, test } from 'vitest'
import { parseSize } from '../../src/core/size.ts'

test.each([
  [1, 1],
  [268_435_456, 268_435_456],
  [1024.9, 1024],
  ['1000', 1000],
  ['1 B', 1],
  ['256 MB', 256_000_000],
  ['256MB', 256_000_000],
  [' 256 mb ', 256_000_000],
  ['512 KiB', 524_288],
  ['1 KB', 1000],
  ['1.5 GB', 1_500_000_000],
  ['1 GiB', 1_073_741_824],
  ['2 TB', 2e12],
  ['1 TiB', 2 ** 40],
])('%j is %i bytes', (value, bytes) => {
  expect(parseSize(value, 'maxBytes')).toBe(bytes)
})

test.each([
  0,
  -1,
  0.5,
  Number.NaN,
  Infinity,
  '',
  ' ',
  'MB',
  '-1 MB',
  '1 XB',
  '1 IB',
  '1e3',
  '256 MB of RAM',
  '1,5 GB',
  '0 MB',
  '1  MB',
  '0x10',
])('%s is no size, and the error names the option and the mend', (value) => {
  const message = expect.stringMatching(/^maxBytes is .*no size; write bytes \(256000000\) or '256 MB'/) as unknown
  expect(() => parseSize(value, 'maxBytes')).toThrow(expect.objectContaining({ code: 'ERR_SOJOURN_OPTION', message }))
})
