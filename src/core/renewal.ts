/**
 * Renewal: the timed change of a session's secret, in two phases, so that nobody is logged out by it.
 *
 * The secrets of a record, in the order of issue:
 *   current     what the client shows; when renewal is due the client is given
 *   pending     ones: newer, not yet shown. The first to be shown becomes current;
 *   superseded  ones were given before it and never shown: an answer that is still on its way may bring one;
 *   closing     was current (or was superseded when another was confirmed): good for a grace more.
 * What its check bits prove to have been issued and that stands nowhere is late: a thief's copy, or an upload that was held up.
 *
 * Pure functions of the state, the secret's hash, the client's hint and the time. Stores keep the state in the record's head.
 */
export interface Renewal {
  /** With the client that it was given to, as far as that is known: the owner's turn is its own, whoever else asks. */
  readonly current: { readonly hash: string; readonly at: number; readonly hint: string | null }
  /** Oldest first, as all lists here. */
  readonly pending: readonly Pending[]
  readonly superseded: readonly string[]
  readonly closing: readonly Closing[]
  /** When a late secret was first shown since the last confirmation. */
  readonly late: number | null
}

interface Pending {
  readonly hash: string
  readonly at: number
  /** The client that it was given to: a keyed hash of browser and network. */
  readonly hint: string
}

interface Closing {
  readonly hash: string
  readonly until: number
}

export interface RenewalTimes {
  /** How long a secret is current before the client is given another, in ms. */
  readonly renew: number
  /** How long a secret that was replaced is still served, in ms. A message may take half of it; clocks may differ by a tenth. */
  readonly grace: number
}

export type Verdict =
  | { readonly kind: 'current' | 'superseded' | 'closing' }
  /** Shown for the first time: `next` makes it the current one. */
  | { readonly kind: 'pending'; readonly next: Renewal }
  /** Refused. `next` bears the first mark and is null if there is one; `theft` when the session must end. */
  | { readonly kind: 'late'; readonly next: Renewal | null; readonly theft: boolean }
  /** Never issued: knowing an ID must not be enough to end a session, so it is no more than a wrong guess. */
  | { readonly kind: 'unknown' }

const keptForEachHint = 6
const hintsAtMost = 4

export function newRenewal(hash: string, now: number, hint: string | null = null): Renewal {
  return { current: { hash, at: now, hint }, pending: [], superseded: [], closing: [], late: null }
}

/**
 * Decides what a shown secret is.
 *
 * @param same compares a stored hash with that of the secret, in constant time
 * @param issued whether the secret's check bits are right; asked only when it stands nowhere
 */
export function judge(state: Renewal, same: (hash: string) => boolean, issued: () => boolean, now: number, times: RenewalTimes): Verdict {
  if (same(state.current.hash)) return { kind: 'current' }
  const shown = state.pending.findIndex((pending) => same(pending.hash))
  if (shown !== -1) return { kind: 'pending', next: confirm(state, shown, now, times) }
  if (state.superseded.some(same)) return { kind: 'superseded' }
  if (state.closing.some((closing) => same(closing.hash) && now <= closing.until)) return { kind: 'closing' }
  if (!issued()) return { kind: 'unknown' }
  if (state.late === null) return { kind: 'late', next: { ...state, late: now }, theft: false }
  return { kind: 'late', next: null, theft: now - state.late > times.grace }
}

function confirm(state: Renewal, shown: number, now: number, { grace }: RenewalTimes): Renewal {
  const until = now + grace
  const closing = state.closing.filter((closing) => now <= closing.until)
  for (const hash of [state.current.hash, ...state.superseded]) closing.push({ hash, until })
  return {
    current: { hash: state.pending[shown]!.hash, at: now, hint: state.pending[shown]!.hint },
    pending: state.pending.slice(shown + 1),
    superseded: state.pending.slice(0, shown).map((pending) => pending.hash),
    closing,
    late: null,
  }
}

/**
 * Whether a client that showed a secret of this kind is to be given a new one now. It is given another only when the last
 * one has not come back for half the grace and the clocks' skew, then twice as long each time, up to the renewal interval.
 *
 * @param asked renewal is due now, whatever the age of the current secret (`session.renew()`)
 */
export function isDue(
  state: Renewal,
  kind: Verdict['kind'],
  hint: string,
  now: number,
  { renew, grace }: RenewalTimes,
  asked = false,
): boolean {
  if (kind !== 'current' && kind !== 'superseded') return false
  if (kind === 'current' && !asked && now - state.current.at < renew) return false
  const mine = given(state, hint)
  const last = mine.at(-1)
  const firstWait = grace / 2 + grace / 10
  return last === undefined || now - last.at >= Math.min(firstWait * 2 ** (mine.length - 1), renew)
}

/** The state with one more pending secret; `unshown` when the client was given six before and none of them came back. */
export function give(state: Renewal, hash: string, hint: string, now: number): { next: Renewal; unshown: boolean } {
  const mine = given(state, hint)
  const unshown = mine.length >= keptForEachHint
  const kept = unshown ? state.pending.filter((pending) => pending !== mine[0]) : state.pending
  const pending = [...kept, { hash, at: now, hint: bucket(state, hint) }]
  const closing = state.closing.filter((closing) => now <= closing.until)
  return { next: { ...state, pending, closing }, unshown }
}

/** The secrets that stand by this client's name, oldest first. */
function given(state: Renewal, hint: string): Pending[] {
  const name = bucket(state, hint)
  return state.pending.filter((pending) => pending.hint === name)
}

// The owner and three others are told apart, so that a thief's requests can't use up the owner's turn; one more counts as the
// last of the others, so that a thief who changes clothes each time can't fill the record.
function bucket(state: Renewal, hint: string): string {
  const owner = state.current.hint
  const others = [...new Set(state.pending.map((pending) => pending.hint))].filter((other) => other !== owner)
  return hint === owner || others.includes(hint) || others.length < hintsAtMost - 1 ? hint : others.at(-1)!
}
