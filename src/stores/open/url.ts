import { SojournError } from '../../core/errors.ts'

/**
 * Takes a parameter of the store's own out of a URL's query; the rest is the driver's, to the letter. Not by `URL`, which knows
 * no list of hosts.
 */
export function takeParameter(url: string, name: string): { readonly url: string; readonly value: string | undefined } {
  const start = url.indexOf('?') + 1
  if (start === 0) return { url, value: undefined }
  const parts = url.slice(start).split('&')
  const part = parts.find((one) => one.startsWith(`${name}=`))
  if (part === undefined) return { url, value: undefined }
  const others = parts.filter((one) => one !== part)
  return { url: url.slice(0, start - 1) + (others.length === 0 ? '' : `?${others.join('&')}`), value: decoded(part.slice(name.length + 1)) }
}

/** Does what a wrong URL makes fail. What a driver says of one may hold a password, so it is not passed on. */
export function reading<T>(form: string, work: () => T): T {
  try {
    return work()
  } catch {
    throw new SojournError(
      'ERR_SOJOURN_OPTION',
      `The store's URL can't be read: write it as ${form}, special characters as %40 and the like.`,
    )
  }
}

function decoded(text: string): string {
  return reading('scheme://host/?name=value', () => decodeURIComponent(text))
}

/** @throws where it is no URL of a server, in no words that are shown */
export function serverUrl(text: string): string {
  if (!/^[^:]+:\/\//.test(text)) throw new Error('no server')
  return new URL(text).href
}
