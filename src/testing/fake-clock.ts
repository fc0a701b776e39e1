import type { Clock } from '../core/core.ts'

/** A clock that stands still until it is told to move. */
export interface FakeClock extends Clock {
  /** Moves on by so many ms. */
  advance(ms: number): void
  /** Moves to a time. */
  set(time: number): void
}

/** @param start ms since the epoch. @default now */
export function fakeClock(start = Date.now()): FakeClock {
  let time = start
  return {
    now: () => time,
    advance: (ms) => void (time += ms),
    set: (to) => void (time = to),
  }
}
