import type { Finding } from '../row.ts'
import { type Contest, kinds, type Kind } from './contest.ts'

/** What one entrant of a contest came to against another, for R and W; with the goals, if it has any. */
export function against(contest: Contest, name: string, over: string, unit: string, goals: Partial<Record<Kind, number>> = {}): Finding[] {
  return kinds.map((kind) => {
    const { median, least, most } = contest.ratio(name, over, kind)
    const goal = goals[kind]
    const rate = Math.round(contest.rate(name, kind)).toLocaleString('en')
    return {
      what: `${name}, ${kind}`,
      value: median,
      unit,
      spread: [least, most],
      ...(goal !== undefined && { goal: { atLeast: goal } }),
      note: `${rate} requests a second; ${contest.cost(name, kind).toFixed(1)} µs of processor each, ${contest.cost(over, kind).toFixed(1)} for 1 ×`,
    }
  })
}
