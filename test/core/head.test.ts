import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import {
  currentSince,
  decodeHead,
  decodeTombstone,
  encodeHead,
  encodeTombstone,
  goodHashes,
  type Head,
  isOfClient,
  isRemembered,
  isTombstone,
  newHead,
  showsCurrent,
  type Tombstone,
  type Via,
} from '../../src/core/head.ts'
import { seenOf } from '../../src/core/seen.ts'
import { hashSecret, mintKey, mintSecret, versionStep } from '../../src/core/token.ts'
import { memory } from '../../src/stores/memory.ts'
import { chrome, type Client, firefox } from './browser.ts'
import { Site, start } from './site.ts'

const printable = /^[\x20-\x7e]*$/
const hash = fc.string().map(hashSecret)
const time = fc.integer({ min: 0, max: 36 ** 9 - 1 })
const hint = fc.string({ minLength: 6, maxLength: 6, unit: fc.constantFrom('a', 'b', 'X', 'Z', '0', '9', '-', '_') })
const seen = fc.string({ minLength: 9, maxLength: 9, unit: fc.constantFrom('a', 'Z', '9', '-', '_') })
const oddText = fc.oneof(
  fc.string({ unit: 'binary' }),
  fc.constantFrom('ada', '', '"', '\\', '\ud800', 'é', '🙂', '__proto__', 't{"cause":"login"}', '\0', '\u2028'),
)

const via = fc.constantFrom<Via[]>('cookie', 'url', 'header', 'either')

const heads: fc.Arbitrary<Head> = fc.record({
  key: fc.constant(null).map(mintKey),
  renewal: fc.record({
    current: fc.record({ hash, at: time, hint: fc.option(hint) }),
    pending: fc.array(fc.record({ hash, at: time, hint }), { maxLength: 24 }),
    superseded: fc.array(hash, { maxLength: 24 }),
    closing: fc.array(fc.record({ hash, until: time }), { maxLength: 5 }),
    late: fc.option(time),
  }),
  device: fc.option(oddText),
  remembered: fc.boolean(),
  via,
  browser: fc.option(hint),
  assurance: fc.integer({ min: 1, max: 9 }),
  seen: fc.option(seen),
  others: fc.array(seen, { maxLength: 4 }),
})

const tombstones: fc.Arbitrary<Tombstone> = fc.record({
  cause: fc.constantFrom('login', 'logout', 'ended', 'reuse', 'theft'),
  userId: fc.option(oddText),
  target: fc.option(fc.constant('AAAAAAAAAAAAAAAA')),
  sameUser: fc.boolean(),
  hashes: fc.array(hash, { maxLength: 40 }),
  via,
  browser: fc.option(fc.tuple(fc.constant(null).map(mintKey), hint).map((parts) => parts.join(''))),
})

describe('a head', () => {
  test('of a new session is 75 characters and its device', () => {
    const secretHash = hashSecret(mintSecret(mintKey()))
    expect(encodeHead(newHead(mintKey(), secretHash, start, null, false))).toHaveLength(75)
    expect(encodeHead(newHead(mintKey(), secretHash, start, 'Firefox on Windows', false))).toHaveLength(
      75 + '{"d":"Firefox on Windows"}'.length,
    )
  })

  test('comes back as it was, whatever it holds, and is printable ASCII', () => {
    fc.assert(
      fc.property(heads, (head) => {
        const text = encodeHead(head)
        expect(text).toMatch(printable)
        expect(decodeHead(text)).toEqual(head)
        expect(isRemembered(text)).toBe(head.remembered)
        expect(currentSince(text)).toBe(head.renewal.current.at)
        expect(isTombstone(text)).toBe(false)
        expect(decodeTombstone(text)).toBeNull()
      }),
      { numRuns: 500 },
    )
  })

  test('is asked for its current secret without being parsed', () => {
    fc.assert(
      fc.property(heads, (head) => {
        const [current, pending] = [mintSecret(head.key), mintSecret(head.key)]
        const { renewal } = head
        const text = encodeHead({
          ...head,
          renewal: {
            ...renewal,
            current: { ...renewal.current, hash: hashSecret(current) },
            pending: [...renewal.pending, { hash: hashSecret(pending), at: 0, hint: 'a' }],
          },
        })
        expect([current, pending, mintSecret(head.key)].map((secret) => showsCurrent(text, secret, true))).toEqual([true, false, false])
      }),
      { numRuns: 200 },
    )
  })

  test('is asked for the login’s client without being parsed, whatever else it holds', () => {
    const viewOf = ({ agent, address }: Client) => ({ secure: true, address, header: () => agent })
    fc.assert(
      fc.property(heads, (head) => {
        const own = viewOf(firefox)
        const text = encodeHead({ ...head, seen: seenOf(head.key, own), others: [] })
        for (const network of [false, true]) expect(isOfClient(text, own, network)).toBe(true)
        expect(isOfClient(text, viewOf({ ...firefox, address: chrome.address }), false)).toBe(true)
        const moved = viewOf({ ...firefox, address: chrome.address })
        expect(isOfClient(text, moved, true)).toBe(seenOf(head.key, moved) === seenOf(head.key, own))
        expect(isOfClient(text, viewOf({ ...firefox, agent: chrome.agent }), false)).toBe(false)
        expect(isOfClient(encodeHead({ ...head, seen: null, others: [] }), own, true)).toBe(true)
        expect(isOfClient(encodeHead({ ...head, seen: seenOf(head.key, own), others: ['abcdefghi'] }), own, false)).toBe(false)
      }),
      { numRuns: 500 },
    )
  })

  test('has good secrets: all but those whose grace is over', () => {
    const head = newHead(mintKey(), 'current', start, null, false)
    const renewal = {
      ...head.renewal,
      pending: [{ hash: 'pending', at: start, hint: 'hint' }],
      superseded: ['superseded'],
      closing: [
        { hash: 'closed', until: start },
        { hash: 'closing', until: start + 1 },
      ],
    }
    expect(goodHashes({ ...head, renewal }, start)).toEqual(['current', 'pending', 'superseded', 'closed', 'closing'])
    expect(goodHashes({ ...head, renewal }, start + 1)).toEqual(['current', 'pending', 'superseded', 'closing'])
  })
})

describe('a tombstone', () => {
  test('comes back as it was, whatever the user is called, and is printable ASCII', () => {
    fc.assert(
      fc.property(tombstones, (tombstone) => {
        const text = encodeTombstone(tombstone)
        expect(text).toMatch(printable)
        expect(decodeTombstone(text)).toEqual(tombstone)
        expect(isTombstone(text)).toBe(true)
        expect(decodeHead(text)).toBeNull()
        const secret = mintSecret(mintKey())
        expect(showsCurrent(`t${mintKey()}${hashSecret(secret)}`, secret, true)).toBe(false)
      }),
      { numRuns: 500 },
    )
  })

  test('of a user with an odd name lets the same one log in again', async () => {
    for (const userId of ['é', '🙂 ', '"\\', '\u2028', '{"cause":"logout"}', 'x'.repeat(5000)]) {
      const site = new Site()
      const visitor = await site.visitor()
      const again = site.browser(undefined, visitor.token)
      await visitor.send(async (session) => await session.login(userId))
      expect(await visitor.visit()).toBe(userId)
      await again.send(async (session) => await session.login(userId))
      expect(await again.send((session) => [session.userId, session.data.cart])).toEqual([userId, ['tea']])
    }
  })
})

describe('a head that another program wrote', () => {
  const foreign = [
    '',
    'v',
    'r',
    't',
    '{}',
    'null',
    'head',
    'value',
    'ready',
    'true',
    'tombstone',
    't{',
    'tnull',
    't5',
    't"login"',
    't{}',
    '{"cookie":{"originalMaxAge":null,"expires":null,"httpOnly":true,"path":"/"},"passport":{"user":"ada"}}',
    `v${'!'.repeat(73)}`,
    `v${'!'.repeat(74)}`,
    `r${'a'.repeat(100)}`,
    `v${'a'.repeat(74)}{`,
    `v${'a'.repeat(74)}null`,
    `v${'a'.repeat(74)}[]`,
    `v${'a'.repeat(74)}"p"`,
  ]

  test.each(foreign)('opens no session, and is no failure: %j', async (head) => {
    const store = memory()
    const site = new Site({ store })
    const owner = await site.member()
    const { token } = owner
    const record = (await site.record(owner))!
    expect(store.put({ ...record, head, version: record.version + versionStep() }, record.version)).toBe(true)
    await owner.send((session) => expect([session.isNew, session.id, session.userId, session.data.cart]).toEqual([true, null, null, []]))
    expect(owner.setCookie).toBeNull()
    expect(site.suspected).toEqual([])
    await owner.send(async (session) => await session.login('ada'))
    expect(owner.token!.slice(0, 16)).not.toBe(token!.slice(0, 16))
    expect(await owner.visit()).toBe('ada')
  })

  test('is none of ours in any other form either', () => {
    fc.assert(
      fc.property(fc.string({ maxLength: 120, unit: 'binary-ascii' }), (text) => {
        const head = decodeHead(text)
        expect(head === null || /^[vr]/.test(text)).toBe(true)
        expect(showsCurrent(text, 'a'.repeat(32), true)).toBe(false)
        decodeTombstone(text)
      }),
      { numRuns: 2000 },
    )
  })
})
