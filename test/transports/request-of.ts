import type { RequestView } from '../../src/core/request.ts'

/** A request as a transport sees it. */
export function requestOf({
  secure = false,
  headers = {},
  url = '/',
}: {
  readonly secure?: boolean
  readonly headers?: Readonly<Record<string, string>>
  readonly url?: string
}): RequestView {
  let target = url
  let boreToken = false
  return {
    secure,
    address: '127.0.0.1',
    method: 'GET',
    host: headers['host'],
    header: (name) => headers[name],
    countOf: (name) => (headers[name] === undefined ? 0 : 1),
    get url() {
      return target
    },
    get boreToken() {
      return boreToken
    },
    hideToken(strip) {
      boreToken = true
      target = strip(target)
    },
  }
}
