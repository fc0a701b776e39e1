/** What was counted and timed since it was last begun anew; counts by the second as well. */
export class Tally {
  readonly #now: () => number
  #counts = new Map<string, number>()
  #seconds = new Map<string, Map<number, number>>()
  #samples = new Map<string, number[]>()
  #since = 0

  /** @param now in ms */
  constructor(now: () => number) {
    this.#now = now
  }

  begin(): void {
    this.#counts = new Map()
    this.#seconds = new Map()
    this.#samples = new Map()
    this.#since = this.#now()
  }

  get seconds(): number {
    return (this.#now() - this.#since) / 1000
  }

  add(what: string, by = 1): void {
    this.#counts.set(what, (this.#counts.get(what) ?? 0) + by)
    let seconds = this.#seconds.get(what)
    if (seconds === undefined) this.#seconds.set(what, (seconds = new Map()))
    const second = Math.floor(this.#now() / 1000)
    seconds.set(second, (seconds.get(second) ?? 0) + by)
  }

  time(what: string, ms: number): void {
    const samples = this.#samples.get(what)
    if (samples === undefined) this.#samples.set(what, [ms])
    else samples.push(ms)
  }

  count(what: string): number {
    return this.#counts.get(what) ?? 0
  }

  /** Mean over the time since it began. */
  rate(what: string): number {
    return this.count(what) / this.seconds
  }

  /** The most in one of the whole seconds. */
  peak(what: string): number {
    return Math.max(0, ...(this.#seconds.get(what)?.values() ?? []))
  }

  /** What was counted in one second since the beginning of time. */
  inSecond(what: string, second: number): number {
    return this.#seconds.get(what)?.get(second) ?? 0
  }

  samples(what: string): readonly number[] {
    return this.#samples.get(what) ?? []
  }

  mean(what: string): number {
    const samples = this.samples(what)
    return samples.reduce((sum, sample) => sum + sample, 0) / samples.length
  }

  quantile(what: string, share: number): number {
    const sorted = Float64Array.from(this.samples(what)).sort()
    return sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] ?? NaN
  }

  /** All counts, in the order of their names: the same for the same seed. */
  get all(): Readonly<Record<string, number>> {
    return Object.fromEntries([...this.#counts].sort(([one], [other]) => (one < other ? -1 : 1)))
  }
}
