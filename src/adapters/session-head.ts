import type { OutgoingHttpHeaders } from 'node:http'
import type { Committable } from '../core/opener.ts'
import { setOwn } from '../core/values.ts'

/** The headers that `writeHead` was given, in which no session has a say (`isApart`), and beside them those of the sessions. */
export function headWith(given: OutgoingHttpHeaders, sessions: readonly Committable[]): OutgoingHttpHeaders {
  // Never a copy by a spread, which V8 gives no room for more: one property added to it took a sixth of a small request.
  const head: OutgoingHttpHeaders = {}
  for (const name of Object.keys(given)) setOwn(head, name, given[name])
  for (const session of sessions) {
    for (const [name, value] of session.headers()) {
      // The second session's: they may be of one name.
      if (head[name] === undefined) head[name] = value
      else if (name === 'Set-Cookie') head[name] = [head[name] as string | string[], value].flat()
      else head[name] = name === 'Cache-Control' ? cacheControl(head[name], value) : value
    }
  }
  return head
}

/** What stands in Cache-Control, made at least as strict as the session asks. */
export function cacheControl(set: number | string | string[] | undefined, asked: string): string {
  const present = set === undefined ? '' : String(set)
  if (asked === 'no-store' || present === '') return /\bno-store\b/i.test(present) ? present : asked
  return /\b(?:private|no-store|public|s-maxage)\b/i.test(present) ? present : `${present}, ${asked}`
}
