import { type OutgoingHttpHeaders, validateHeaderName, validateHeaderValue } from 'node:http'
import type { NodeResponse, Original } from './gate.ts'

// What the arguments of `writeHead` are, and what is done with them.

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

/**
 * Whether headers of a head can be passed on as they are, with the session's beside them, which spares setting each: there is
 * none that a session has a say in, and none that Node refuses, which it must before anything is committed.
 */
export function isApart(res: NodeResponse, given: unknown): given is OutgoingHttpHeaders {
  if (typeof given !== 'object' || given === null || Array.isArray(given) || 'stream' in res) return false
  if (res.getHeader('cache-control') !== undefined || res.getHeader('set-cookie') !== undefined) return false
  const headers = given as OutgoingHttpHeaders
  for (const name of Object.keys(headers)) {
    const value = headers[name]
    if (value === undefined || ofSessions(name)) return false
    validate(name, value as string)
  }
  return true
}

/** Names that Node takes: the same few come with each answer, and Node asks a regular expression. */
const goodNames = new Set<string>()

/** @throws what Node would */
function validate(name: string, value: string | number): void {
  if (!goodNames.has(name)) {
    validateHeaderName(name)
    if (goodNames.size < 100) goodNames.add(name)
  }
  if (typeof value !== 'number') validateHeaderValue(name, value)
}

const namesOfSessions = new Set(['set-cookie', 'cache-control', 'clear-site-data', 'referrer-policy'])

function ofSessions(name: string): boolean {
  const { length } = name // First, since it tells most names apart.
  return (length === 10 || length === 13 || length === 15) && namesOfSessions.has(name.toLowerCase())
}
