/** One figure that a row of the results measured. */
export interface Finding {
  /** What was measured: 'sojourn, R', 'express-session + connect-redis, W'. */
  readonly what: string
  /** null: it could not be measured, and the note says why. */
  readonly value: number | null
  /** '× bare', 'bytes a session', 'ms'. */
  readonly unit: string
  /** Absent where the figure stands for comparison only. */
  readonly goal?: { readonly atLeast: number } | { readonly atMost: number }
  /** What something came to that does less, in the same row; and whose figure that is. */
  readonly bound?: { readonly value: number; readonly of: string }
  /** The least and the most of the rounds, where there were several. */
  readonly spread?: readonly [number, number]
  /** Where it stands in the row's chart of growth: on a line, over a number of sessions. */
  readonly point?: { readonly line: string; readonly sessions: number }
  /** One line on what the figure means, or why it misses its goal. */
  readonly note?: string
}

/** One subject of `bench/RESULTS.md`. */
export interface Row {
  /** `npm run bench -- <name>` runs this row alone. */
  readonly name: string
  readonly title: string
  /** What was done, in one paragraph for the reader of the results. */
  readonly method: string
  /** Starts what it needs, measures, ends what it started. `tell` shows progress. */
  run(tell: (line: string) => void): Promise<readonly Finding[]>
}
