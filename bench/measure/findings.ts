import type { Finding } from '../row.ts'
import { type Contest, kinds, type Kind } from './contest.ts'

/**
 * What one entrant of a contest came to against another, for R and W; with the goals, if it has any.
 *
 * @param bounds entrants that do less than any session store can
 */
export function against(
  contest: Contest,
  name: string,
  over: string,
  unit: string,
  goals: Partial<Record<Kind, number>> = {},
  bounds: Partial<Record<Kind, string>> = {},
): Finding[] {
  return kinds.map((kind) => {
    const { median, least, most } = contest.ratio(name, over, kind)
    const goal = goals[kind]
    const bound = bounds[kind]
    return {
      what: `${name}, ${kind}`,
      value: median,
      unit,
      spread: [least, most],
      ...(goal !== undefined && { goal: { atLeast: goal } }),
      ...(bound !== undefined && { bound: { value: contest.ratio(bound, over, kind).median, of: bound } }),
      note: noteOf(contest, name, over, kind),
    }
  })
}

function noteOf(contest: Contest, name: string, over: string, kind: Kind): string {
  const rate = contest.rate(name, kind)
  const cost = contest.cost(name, kind)
  const kept = contest.kept(name)
  const parts = [
    `${Math.round(rate).toLocaleString('en')} requests a second`,
    // A program of another language tells it by the system, where that does.
    ...(Number.isFinite(cost)
      ? [
          `${cost.toFixed(1)} µs of processor each, ${contest.cost(over, kind).toFixed(1)} for 1 ×`,
          // Far below 100, the server waited: for its database, or because others had its core.
          `busy ${Math.round((rate * cost) / 1e4)} %`,
        ]
      : []),
    ...(kind === 'W' && kept !== null && kept < 1
      ? [`${((1 - kept) * 100).toPrecision(2)} % of its counts overwritten by others at once`]
      : []),
  ]
  return parts.join('; ')
}

/** The same entrant is the bound of both. */
export const boundBy = (name: string): Record<Kind, string> => ({ R: name, W: name })
