import { SojournError } from './errors.ts'

/** A number of bytes, or text with a unit: '512 KiB', '256 MB', '1.5 GB'. */
export type Size = number | string

const bytesOf: Record<string, number> = {
  b: 1,
  kb: 1e3,
  mb: 1e6,
  gb: 1e9,
  tb: 1e12,
  kib: 2 ** 10,
  mib: 2 ** 20,
  gib: 2 ** 30,
  tib: 2 ** 40,
}

const shape = /^(\d+(?:\.\d+)?) ?(b|[kmgt]i?b)?$/i

/**
 * Reads a size into whole bytes. KB, MB, GB and TB are powers of 1000; KiB, MiB, GiB and TiB of 1024.
 *
 * @throws ERR_SOJOURN_OPTION for anything that is not a size of at least one byte.
 */
export function parseSize(value: Size, option: string): number {
  const bytes = typeof value === 'string' ? textToBytes(value) : value
  if (Number.isFinite(bytes) && bytes >= 1) return Math.floor(bytes)
  throw new SojournError(
    'ERR_SOJOURN_OPTION',
    `${option} is ${typeof value === 'string' ? `'${value}'` : String(value)}, which is no size; write bytes (256000000) or '256 MB', '1 GiB'.`,
  )
}

function textToBytes(text: string): number {
  const [, amount, unit = 'B'] = shape.exec(text.trim()) ?? []
  return Number(amount) * bytesOf[unit.toLowerCase()]!
}
