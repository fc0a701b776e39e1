import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { give, isDue, judge, newRenewal, type Renewal, type RenewalTimes, type Verdict } from '../../src/core/renewal.ts'
import { type Client, grace, renewAfter, skew } from './histories.ts'
import { Reference } from './renewal-reference.ts'

const times: RenewalTimes = { renew: 900, grace: 60 }
const firstWait = 36

function show(state: Renewal, secret: string, now: number, issued = true): Verdict {
  return judge(
    state,
    (hash) => hash === secret,
    () => issued,
    now,
    times,
  )
}

function after(verdict: Verdict): Renewal {
  if (!('next' in verdict) || verdict.next === null) throw new Error(`a secret that is ${verdict.kind} changes nothing`)
  return verdict.next
}

/** A state in which these were given in turn to one client. */
function given(state: Renewal, secrets: readonly string[], now: number, hint = 'one'): Renewal {
  return secrets.reduce((next, secret) => give(next, secret, hint, now).next, state)
}

const fresh = newRenewal('s0', 0)

describe('a secret that is shown', () => {
  test('is current, and changes nothing', () => {
    expect(show(fresh, 's0', 5000)).toEqual({ kind: 'current' })
  })

  test('for the first time becomes current; the one before is closing for a grace', () => {
    const next = after(show(given(fresh, ['s1'], 900), 's1', 910))
    expect(next).toMatchObject({
      current: { hash: 's1', at: 910 },
      pending: [],
      superseded: [],
      closing: [{ hash: 's0', until: 970 }],
      late: null,
    })
    expect(show(next, 's0', 970)).toEqual({ kind: 'closing' })
    expect(show(next, 's0', 971).kind).toBe('late')
  })

  test('leaves older pending ones superseded and newer ones pending', () => {
    const next = after(show(given(fresh, ['s1', 's2', 's3'], 900), 's2', 910))
    expect(next.superseded).toEqual(['s1'])
    expect(next.pending.map(({ hash }) => hash)).toEqual(['s3'])
    expect(show(next, 's1', 99_999)).toEqual({ kind: 'superseded' })
    expect(show(next, 's3', 99_999).kind).toBe('pending')
  })

  test('closes what was superseded before', () => {
    const once = after(show(given(fresh, ['s1', 's2', 's3'], 900), 's2', 910))
    const twice = after(show(once, 's3', 950))
    expect(twice.superseded).toEqual([])
    expect(twice.closing).toEqual([
      { hash: 's0', until: 970 },
      { hash: 's2', until: 1010 },
      { hash: 's1', until: 1010 },
    ])
  })

  test('and stands nowhere is unknown unless its check bits are right', () => {
    expect(show(fresh, 'guess', 10, false)).toEqual({ kind: 'unknown' })
    expect(show(fresh, 'old', 10)).toEqual({ kind: 'late', next: { ...fresh, late: 10 }, theft: false })
  })

  test('and is late again ends the session more than a grace after the first time, not before', () => {
    const marked = after(show(fresh, 'old', 10))
    expect(show(marked, 'old', 70)).toEqual({ kind: 'late', next: null, theft: false })
    expect(show(marked, 'older', 71)).toEqual({ kind: 'late', next: null, theft: true })
  })

  test('for the first time takes the mark of a late one away', () => {
    const marked = given(after(show(fresh, 'old', 10)), ['s1'], 900)
    expect(after(show(marked, 's1', 910)).late).toBeNull()
  })
})

describe('a new secret', () => {
  test('is due when the current one is old, or when it is asked for', () => {
    expect(isDue(fresh, 'current', 'one', 899, times)).toBe(false)
    expect(isDue(fresh, 'current', 'one', 900, times)).toBe(true)
    expect(isDue(fresh, 'current', 'one', 1, times, true)).toBe(true)
    expect(isDue(fresh, 'superseded', 'one', 1, times)).toBe(true)
  })

  test('is never due for one that is closing, late or unknown', () => {
    for (const kind of ['closing', 'late', 'unknown'] as const) expect(isDue(fresh, kind, 'one', 5000, times, true)).toBe(false)
  })

  test('is given again after half the grace and the skew, then twice as long each time, up to the renewal interval', () => {
    let state = fresh
    const at: number[] = []
    for (let now = 900; now < 5500; now++) {
      if (!isDue(state, 'current', 'one', now, times)) continue
      state = give(state, `s${now}`, 'one', now).next
      at.push(now)
    }
    const waits = at.slice(1).map((now, i) => now - at[i]!)
    expect(waits).toEqual([firstWait, 72, 144, 288, 576, 900, 900, 900])
  })

  test('is kept, six for a client at most: the seventh takes the place of the oldest and is worth a report', () => {
    let state = fresh
    for (let i = 1; i <= 6; i++) {
      const { next, unshown } = give(state, `s${i}`, 'one', i)
      expect(unshown).toBe(false)
      state = next
    }
    const { next, unshown } = give(state, 's7', 'one', 7)
    expect(unshown).toBe(true)
    expect(next.pending.map(({ hash }) => hash)).toEqual(['s2', 's3', 's4', 's5', 's6', 's7'])
  })

  test('waits for its own client alone: what others are given takes no turn away', () => {
    const state = given(fresh, ['s1', 's2', 's3', 's4', 's5', 's6'], 900, 'thief')
    expect(isDue(state, 'current', 'thief', 901, times)).toBe(false)
    expect(isDue(state, 'current', 'owner', 901, times)).toBe(true)
    const next = give(state, 's7', 'owner', 901)
    expect(next.unshown).toBe(false)
    expect(next.next.pending).toHaveLength(7)
  })

  test('goes to four clients at most; a client more counts as one of them', () => {
    let state = fresh
    for (let client = 0; client < 100; client++) {
      for (let i = 0; i < 20; i++) state = give(state, `${client}-${i}`, `client ${client}`, client * 20 + i).next
      expect(new Set(state.pending.map(({ hint }) => hint)).size).toBeLessThanOrEqual(4)
      expect(state.pending.length).toBeLessThanOrEqual(24)
    }
  })

  test('drops what is closed for good', () => {
    const confirmed = after(show(given(fresh, ['s1'], 900), 's1', 910))
    expect(give(confirmed, 's2', 'one', 970).next.closing).toHaveLength(1)
    expect(give(confirmed, 's2', 'one', 971).next.closing).toEqual([])
  })
})

/** What an issued secret, of its number, is shown as by a client after a pause. */
interface Show {
  readonly secret: number
  readonly pause: number
  readonly client: Client
}

const shows = fc.array(
  fc.record<Show>({
    secret: fc.nat(40),
    pause: fc.oneof(fc.integer({ min: 0, max: 10 }), fc.integer({ min: 20, max: 80 }), fc.integer({ min: 800, max: 1000 })),
    client: fc.constantFrom<Client>('user', 'thief'),
  }),
  { maxLength: 120 },
)

/** The same server as the reference, made of the real functions. */
class Real {
  #state = newRenewal('s0', 0)
  #issued = 0
  ended = false

  get issued(): number {
    return this.#issued
  }

  answer(secret: string, now: number, client: Client): { ok: boolean; set: string | null } {
    if (this.ended) return { ok: false, set: null }
    const verdict = show(this.#state, secret, now)
    if (verdict.kind === 'pending') this.#state = verdict.next
    if (verdict.kind === 'late') {
      this.#state = verdict.next ?? this.#state
      this.ended = verdict.theft
      return { ok: false, set: null }
    }
    if (!isDue(this.#state, verdict.kind, client, now, times)) return { ok: true, set: null }
    const set = `s${++this.#issued}`
    this.#state = give(this.#state, set, client, now).next
    return { ok: true, set }
  }
}

test('whatever is shown, and whenever, the functions decide as the reference does', () => {
  expect([times.renew, times.grace, firstWait]).toEqual([renewAfter, grace, grace / 2 + skew])
  fc.assert(
    fc.property(shows, (history) => {
      const real = new Real()
      const reference = new Reference()
      let now = 0
      for (const { secret, pause, client } of history) {
        now += pause
        // The newest ones far more often than old ones.
        const name = `s${Math.max(0, real.issued - (secret % (secret > 30 ? 40 : 4)))}`
        expect(real.answer(name, now, client)).toEqual(reference.answer(name, now, client))
        expect(real.ended).toBe(reference.isEnded())
      }
    }),
    { numRuns: 2000 },
  )
})
