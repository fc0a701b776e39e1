import type { RequestView } from '../../src/core/request.ts'

/** A request as a transport sees it. */
export function requestOf({
  secure,
  headers = {},
}: {
  readonly secure: boolean
  readonly headers?: Readonly<Record<string, string>>
}): RequestView {
  return { secure, address: '127.0.0.1', method: 'GET', host: headers['host'], header: (name) => headers[name] }
}
