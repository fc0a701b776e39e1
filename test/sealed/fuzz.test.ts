import { randomInt } from 'node:crypto'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import type { AnyRequest } from '../../src/core/request.ts'
import { parseKeys } from '../../src/core/keyring.ts'
import { newKey, type Site, site, text } from './site.ts'

/** How many inputs: `FUZZ_RUNS=1000000 npm test -- test/sealed/fuzz.test.ts` for a long hunt. */
const numRuns = Number(process.env['FUZZ_RUNS'] ?? 5000)
const names = ['sid', 'sid.1', 'sid.2']
const fragments = ['; ', ';', '=', 'sid=', 'sid.1=', 'sid.2=', '1', '2', '3', '\0', '"', '__proto__=', '\u00ff']

/** Cookie values of sessions that were issued: short and long, of two keys, of another cookie's name. */
async function issued(keys: readonly string[]): Promise<{ values: string[]; good: Set<string> }> {
  const values: string[] = []
  const good = new Set<string>()
  const sites: [at: Site, isGood: boolean][] = [
    [site({ keys }), true],
    [site({ keys: keys.toReversed() }), true],
    [site({ keys: [newKey()] }), false],
    [site({ keys, cookie: { name: 'other' } }), false],
  ]
  for (const [at, isGood] of sites) {
    for (const size of [0, 10, 200, 3500, 4200]) {
      const ada = at.visitor()
      await ada.visit((session) => {
        session.data.note = text(size)
        return session.login('ada')
      })
      const chunks = [...ada.jar.cookies.values()]
      values.push(...chunks)
      if (isGood) good.add(chunks.join(''))
    }
  }
  return { values, good }
}

/** What a Cookie header says the chunks are, by the letter: the oracle. */
function joined(header: string): string | null {
  const found = new Map<string, string[]>()
  for (const pair of header.split(';')) {
    const stripped = pair.replace(/^[ \t]+|[ \t]+$/g, '')
    const at = stripped.indexOf('=')
    if (at > 0) found.set(stripped.slice(0, at), [...(found.get(stripped.slice(0, at)) ?? []), stripped.slice(at + 1)])
  }
  const chunk = (name: string): string | null => (found.get(name)?.length === 1 ? found.get(name)![0]! : null)
  const first = chunk('sid')
  const count = Number(first?.charAt(0))
  if (first === null || !(count >= 1 && count <= 3)) return null
  const chunks = names.slice(0, count).map(chunk)
  return chunks.includes(null) ? null : chunks.join('')
}

test(`of ${numRuns} Cookie headers none throws, and none opens but those that were issued`, { timeout: 3_600_000 }, async () => {
  const keys = [newKey(), newKey()]
  const { values, good } = await issued(keys)
  const { sessions, errors } = site({ keys })
  const ids = parseKeys(keys).all.map(({ id }) => id)

  const bytes = fc.uint8Array({ maxLength: 200 }).map((raw) => Buffer.from(raw))
  const noise = fc.oneof(
    bytes.map((raw) => raw.toString('latin1')),
    bytes.map((raw) => raw.toString('base64url')),
    fc.constantFrom(...fragments),
    fc.string(),
  )
  const forged = fc
    .tuple(fc.constantFrom('1', '2', '3'), fc.constantFrom(...ids), bytes)
    .map(([count, id, raw]) => `${count}1${id}${raw.toString('base64url')}`)
  const real = fc.constantFrom(...values)
  // One place of a real one changed, cut, doubled, or joined to another.
  const mutated = fc.tuple(real, fc.nat(9000), fc.nat(5), noise, real).map(([value, place, kind, other, another]) => {
    const at = place % (value.length + 1)
    if (kind === 0) return value.slice(0, at) + other + value.slice(at + other.length)
    if (kind === 1) return value.slice(0, at) + other + value.slice(at)
    if (kind === 2) return value.slice(0, at)
    if (kind === 3) return value.slice(at)
    if (kind === 4) return value.slice(0, at) + another.slice(at)
    return value.slice(0, at) + String.fromCharCode(value.charCodeAt(at) ^ (1 << (place % 7))) + value.slice(at + 1)
  })
  const cookie = fc
    .tuple(fc.constantFrom(...names, 'sid', 'sid'), fc.oneof(real, mutated, mutated, forged, noise))
    .map(([name, value]) => `${name}=${value}`)
  const header = fc.oneof(
    { weight: 6, arbitrary: fc.array(cookie, { maxLength: 4 }).map((cookies) => cookies.join('; ')) },
    { weight: 2, arbitrary: fc.array(fc.oneof(cookie, noise), { maxLength: 6 }).map((parts) => parts.join('')) },
    { weight: 1, arbitrary: noise },
  )

  let opened = 0
  let slowest = 0
  await fc.assert(
    fc.asyncProperty(header, async (text) => {
      const request: AnyRequest = { headers: { cookie: text }, socket: {} }
      const started = performance.now()
      const session = await sessions.open(request)
      slowest = Math.max(slowest, performance.now() - started)
      const isIssued = good.has(joined(text) ?? '')
      if (session.isNew === isIssued)
        throw new Error(`${isIssued ? 'refused, though issued' : 'opened, though never issued'}: ${JSON.stringify(text)}`)
      if (!session.isNew) opened++
      session.data.visits += 1
    }),
    { numRuns, seed: randomInt(2 ** 31) },
  )
  expect(opened, 'some are real, so that the test can tell').toBeGreaterThan(0)
  expect(opened).toBeLessThan(numRuns)
  expect(slowest).toBeLessThan(2000)
  expect(errors()).toEqual([])
})
