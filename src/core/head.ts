import { isProven } from './proven-secrets.ts'
import { newRenewal, type Renewal } from './renewal.ts'
import type { ClientView } from './request.ts'
import { hashLength, isHashOf } from './secret-hash.ts'
import { isSameDevice, markLength, type Seen, seenOf } from './seen.ts'
import type { Secret } from './token.ts'
import type { TransportName } from './transport.ts'

/** How a session is reached: by the one transport that its token came back by; `either`: handed out by cookie and URL, and neither came back yet. */
export type Via = TransportName | 'either'

/**
 * The core's own part of a record. In the store it is text of a fixed beginning, so that a request which shows the current
 * secret long before renewal is due costs one comparison and one number, and no parse:
 *
 *   kind (1: a visit or a remembered login, and its transport; or a tombstone)  key of the check bits (22)  hash of the current secret (43)  its time (9, base 36)  the rest (JSON, if any)
 */
export interface Head {
  /** The key of the check bits of this record's secrets. */
  readonly key: string
  readonly renewal: Renewal
  /** What the client called itself at login or creation, such as 'Firefox on Windows'. */
  readonly device: string | null
  /** Whether the timeouts of a remembered login hold. */
  readonly remembered: boolean
  readonly via: Via
  /** The browser to which a token in URLs is bound, as `browserHint` tells it; null where it is in none. */
  readonly browser: string | null
  /** How sure the login was of its user: 1, or what the application said. */
  readonly assurance: number
  /** The client of the login or creation, to tell it from others; null where it told nothing. */
  readonly seen: Seen | null
  /** The clients that were seen after it, oldest first, each time that it was another one: a new login is demanded since. */
  readonly others: readonly Seen[]
}

/** What stands in the place of a record that ended: it opens for nobody. */
export interface Tombstone {
  readonly cause: 'login' | 'logout' | 'ended' | 'reuse' | 'theft'
  /** The user that logged in (for a login), or that the session had; with encryption, what the store calls that user. */
  readonly userId: string | null
  /** Where a login moved the session to. */
  readonly target: string | null
  /** Whether the record already had that user, so that a logout of the old one means the new one too. */
  readonly sameUser: boolean
  /** Hashes of the secrets that were good when it ended: it answers to those alone. */
  readonly hashes: readonly string[]
  /** How it was reached, and so still is. */
  readonly via: Via
  /** For a token in URLs: the key under which the browser's hint was made, then the hint. */
  readonly browser: string | null
}

/** What a head may keep beyond its fixed beginning; short names, since every record carries them. */
interface Rest {
  p?: Renewal['pending']
  s?: Renewal['superseded']
  c?: Renewal['closing']
  l?: number
  h?: string
  d?: string
  b?: string
  a?: number
  w?: Seen
  o?: readonly Seen[]
}

// The kinds of a live head: a visit, and a remembered login.
const kinds: Readonly<Record<Via, readonly [visit: string, remembered: string]>> = {
  cookie: ['v', 'r'],
  url: ['u', 'U'],
  header: ['h', 'H'],
  either: ['e', 'E'],
}
// By the character's code: every request asks.
const ways: (Via | undefined)[] = []
for (const [via, both] of Object.entries(kinds)) for (const kind of both) ways[kind.charCodeAt(0)] = via as Via
const remembering: (boolean | undefined)[] = []
for (const [, kind] of Object.values(kinds)) remembering[kind.charCodeAt(0)] = true
const dead = 't'
/** How long a record's key is. */
export const keyLength = 22
const hashAt = 1 + keyLength
const timeAt = hashAt + hashLength
const restAt = timeAt + 9

export function newHead(
  key: string,
  hash: string,
  now: number,
  device: string | null,
  remembered: boolean,
  hint: string | null = null,
  { via = 'cookie', browser = null, assurance = 1, seen = null }: Partial<Pick<Head, 'via' | 'browser' | 'assurance' | 'seen'>> = {},
): Head {
  return { key, renewal: newRenewal(hash, now, hint), device, remembered, via, browser, assurance, seen, others: [] }
}

export function encodeHead({ key, renewal, device, remembered, via, browser, assurance, seen, others }: Head): string {
  const rest: Rest = {}
  if (renewal.pending.length > 0) rest.p = renewal.pending
  if (renewal.superseded.length > 0) rest.s = renewal.superseded
  if (renewal.closing.length > 0) rest.c = renewal.closing
  if (renewal.late !== null) rest.l = renewal.late
  if (device !== null) rest.d = device
  const { hash, at, hint } = renewal.current
  if (hint !== null) rest.h = hint
  if (browser !== null) rest.b = browser
  if (assurance !== 1) rest.a = assurance
  if (seen !== null) rest.w = seen
  if (others.length > 0) rest.o = others
  const text = asciiJson(rest)
  // Joined and not added up: V8 would keep the parts, and each later look at a character would go by way of them.
  return [kinds[via][remembered ? 1 : 0], key, hash, at.toString(36).padStart(9, '0'), text === '{}' ? '' : text].join('')
}

/** Reads a live head. A head of a tombstone, or one that another program wrote, is null: no session. */
export function decodeHead(head: string): Head | null {
  const via = viaOf(head)
  if (via === null || head.length < restAt) return null
  const rest = head.length === restAt ? {} : parseRest(head.slice(restAt))
  if (rest === null) return null
  return {
    key: head.slice(1, hashAt),
    renewal: {
      current: { hash: head.slice(hashAt, timeAt), at: currentSince(head), hint: rest.h ?? null },
      pending: rest.p ?? [],
      superseded: rest.s ?? [],
      closing: rest.c ?? [],
      late: rest.l ?? null,
    },
    device: rest.d ?? null,
    remembered: isRemembered(head),
    via,
    browser: rest.b ?? null,
    assurance: rest.a ?? 1,
    seen: rest.w ?? null,
    others: rest.o ?? [],
  }
}

function parseRest(text: string): Rest | null {
  try {
    return JSON.parse(text) as Rest
  } catch {
    return null
  }
}

/**
 * Whether the head is a live one whose current secret is this one: what nearly every request asks.
 *
 * @param mayKeep whether this process may keep the secret in its memory
 */
export function showsCurrent(head: string, secret: Secret, mayKeep: boolean): boolean {
  if (viaOf(head) === null) return false
  return mayKeep ? isProven(secret, head, hashAt) : isHashOf(secret, head, hashAt)
}

/** How a live record is reached; null for the head of a tombstone, and for one that another program wrote. */
export function viaOf(head: string): Via | null {
  return ways[head.charCodeAt(0)] ?? null
}

/** The head of a session that was handed out by cookie and URL, now that its token has come back by the one or the other. */
export function settled(head: Head, via: TransportName): Head {
  if (via === 'url') return { ...head, via }
  // Its secret stands in links as well, which may have gone anywhere: it is due to be replaced.
  const current = { ...head.renewal.current, at: 0 }
  return { ...head, via, browser: null, renewal: { ...head.renewal, current } }
}

/**
 * Whether a request's client is the one of the login, by its browser and platform (and its network, where that is asked), and no
 * other was seen since. What was not told at login can't be told from others.
 */
export function isOfClient(head: string, view: ClientView, network: boolean): boolean {
  const at = soleSeenAt(head)
  if (at === -1) return head.indexOf('"w":"', restAt) === -1 && head.indexOf('"o":[', restAt) === -1
  if (!isSameDevice(head, at + markLength, 1, view)) return false
  return !network || (seenOf(keyOf(head), view) ?? '').slice(0, markLength) === head.slice(at, at + markLength)
}

// As the head's last entry: the clients that were seen later would stand behind it.
const seenEntry = '"w":"' + '.'.repeat(3 * markLength) + '"}'

/** Where the client of the login stands in a head that has no others; -1 if there are others, or none. */
function soleSeenAt(head: string): number {
  const from = head.length - seenEntry.length
  if (from < restAt) return -1
  // Inside a JSON text no quote stands alone: what looks like a key is one. (By its place: a search would take ten times as long.)
  for (let i = 0; i < 5; i++) if (head.charCodeAt(from + i) !== seenEntry.charCodeAt(i)) return -1
  return from + 5
}

/** Whether the timeouts of a remembered login hold. */
export function isRemembered(head: string): boolean {
  return remembering[head.charCodeAt(0)] === true
}

/** For a token in URLs: the key of the browser's hint, then the hint; null where there is none. */
export function boundOf(head: string): string | null {
  const { key, browser } = decodeHead(head) ?? {}
  return key === undefined || browser === undefined || browser === null ? null : key + browser
}

/** The key of the check bits and of client hints. */
export function keyOf(head: string): string {
  return head.slice(1, hashAt)
}

/** Since when the current secret has been current. */
export function currentSince(head: string): number {
  let time = 0
  for (let i = timeAt; i < restAt; i++) {
    const code = head.charCodeAt(i)
    time = time * 36 + (code < 0x40 ? code - 0x30 : code - 0x57) // '0' to '9', 'a' to 'z'
  }
  return time
}

export function isTombstone(head: string): boolean {
  return head.startsWith(dead)
}

export function encodeTombstone({ via, browser, ...tombstone }: Tombstone): string {
  return dead + asciiJson({ ...tombstone, ...(via !== 'cookie' && { via }), ...(browser !== null && { browser }) })
}

export function decodeTombstone(head: string): Tombstone | null {
  if (!isTombstone(head)) return null
  try {
    return { via: 'cookie', browser: null, ...(JSON.parse(head.slice(1)) as Omit<Tombstone, 'via' | 'browser'> & Partial<Tombstone>) }
  } catch {
    return null
  }
}

/** The hashes of all secrets that open a record with this head now. */
export function goodHashes({ renewal }: Head, now: number): string[] {
  return [
    renewal.current.hash,
    ...renewal.pending.map((pending) => pending.hash),
    ...renewal.superseded,
    ...renewal.closing.filter((closing) => now <= closing.until).map((closing) => closing.hash),
  ]
}

// Heads are printable ASCII by contract; a user's name may be anything.
function asciiJson(value: unknown): string {
  return JSON.stringify(value).replace(/[^\x20-\x7e]/g, (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`)
}
