/** A figure of several rounds: the one in the middle, and how far the others were. */
export interface Spread {
  readonly median: number
  readonly least: number
  readonly most: number
}

export function spreadOf(values: readonly number[]): Spread {
  const sorted = values.toSorted((a, b) => a - b)
  const middle = sorted.length >> 1
  const median = sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2
  return { median, least: sorted[0]!, most: sorted.at(-1)! }
}

/** The ratio of two figures, each pair from the same round: what slowed the whole machine down meanwhile cancels out. */
export function pairedRatio(values: readonly number[], over: readonly number[]): Spread {
  return spreadOf(values.map((value, round) => value / over[round]!))
}

/** @param percent 99: what all but the greatest hundredth stay below */
export function percentile(values: readonly number[], percent: number): number {
  const sorted = values.toSorted((a, b) => a - b)
  return sorted[Math.min(sorted.length - 1, Math.ceil((sorted.length * percent) / 100) - 1)]!
}
