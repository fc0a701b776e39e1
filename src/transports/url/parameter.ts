/**
 * One path parameter, `;sid=…`, at the end of a URL's path. `mark` is what it begins with. Only the path is looked at: what stands
 * behind `?` or `#` is the application's. Nothing here takes longer than the URL is long.
 */

/**
 * The parameter's value: null where there is none, '' where there are several, or one that does not stand at the path's end,
 * where alone it is ever put.
 */
export function takeToken(url: string, mark: string): string | null {
  const end = endOfPath(url)
  const at = url.indexOf(mark)
  if (at === -1 || at >= end) return null
  const from = at + mark.length
  return endOfParameter(url, from, end) === end ? url.slice(from, end) : ''
}

/** The URL without any parameter of this name, whatever its value: half a token is nobody's business either. */
export function stripToken(url: string, mark: string): string {
  const end = endOfPath(url)
  let rest = ''
  let from = 0
  for (let at = url.indexOf(mark); at !== -1 && at < end; at = url.indexOf(mark, from)) {
    rest += url.slice(from, at)
    from = endOfParameter(url, at + mark.length, end)
  }
  return from === 0 ? url : rest + url.slice(from)
}

/** What the parameter looks like where somebody has percent-encoded its signs, as mailers do. @param name letters, digits, - and _ */
export function encodedForm(name: string): RegExp {
  return new RegExp(`(?:;${name}%3[Dd]|%3[Bb]${name}(?:=|%3[Dd]))[^;/]*`, 'g')
}

/** The URL without any that is in `form`, of `encodedForm`: it was never issued so, and opens nothing, but may be a token all the same. */
export function stripEncoded(url: string, form: RegExp): string {
  if (!url.includes('%3')) return url
  const end = endOfPath(url)
  return url.slice(0, end).replace(form, '') + url.slice(end)
}

/** Puts the parameter at the end of the path of a URL that has none. */
export function insertToken(url: string, mark: string, token: string): string {
  const end = endOfPath(url)
  return url.slice(0, end) + mark + token + url.slice(end)
}

export function endOfPath(url: string): number {
  const end = url.search(/[?#]/)
  return end === -1 ? url.length : end
}

function endOfParameter(url: string, from: number, end: number): number {
  for (let at = from; at < end; at++) if (url[at] === ';' || url[at] === '/') return at
  return end
}
