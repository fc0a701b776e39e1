import { newRenewal, type Renewal } from './renewal.ts'
import type { RequestView } from './request.ts'
import { isSameDevice, markLength, type Seen, seenOf } from './seen.ts'
import { sameHash } from './token.ts'

/**
 * The core's own part of a record. In the store it is text of a fixed beginning, so that a request which shows the current
 * secret long before renewal is due costs one comparison and one number, and no parse:
 *
 *   kind (1: a visit, a remembered login, or a tombstone)  key of the check bits (22)  hash of the current secret (43)  its time (9, base 36)  the rest (JSON, if any)
 */
export interface Head {
  /** The key of the check bits of this record's secrets. */
  readonly key: string
  readonly renewal: Renewal
  /** What the client called itself at login or creation, such as 'Firefox on Windows'. */
  readonly device: string | null
  /** Whether the timeouts of a remembered login hold. */
  readonly remembered: boolean
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
  /** The user that logged in (for a login), or that the session had. */
  readonly userId: string | null
  /** Where a login moved the session to. */
  readonly target: string | null
  /** Whether the record already had that user, so that a logout of the old one means the new one too. */
  readonly sameUser: boolean
  /** Hashes of the secrets that were good when it ended: it answers to those alone. */
  readonly hashes: readonly string[]
}

/** What a head may keep beyond its fixed beginning; short names, since every record carries them. */
interface Rest {
  p?: Renewal['pending']
  s?: Renewal['superseded']
  c?: Renewal['closing']
  l?: number
  h?: string
  d?: string
  a?: number
  w?: Seen
  o?: readonly Seen[]
}

const visit = 'v'
const remembers = 'r'
const dead = 't'
const hashAt = 23
const timeAt = hashAt + 43
const restAt = timeAt + 9

export function newHead(
  key: string,
  hash: string,
  now: number,
  device: string | null,
  remembered: boolean,
  hint: string | null = null,
  { assurance = 1, seen = null }: { readonly assurance?: number | undefined; readonly seen?: Seen | null } = {},
): Head {
  return { key, renewal: newRenewal(hash, now, hint), device, remembered, assurance, seen, others: [] }
}

export function encodeHead({ key, renewal, device, remembered, assurance, seen, others }: Head): string {
  const rest: Rest = {}
  if (renewal.pending.length > 0) rest.p = renewal.pending
  if (renewal.superseded.length > 0) rest.s = renewal.superseded
  if (renewal.closing.length > 0) rest.c = renewal.closing
  if (renewal.late !== null) rest.l = renewal.late
  if (device !== null) rest.d = device
  const { hash, at, hint } = renewal.current
  if (hint !== null) rest.h = hint
  if (assurance !== 1) rest.a = assurance
  if (seen !== null) rest.w = seen
  if (others.length > 0) rest.o = others
  const text = asciiJson(rest)
  return (remembered ? remembers : visit) + key + hash + at.toString(36).padStart(9, '0') + (text === '{}' ? '' : text)
}

/** Reads a live head. A head of a tombstone, or one that another program wrote, is null: no session. */
export function decodeHead(head: string): Head | null {
  if (!isLive(head) || head.length < restAt) return null
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

/** Whether the head is a live one whose current secret has this hash: what nearly every request asks. */
export function showsCurrent(head: string, hash: string): boolean {
  return isLive(head) && sameHash(head, hashAt, hash)
}

/**
 * Whether a request's client is the one of the login, by its browser and platform (and its network, where that is asked), and no
 * other was seen since. What was not told at login can't be told from others.
 */
export function isOfClient(head: string, view: RequestView, network: boolean): boolean {
  // Inside a JSON text no quote stands alone: what looks like a key is one. (indexOf takes a fifth of the time of includes.)
  if (head.indexOf('"o":[', restAt) !== -1) return false
  const at = head.indexOf('"w":"', restAt) + 5
  if (at === 4) return true
  if (!isSameDevice(head, at + markLength, 1, view)) return false
  return !network || (seenOf(keyOf(head), view) ?? '').slice(0, markLength) === head.slice(at, at + markLength)
}

function isLive(head: string): boolean {
  return head.startsWith(visit) || head.startsWith(remembers)
}

/** Whether the timeouts of a remembered login hold. */
export function isRemembered(head: string): boolean {
  return head.startsWith(remembers)
}

/** The key of the check bits and of client hints. */
export function keyOf(head: string): string {
  return head.slice(1, hashAt)
}

/** Since when the current secret has been current. */
export function currentSince(head: string): number {
  return Number.parseInt(head.slice(timeAt, restAt), 36)
}

export function isTombstone(head: string): boolean {
  return head.startsWith(dead)
}

export function encodeTombstone(tombstone: Tombstone): string {
  return dead + asciiJson(tombstone)
}

export function decodeTombstone(head: string): Tombstone | null {
  if (!isTombstone(head)) return null
  try {
    return JSON.parse(head.slice(1)) as Tombstone
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
