import { randomBytes, randomInt } from 'node:crypto'
import { beforeAll, describe, expect, test } from 'vitest'
import { managerOf } from '../../src/core/manager.ts'
import { viewOf } from '../../src/core/request.ts'
import { isPromise } from '../../src/core/routine.ts'
import { parseToken } from '../../src/core/token.ts'
import { createSessions } from '../../src/sessions.ts'
import { readCookie } from '../../src/transports/cookie.ts'
import { Visitor } from '../core/visitor.ts'

/** How many inputs each fuzzed reader gets; a million and more for a hunt. */
const runs = Number(process.env.FUZZ_RUNS ?? 100_000)
/** No input may hold a request up: what a busy machine adds is in it. */
const longest = 1000

const some = <T>(items: readonly T[]): T => items[randomInt(items.length)]!

/** Random bytes, pieces of what is good, and both broken in a place. */
function hostile(pieces: readonly string[]): string {
  const part = () => (randomInt(3) === 0 ? randomBytes(randomInt(64)).toString('latin1') : some(pieces))
  let text = Array.from({ length: 1 + randomInt(6) }, part).join('')
  for (let breaks = randomInt(3); breaks > 0; breaks--) {
    const at = randomInt(text.length + 1)
    text =
      text.slice(0, at) + some(['', '\0', '=', ';', ' ', '"', '%', String.fromCharCode(randomInt(0x250))]) + text.slice(at + randomInt(2))
  }
  return randomInt(2000) === 0 ? text.repeat(randomInt(200)) : text
}

/** Runs the reader over hostile inputs. @returns the longest that one took, in ms */
function fuzz(pieces: readonly string[], read: (text: string) => void): number {
  let slowest = 0
  for (let run = 0; run < runs; run++) {
    const text = hostile(pieces)
    const began = performance.now()
    try {
      read(text)
    } catch (error) {
      throw new Error(`threw at ${JSON.stringify(text)}`, { cause: error })
    }
    slowest = Math.max(slowest, performance.now() - began)
  }
  return slowest
}

describe(`${runs} hostile inputs`, { timeout: 900_000 }, () => {
  const sessions = createSessions({ initial: () => ({ count: 0 }) })
  const tokens: string[] = []
  beforeAll(async () => {
    for (let i = 0; i < 20; i++) {
      const visitor = new Visitor(sessions)
      await visitor.visit((session) => session.login(`user ${i}`))
      tokens.push(visitor.cookie!.slice('sid='.length))
    }
  })

  const pieces = () => [
    ...tokens,
    ...tokens.map((token) => `sid=${token}`),
    'sid',
    'sid=',
    '__Host-sid=',
    '=',
    ';',
    '; ',
    ' ',
    '\t',
    'theme=dark',
    '"',
  ]

  test('to the cookie reader: no throw, no hang, and what it answers stands in the header', () => {
    const slowest = fuzz(pieces(), (header) => {
      const value = readCookie(header, 'sid')
      if (value !== null && !header.includes(`sid=${value}`)) throw new Error(`answered ${JSON.stringify(value)}`)
    })
    console.info(`${runs} cookie headers, the slowest ${slowest.toFixed(2)} ms`)
    expect(slowest).toBeLessThan(longest)
  })

  test('to the token reader: no throw, no hang, and what it takes has the shape of a token', () => {
    const slowest = fuzz(pieces(), (text) => {
      const token = parseToken(text)
      if (token !== null && !/^[A-Za-z\d_-]{48}$/.test(text)) throw new Error('took what is no token')
      if (token !== null && token.id + token.secret !== text) throw new Error('read something else than what it was given')
    })
    console.info(`${runs} tokens, the slowest ${slowest.toFixed(2)} ms`)
    expect(slowest).toBeLessThan(longest)
  })

  test('as cookies of requests: none is served a session but by the very token that was issued', () => {
    const manager = managerOf(sessions)
    const issued = new Set(tokens)
    let served = 0
    const slowest = fuzz(pieces(), (header) => {
      const opened = manager.admit(viewOf({ headers: { cookie: header }, socket: {} }, false))
      if (isPromise(opened)) throw new Error('the memory store answers at once')
      if (opened.userId === null) return
      served++
      const value = readCookie(header, 'sid')
      if (value === null || !issued.has(value)) throw new Error('was served without a token that was issued')
    })
    console.info(`${runs} requests, ${served} of them with a good token, the slowest ${slowest.toFixed(2)} ms`)
    // Otherwise this would show nothing.
    expect(served).toBeGreaterThan(runs / 10_000)
    expect(slowest).toBeLessThan(longest)
  })
})
