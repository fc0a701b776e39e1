import { browserHint, clientHint } from './client-hint.ts'
import { describeDevice } from './device.ts'
import type { Via } from './head.ts'
import type { RequestView } from './request.ts'
import { type Seen, seenOf } from './seen.ts'

/** What a new session's record is to know of its client. */
export interface Client {
  readonly device: string | null
  /** What tells it from others, under a record's key. */
  readonly hint: (key: string) => string
  /** What is kept of it to tell it from another, under a record's key. */
  readonly seen: (key: string) => Seen | null
  readonly via: Via
  /** What tells its browser from others, under a record's key; null where no token goes into URLs. */
  readonly browser: ((key: string) => string) | null
}

export function clientOf(view: RequestView, via: Via): Client {
  return {
    device: describeDevice(view.header('user-agent')),
    hint: (key) => clientHint(key, view),
    seen: (key) => seenOf(key, view),
    via,
    browser: via === 'url' || via === 'either' ? (key) => browserHint(key, view) : null,
  }
}
