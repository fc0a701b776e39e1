import { justPrivate } from './opener.ts'
import type { Owed } from './open-session.ts'
import type { Via } from './head.ts'
import type { RequestView } from './request.ts'
import { formatSiteData, type SiteData } from './site-data.ts'
import type { Header } from './transport.ts'
import type { Transports } from './transports.ts'

/** What a committed session says to its response. */
export interface Outcome {
  readonly view: RequestView
  readonly owed: Owed
  readonly wasRead: boolean
  /** Asked for where something is owed. */
  readonly via: Via
  readonly forgotten: readonly SiteData[]
}

/** The headers that a response must carry for a session that was committed. */
export function responseHeaders(transports: Transports, outcome: Outcome): readonly Header[] {
  const headers = tokenHeaders(transports, outcome)
  const { forgotten } = outcome
  return forgotten.length === 0 ? headers : [...headers, ['Clear-Site-Data', formatSiteData(forgotten)]]
}

const none: readonly Header[] = []

function tokenHeaders(transports: Transports, outcome: Outcome): readonly Header[] {
  const { owed, view } = outcome
  if (owed === null && !view.boreToken) return outcome.wasRead ? justPrivate : none
  const headers: Header[] = [['Cache-Control', 'no-store']]
  if (view.boreToken) headers.push(transports.url!.issue(view, '', null))
  if (owed === null) return headers
  for (const transport of transports.of(outcome.via)) {
    if (view.boreToken && transport === transports.url) continue
    const header = owed === 'clear' ? transport.clear(view) : transport.issue(view, owed.token, owed.maxAge)
    if (header !== null) headers.push(header)
  }
  return headers
}
