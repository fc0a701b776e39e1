import { SojournError } from './errors.ts'

/** What a browser can be told to forget of a site (W3C Clear Site Data). */
export type SiteData = 'cache' | 'cookies' | 'storage'

const all: readonly SiteData[] = ['cache', 'cookies', 'storage']

/** @throws ERR_SOJOURN_OPTION for what browsers would pass over */
export function parseSiteData(option: boolean | readonly SiteData[]): readonly SiteData[] {
  const kinds: unknown = typeof option === 'boolean' ? (option ? all : []) : option
  const isKnown = (kind: unknown): boolean => all.some((known) => known === kind)
  if (Array.isArray(kinds) && kinds.every(isKnown)) return kinds as SiteData[]
  throw new SojournError(
    'ERR_SOJOURN_OPTION',
    `logout() was given clearSiteData ${JSON.stringify(option)}; it must be true, or a list of 'cache', 'cookies', 'storage'.`,
  )
}

export function formatSiteData(kinds: readonly SiteData[]): string {
  return kinds.map((kind) => `"${kind}"`).join(', ')
}
