import type { NodeResponse, Original } from './gate.ts'

/** Whether Node would take it for a status. */
export function isStatus(status: unknown): boolean {
  const code = Number(status) | 0
  return code >= 100 && code <= 999
}

/** Whether it is a flat list of names and values that lacks the last value, which Node refuses. */
export function isOdd(headers: unknown): boolean {
  return Array.isArray(headers) && !Array.isArray(headers[0]) && headers.length % 2 !== 0
}

/** Sets what `writeHead` was given, as Node does: an object's entries, a flat list of names and values, or a list of pairs. */
export function setHeaders(res: NodeResponse, { setHeader, appendHeader, removeHeader }: Original, headers: unknown): void {
  if (typeof headers !== 'object' || headers === null) return
  if (!Array.isArray(headers)) {
    for (const [name, value] of Object.entries(headers)) if (value !== undefined) setHeader.call(res, name, value as string | string[])
    return
  }
  const pairs: [string, string][] = Array.isArray(headers[0]) ? headers : pairUp(headers)
  for (const [name] of pairs) removeHeader.call(res, name)
  for (const [name, value] of pairs) appendHeader.call(res, name, typeof value === 'number' ? String(value) : value)
}

function pairUp(flat: readonly string[]): [string, string][] {
  const pairs: [string, string][] = []
  for (let i = 0; i < flat.length; i += 2) pairs.push([flat[i]!, flat[i + 1]!])
  return pairs
}
