import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { managerOf } from '../../src/core/manager.ts'
import { isPromise } from '../../src/core/routine.ts'
import { viewOf } from '../../src/core/request.ts'
import { createSessions } from '../../src/sessions.ts'
import { Visitor } from './visitor.ts'

/*
 * Whether the time that a wrong secret takes tells where it is wrong: the method of dudect (Reparaz, Balasch and Verbauwhede, 2017).
 * Two classes of input in random order, each call timed by itself, the slowest cut off, then Welch's t between the classes. The
 * same method is turned on a comparison that does leak, which it must find.
 */
const calls = 60_000
/** Above this, dudect takes two classes for different: by chance that is one run in a hundred thousand. */
const threshold = 4.5

interface Sample {
  readonly first: number[]
  readonly last: number[]
}

function measure(call: (secret: string) => unknown, good: string): Sample {
  const sample: Sample = { first: [], last: [] }
  const other = (char: string) => (char === 'A' ? 'B' : 'A')
  const wrong = { first: other(good[0]!) + good.slice(1), last: good.slice(0, -1) + other(good.at(-1)!) }
  for (let i = 0; i < calls; i++) {
    const kind = Math.random() < 0.5 ? 'first' : 'last'
    // Made anew, so that both classes are as cold.
    const secret = Buffer.from(wrong[kind]).toString('latin1')
    const began = process.hrtime.bigint()
    call(secret)
    const took = Number(process.hrtime.bigint() - began)
    if (i > calls / 10) sample[kind].push(took)
  }
  return sample
}

/** The greatest of Welch's t with the slower samples, where other processes show, cut off at several places. */
function difference({ first, last }: Sample): number {
  const all = [...first, ...last].sort((a, b) => a - b)
  return Math.max(
    ...[0.5, 0.75, 0.9].map((part) => {
      const cut = all[Math.floor(all.length * part)]!
      const [one, other] = [first, last].map((times) => momentsOf(times.filter((time) => time <= cut))) as [Moments, Moments]
      // A class that is cut off altogether is as different as can be.
      if (one.count < 100 || other.count < 100) return Infinity
      return Math.abs(one.mean - other.mean) / Math.sqrt(one.variance / one.count + other.variance / other.count)
    }),
  )
}

interface Moments {
  readonly count: number
  readonly mean: number
  readonly variance: number
}

function momentsOf(times: readonly number[]): Moments {
  const mean = times.reduce((sum, time) => sum + time, 0) / times.length
  const variance = times.reduce((sum, time) => sum + (time - mean) ** 2, 0) / (times.length - 1)
  return { count: times.length, mean, variance }
}

/**
 * The differences of several measurements, up to the first that `ends` them. A busy machine makes a difference by chance, but not
 * five times; and one that is there it may hide, but not five times.
 */
function untilOne(ends: (t: number) => boolean, call: (secret: string) => unknown, good: string): number {
  let t = NaN
  for (let i = 0; i < 5 && !ends(t); i++) t = difference(measure(call, good))
  return t
}

describe('the time that a wrong secret takes', { timeout: 120_000 }, () => {
  const sessions = createSessions({ initial: () => ({ count: 0 }) })
  const manager = managerOf(sessions)
  let good = ''
  let id = ''
  beforeAll(async () => {
    const visitor = new Visitor(sessions)
    await visitor.visit((session) => session.login('ada'))
    const token = /=([\w-]{48})$/.exec(visitor.cookie!)![1]!
    id = token.slice(0, 16)
    good = token.slice(16)
  })
  afterAll(async () => await sessions.close())

  const open = (secret: string) => {
    const opened = manager.admit(viewOf(new Headers({ cookie: `sid=${id}${secret}` }), false))
    if (isPromise(opened) || opened.userId !== null) throw new Error('a wrong secret was served')
  }

  test('does not tell whether its first or its last character is wrong', () => {
    const t = untilOne((t) => t < threshold, open, good)
    console.info(`t = ${t.toFixed(2)} between a wrong first and a wrong last character`)
    expect(t).toBeLessThan(threshold)
  })

  test('would be found to tell it if there were a comparison that stops at the first difference', () => {
    const leaking = (secret: string) => {
      open(secret)
      for (let i = 0; i < good.length; i++) if (secret.charCodeAt(i) !== good.charCodeAt(i)) return false
      return true
    }
    const t = untilOne((t) => t > threshold, leaking, good)
    console.info(`t = ${t.toFixed(2)} with a comparison that leaks`)
    expect(t).toBeGreaterThan(threshold)
  })
})
