import fc from 'fast-check'
import { expect, test } from 'vitest'
import { describeDevice } from '../../src/core/device.ts'

const webkit = 'AppleWebKit/537.36 (KHTML, like Gecko)'
const chrome = `${webkit} Chrome/142.0.0.0 Safari/537.36`
const windows = 'Mozilla/5.0 (Windows NT 10.0; Win64; x64)'

test.each([
  ['Chrome on Windows', `${windows} ${chrome}`],
  ['Edge on Windows', `${windows} ${chrome} Edg/142.0.0.0`],
  ['Opera on Windows', `${windows} ${chrome} OPR/127.0.0.0`],
  ['Vivaldi on Windows', `${windows} ${chrome} Vivaldi/7.6`],
  ['Firefox on Windows', 'Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:145.0) Gecko/20100101 Firefox/145.0'],
  ['Firefox on Linux', 'Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Gecko/20100101 Firefox/145.0'],
  ['Chrome on Linux', `Mozilla/5.0 (X11; Linux x86_64) ${webkit} HeadlessChrome/142.0.0.0 Safari/537.36`],
  ['Chrome on ChromeOS', `Mozilla/5.0 (X11; CrOS x86_64 14541.0.0) ${chrome}`],
  ['Chrome on macOS', `Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) ${chrome}`],
  [
    'Safari on macOS',
    'Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/26.0 Safari/605.1.15',
  ],
  [
    'Safari on iPhone',
    'Mozilla/5.0 (iPhone; CPU iPhone OS 18_6 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/26.0 Mobile/15E148 Safari/604.1',
  ],
  [
    'Chrome on iPhone',
    'Mozilla/5.0 (iPhone; CPU iPhone OS 18_6 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) CriOS/142.0.0.0 Mobile/15E148 Safari/604.1',
  ],
  [
    'Firefox on iPad',
    'Mozilla/5.0 (iPad; CPU OS 18_6 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) FxiOS/145.0 Mobile/15E148 Safari/605.1.15',
  ],
  [
    'Edge on iPhone',
    'Mozilla/5.0 (iPhone; CPU iPhone OS 18_6 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.0 EdgiOS/142.0 Mobile/15E148 Safari/604.1',
  ],
  ['Chrome on Android', `Mozilla/5.0 (Linux; Android 10; K) ${webkit} Chrome/142.0.0.0 Mobile Safari/537.36`],
  ['Samsung Internet on Android', `Mozilla/5.0 (Linux; Android 10; K) ${webkit} SamsungBrowser/29.0 Chrome/136.0.0.0 Mobile Safari/537.36`],
  ['Firefox on Android', 'Mozilla/5.0 (Android 15; Mobile; rv:145.0) Gecko/145.0 Firefox/145.0'],
  ['curl', 'curl/8.14.1'],
  ['python-requests', 'python-requests/2.32'],
  ['node', 'node'],
  ['Windows', 'MyApp/1.0 (Windows NT 10.0)'],
  ['Firefox', 'Firefox/145.0'],
])('%s is what %s calls itself', (device, userAgent) => expect(describeDevice(userAgent)).toBe(device))

test.each([undefined, '', ' ', '<script>alert(1)</script>', '😀', '/1.0', '"curl"'])('%j tells of no device', (userAgent) =>
  expect(describeDevice(userAgent)).toBeNull(),
)

test('whatever a client calls itself, the device is short, plain text, and told at once', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary', maxLength: 2000 }), (userAgent) => {
      const device = describeDevice(userAgent)
      expect(device === null || /^[\w. -]{1,40}$/.test(device)).toBe(true)
    }),
    { numRuns: 500 },
  )
  const start = performance.now()
  for (const start of ['Version/1 ', 'Mozilla/5.0 ', '(', 'a']) describeDevice(start.repeat(200_000))
  expect(performance.now() - start).toBeLessThan(100)
})
