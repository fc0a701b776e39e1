import { createHmac } from 'node:crypto'
import { describeDevice } from './device.ts'
import { networkOf } from './network.ts'
import type { RequestView } from './request.ts'

/**
 * Tells clients apart for renewal: a hash, under the record's own key, of what the browser calls itself and of its network.
 * Nothing rests on it but whose turn it is to be given a new secret.
 */
export function clientHint(key: string, view: RequestView): string {
  return createHmac('sha256', key)
    .update(`${describeDevice(view.header('user-agent'))}\n${networkOf(view.address) ?? ''}`)
    .digest('base64url')
    .slice(0, 6)
}

/**
 * Tells the browser that a token in a URL was given to from others that its link may get to: a hash, under the record's own
 * key, of what the browser calls itself and of the languages that it asks for. A hint, which another browser of the same make
 * has as well; the network is left out, since phones change it on the way.
 */
export function browserHint(key: string, view: RequestView): string {
  return createHmac('sha256', key)
    .update(`url\n${view.header('user-agent') ?? ''}\n${view.header('accept-language') ?? ''}`)
    .digest('base64url')
    .slice(0, 16)
}
