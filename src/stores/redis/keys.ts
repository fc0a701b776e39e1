import { createHash } from 'node:crypto'
import { alphabet } from '../../core/base64url.ts'
import { SojournError } from '../../core/errors.ts'

const shape = /^[A-Za-z\d][\w.:/-]{0,63}$/
const slots = 16_384

export const bucketCount = alphabet.length

/** The names of all keys. Braces mark what decides the slot: no script is given keys of two slots. */
export class Keys {
  readonly #prefix: string

  constructor(prefix: string) {
    if (typeof prefix !== 'string' || !shape.test(prefix)) {
      throw new SojournError(
        'ERR_SOJOURN_OPTION',
        `The Redis store's prefix is ${JSON.stringify(prefix)}. Begin it with a letter or digit, go on with letters, digits and _ . : / -, 64 characters in all, such as 'shop:'.`,
      )
    }
    this.#prefix = prefix
  }

  record(id: string): string {
    return `${this.#prefix}{${tags[bucketOf(id)]!}}:${id}`
  }

  /** What the keys of all records begin with. */
  get recordPrefix(): string {
    return `${this.#prefix}{`
  }

  /** The ID of a record's key, whatever stands before the prefix; null for any other key. */
  idOf(key: string): string | null {
    return /\{\d+\}:([\w-]{16})$/.exec(key)?.[1] ?? null
  }

  /** The IDs of a bucket's records, by expiry. */
  expiry(bucket: number): string {
    return `${this.#prefix}{${tags[bucket]!}}:expiry`
  }

  /** The IDs of a user's records. What names the user may be long, or personal: keys are listed and logged. */
  user(userId: string): string {
    return `${this.#prefix}user:{${createHash('sha256').update(userId).digest('base64url').slice(0, 22)}}`
  }
}

/** Records lie in 64 buckets by the first character of their IDs. */
export function bucketOf(id: string): number {
  const bucket = alphabet.indexOf(id.charAt(0))
  return bucket === -1 ? 0 : bucket
}

/** The slot of a key in Redis Cluster: CRC-16 (XMODEM) of what stands between its first braces. */
export function slotOf(key: string): number {
  const [, tag = key] = /\{([^}]+)\}/.exec(key) ?? []
  let crc = 0
  for (let index = 0; index < tag.length; index++) {
    crc ^= tag.charCodeAt(index) << 8
    for (let bit = 0; bit < 8; bit++) crc = crc & 0x8000 ? (crc << 1) ^ 0x1021 : crc << 1
  }
  return (crc & 0xffff) % slots
}

// The tag of the bucket n is the first whole number whose slot lies in the n-th 64th of all slots, so that buckets spread
// evenly over any number of nodes.
const tags: string[] = []
for (let number = 0, found = 0; found < bucketCount; number++) {
  const bucket = Math.floor((slotOf(`{${number}}`) * bucketCount) / slots)
  if (tags[bucket] !== undefined) continue
  tags[bucket] = String(number)
  found++
}
