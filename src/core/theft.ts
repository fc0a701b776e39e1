import { infoOf, type Core, land } from './core.ts'
import { end } from './ending.ts'
import { SojournError } from './errors.ts'
import { decodeHead, encodeHead, type Head, isOfClient } from './head.ts'
import { revised } from './record.ts'
import type { ClientView } from './request.ts'
import type { Routine } from './routine.ts'
import { markLength, partsOfSeen, type Seen, seenOf } from './seen.ts'
import type { SessionInfo } from './session.ts'
import type { SessionRecord } from './store.ts'
import { versionStep } from './token.ts'

/**
 * What tells a client from the one that was seen before it: another family of browser (another version is none), another
 * platform, another network (IPv4 /24, IPv6 /48). `alternating` comes with one of these when it is a client that was seen
 * earlier: two are at it in turns.
 */
export type TheftSignal = 'browser' | 'platform' | 'network' | 'alternating'

/** Go on; demand a new login before what asks for a recent one; end the session. */
export type TheftAnswer = 'allow' | 'stepUp' | 'end'

export interface TheftOptions {
  /**
   * How much each signal counts: those that are there are added up; from 2 on a new login is demanded, from 5 on the session ends.
   * @default { browser: 2, platform: 2, network: 1, alternating: 2 }
   */
  readonly weights?: { readonly [signal in TheftSignal]?: number | undefined } | undefined
  /**
   * Decides instead of the weights, at once. Asked with each request that bears a signal, until its answer was `'stepUp'`.
   */
  readonly decide?: ((signals: readonly TheftSignal[], session: SessionInfo) => TheftAnswer) | undefined
}

/** How signals are judged. */
export interface Theft {
  readonly decide: (signals: readonly TheftSignal[], session: SessionInfo) => TheftAnswer
  /** Whether another network alone can matter: only then is each request's looked at. */
  readonly asksNetwork: boolean
}

const stepUpFrom = 2
const endFrom = 5
/** A record logs so many changes of its client; a client who goes on changing is stepped up already. */
const othersAtMost = 4
const answers: readonly TheftAnswer[] = ['allow', 'stepUp', 'end']

/** @throws ERR_SOJOURN_OPTION for weights that are none, or that nobody would ask for */
export function resolveTheft({ weights, decide }: TheftOptions = {}): Theft {
  if (decide !== undefined) {
    if (weights === undefined) return { decide: (signals, session) => ask(decide, signals, session), asksNetwork: true }
    throw new SojournError(
      'ERR_SOJOURN_OPTION',
      'theft.decide and theft.weights were both given, and weights are not asked then; give one.',
    )
  }
  const weight = { browser: 2, platform: 2, network: 1, alternating: 2 }
  for (const [signal, value] of Object.entries(weights ?? {})) {
    if (value === undefined) continue
    if (typeof value !== 'number' || !(value >= 0))
      throw new SojournError('ERR_SOJOURN_OPTION', `theft.weights.${signal} is ${JSON.stringify(value)}; it must be a number from 0 up.`)
    weight[signal as TheftSignal] = value
  }
  return {
    decide(signals) {
      const sum = signals.reduce((total, signal) => total + weight[signal], 0)
      return sum >= endFrom ? 'end' : sum >= stepUpFrom ? 'stepUp' : 'allow'
    },
    asksNetwork: weight.network >= stepUpFrom,
  }
}

function ask(decide: Theft['decide'], signals: readonly TheftSignal[], session: SessionInfo): TheftAnswer {
  let answer: unknown
  try {
    answer = decide(signals, session)
  } catch (cause) {
    throw new SojournError('ERR_SOJOURN_CALLBACK', 'The option theft.decide failed, so the request was refused.', { cause })
  }
  const known = answers.find((one) => one === answer)
  if (known !== undefined) return known
  if (answer instanceof Promise) answer.catch(() => {}) // Nobody waits for it; its rejection must not end the process.
  throw new SojournError(
    'ERR_SOJOURN_CALLBACK',
    "The option theft.decide must answer 'allow', 'stepUp' or 'end', at once; it answered something else, so the request was refused.",
  )
}

/**
 * Whether a request may bear a signal: what each one is asked, and what must cost next to nothing while the client is the one of
 * the login. Its address is looked at only where a network alone can matter.
 */
export function isStrange({ asksNetwork }: Theft, head: string, view: ClientView): boolean {
  return !isOfClient(head, view, asksNetwork)
}

/**
 * Looks at a strange client's request, and does what is decided.
 *
 * @returns the record to go on with; null where the session was ended; 'changed' where another write came between: look again
 * @throws ERR_SOJOURN_CALLBACK when the application's function fails
 */
export function* suspect(core: Core, record: SessionRecord, view: ClientView): Routine<SessionRecord | 'changed' | null> {
  const head = decodeHead(record.head)
  if (head === null) return null
  const client = seenOf(head.key, view) ?? nothingSeen
  const signals = signalsOf(head, client)
  if (signals.length === 0) return record
  const answer = core.theft.decide(signals, infoOf(record))
  if (answer === 'allow' || (answer === 'stepUp' && head.others.length >= othersAtMost)) return record
  const { id, userId } = record
  const tell = (): void => core.events.emit('suspected', { id, userId, reason: 'changed', signals })
  if (answer === 'end') {
    const { ended } = yield* end(core, id, 'theft', record)
    if (ended) tell()
    return null
  }
  // Not a use by itself: the times stay as they are.
  const changes = { version: record.version + versionStep(), head: encodeHead({ ...head, others: [...head.others, client] }) }
  const marked = revised(record, changes, core.clock.now())
  if (!(yield* land(core, marked, record.version))) return 'changed'
  tell()
  return marked
}

/** What is different from the client that was seen last. */
export function signalsOf({ seen, others }: Pick<Head, 'seen' | 'others'>, client: Seen): TheftSignal[] {
  const log = [seen ?? nothingSeen, ...others]
  const [last, now] = [partsOfSeen(log.at(-1)!), partsOfSeen(client)]
  const signals: TheftSignal[] = []
  // What was not told before can't have changed; what is not told any more has. But a part of a browser may name the platform alone,
  // and sends its cookies: the player that Apple's browsers load media with.
  const isPart = now.browser === null && now.platform !== null && now.platform === last.platform
  if (last.browser !== null && last.browser !== now.browser && !isPart) signals.push('browser')
  if (last.platform !== null && last.platform !== now.platform) signals.push('platform')
  const isOther = signals.length > 0
  if (last.network !== null && now.network !== null && last.network !== now.network) signals.push('network')
  if (signals.length === 0) return signals
  // The owner may have moved to another network meanwhile: the device alone tells that he is back.
  const device = client.slice(markLength)
  const isBack = log.slice(0, -1).some((one) => one !== nothingSeen && one.slice(markLength) === device && (isOther || one === client))
  if (isBack) signals.push('alternating')
  return signals
}

const nothingSeen: Seen = '.'.repeat(3 * markLength)
