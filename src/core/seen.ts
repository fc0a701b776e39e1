import { alphabet, codes } from './base64url.ts'
import { type DeviceParts, describeDevice, partsOf } from './device.ts'
import { networkOf } from './network.ts'
import type { ClientView } from './request.ts'

/**
 * What a record keeps of a client, to tell it from another: a mark of its network, one of its browser's family, one of its
 * platform, three characters each; full stops for what it did not tell.
 */
export type Seen = string

export const markLength = 3
const untold = '...'
const dot = 0x2e

/** The marks of a request's client under a record's key; null where it told nothing at all. */
export function seenOf(key: string, view: ClientView): Seen | null {
  const keyed = hashOn(start, key, 0, keyUsed)
  const { browser, platform } = partsMet(view.header('user-agent'))
  const seen = mark(keyed, networkOf(view.address)) + mark(keyed, browser) + mark(keyed, platform)
  return seen === untold + untold + untold ? null : seen
}

/**
 * Whether a request's browser and platform have the marks that stand at `at`, under the key at `keyAt`, of the same text: what
 * nearly every request asks, so it makes no text (and startsWith would take longer than all of this).
 */
export function isSameDevice(text: string, at: number, keyAt: number, view: ClientView): boolean {
  if (text.charCodeAt(at) === dot && text.charCodeAt(at + markLength) === dot) return true
  const parts = partsMet(view.header('user-agent'))
  const place = ((text.charCodeAt(keyAt) << 4) ^ text.charCodeAt(keyAt + 1)) & (places - 1)
  const known = alike[place]
  if (known !== undefined && known.parts === parts && known.text === text) return true
  const keyed = hashOn(start, text, keyAt, keyUsed)
  if (!standsAt(text, at, keyed, parts.browser) || !standsAt(text, at + markLength, keyed, parts.platform)) return false
  alike[place] = { text, parts }
  return true
}

/** A text and the device that it was found to have the marks of: the next request of a session is like the one before it. */
interface Alike {
  readonly text: string
  readonly parts: DeviceParts
}

function standsAt(text: string, at: number, keyed: number, told: string | null): boolean {
  if (told === null) return text.charCodeAt(at) === dot
  const bits = bitsOf(keyed, told)
  return (
    text.charCodeAt(at) === codes[bits & 63] &&
    text.charCodeAt(at + 1) === codes[(bits >>> 6) & 63] &&
    text.charCodeAt(at + 2) === codes[(bits >>> 12) & 63]
  )
}

/** The parts of what was seen. */
export function partsOfSeen(seen: Seen): { network: string | null; browser: string | null; platform: string | null } {
  const part = (at: number): string | null => (seen.startsWith(untold, at) ? null : seen.slice(at, at + markLength))
  return { network: part(0), browser: part(markLength), platform: part(2 * markLength) }
}

const start = 0x811c9dc5
// So many characters of a key, 48 bits, tell records apart well enough.
const keyUsed = 8

/** FNV-1a. */
function hashOn(from: number, text: string, at: number, length: number): number {
  let hash = from
  for (let i = at; i < at + length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193)
  return hash
}

function mark(keyed: number, told: string | null): string {
  if (told === null) return untold
  const bits = bitsOf(keyed, told)
  return alphabet[bits & 63]! + alphabet[(bits >>> 6) & 63]! + alphabet[(bits >>> 12) & 63]!
}

/**
 * 18 bits under the record's own key: two networks look alike once in 262,144 times, which is enough to tell that a client moved.
 * Whoever has the record has the key, and could try all networks with any hash: it is the shortness that keeps the network a
 * secret, since sixty-four of the world's /24 networks fit. So a fast hash will do.
 */
function bitsOf(keyed: number, text: string): number {
  let hash = hashOn(keyed, text, 0, text.length)
  // The last bits of FNV depend on the last bits of the text alone.
  hash ^= hash >>> 15
  hash = Math.imul(hash, 0x85ebca6b)
  return hash ^ (hash >>> 13)
}

/** A User-Agent that was met, taken apart. */
interface Met {
  readonly agent: string
  readonly parts: DeviceParts
}

const nothing: DeviceParts = { browser: null, platform: null }

// The same few hundred come again and again. Each has one place, by its length and every ninth character, and comparing it with
// what stands there takes a few ns; a Map would hash all of it, which takes as long as the parse that is to be saved.
const places = 512
const met: (Met | undefined)[] = new Array<undefined>(places).fill(undefined)
// By two characters of the key, which are random.
const alike: (Alike | undefined)[] = new Array<undefined>(places).fill(undefined)

function partsMet(agent: string | undefined): DeviceParts {
  if (agent === undefined || agent === '') return nothing
  // Nothing longer is kept, so that nobody can fill memory.
  if (agent.length > 512) return partsOf(describeDevice(agent))
  let place = agent.length
  for (let i = agent.length - 1; i > 0; i -= 9) place = Math.imul(place, 31) + agent.charCodeAt(i)
  place &= places - 1
  const known = met[place]
  if (known !== undefined && known.agent === agent) return known.parts
  const parts = partsOf(describeDevice(agent))
  met[place] = { agent, parts }
  return parts
}
