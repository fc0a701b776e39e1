import { afterAll, describe, expect, test, vi } from 'vitest'
import { memory } from '../../src/stores/memory.ts'
import { history, type Outcome, renewAfter, skew, type Weather } from './histories.ts'
import { ComparedServer, ManagedServer } from './managed-server.ts'
import { Later } from './store-over.ts'

const histories = Math.max(100, Number(process.env['HISTORIES'] ?? 100))
const told: string[] = []

vi.setConfig({ testTimeout: 300 * histories })

async function runAll(weather: Weather, one: (seed: number) => Promise<Outcome>): Promise<Outcome[]> {
  const outcomes: Outcome[] = []
  for (let i = 1; i <= histories; i++) {
    const seed = i * 7919
    outcomes.push(
      await one(seed).catch((cause: unknown) => {
        throw new Error(`history ${seed} of ${JSON.stringify(weather)} failed: ${String(cause)}`, { cause })
      }),
    )
  }
  return outcomes
}

/** Runs histories through the real manager, which is compared with the reference at each request. */
async function run(name: string, weather: Weather): Promise<Outcome[]> {
  const outcomes = await runAll(weather, async (seed) => {
    const server = await ManagedServer.start()
    const outcome = await history(seed, weather, new ComparedServer(server))
    await server.close()
    return outcome
  })
  tell(name, outcomes)
  return outcomes
}

const count = (outcomes: Outcome[], is: (outcome: Outcome) => boolean): number => outcomes.filter(is).length
const refusals = (outcomes: Outcome[]): number => outcomes.reduce((sum, { lateRefused }) => sum + lateRefused, 0)
const median = (list: number[]): number => Math.round(list.sort((a, b) => a - b)[list.length >> 1]!)

function tell(name: string, outcomes: Outcome[]): void {
  const served = outcomes.map(({ servedFor }) => servedFor)
  told.push(
    `${name.padEnd(44)} logged out ${count(outcomes, (o) => o.loggedOut)}, ended ${count(outcomes, (o) => o.ended)}, ` +
      `single late requests refused ${refusals(outcomes)}` +
      (median(served) === 0 ? '' : `, thief shut out ${count(outcomes, (o) => o.shutOut)}, served for ${median(served)} s in the median`),
  )
}

afterAll(() => console.log(`${histories} histories each through the real manager\n${told.join('\n')}`))

/** Two processes whose clocks differ, on one store that answers later; what arrives together is served at once. */
async function runTogether(name: string, weather: Weather): Promise<Outcome[]> {
  const outcomes = await runAll(weather, async (seed) => {
    const server = await ManagedServer.start(new Later(memory()), 2)
    const outcome = await history(seed, { together: 1, ...weather }, server)
    await server.close()
    return outcome
  })
  tell(name, outcomes)
  return outcomes
}

// renewal-model.mjs, of which the histories and the reference are a copy, told these for its first hundred histories.
const counts = { loggedOutByCrashes: 1, refusedUploads: 19, endedForDrawer: { 5: 100, 60: 99, 300: 98, 600: 95 } }
const firstHundred = (outcomes: Outcome[]): Outcome[] => outcomes.slice(0, 100)

describe('in random histories the manager decides as the reference does, and', () => {
  test('parallel requests with lost and late answers log nobody out', async () => {
    const outcomes = await run('parallel requests, lost and late answers', {})
    expect(count(outcomes, (o) => o.loggedOut || o.lateRefused > 0)).toBe(0)
  })

  test('ways of up to 29 s and clocks up to 6 s apart log nobody out', async () => {
    const outcomes = await run('each way up to 29 s, clocks up to 6 s apart', { maxDelay: 58, clocks: skew })
    expect(count(outcomes, (o) => o.loggedOut || o.lateRefused > 0)).toBe(0)
  })

  test('hardly a browser crash logs somebody out', async () => {
    const outcomes = await run('20 browser crashes a history', { crashes: 20 })
    expect(count(outcomes, (o) => o.loggedOut)).toBeLessThanOrEqual(histories * 20 * 0.001)
    expect(count(firstHundred(outcomes), (o) => o.loggedOut)).toBe(counts.loggedOutByCrashes)
  })

  test('uploads that a proxy holds back are refused singly and log nobody out', async () => {
    const outcomes = await run('1 % of requests held 90 to 400 s by a proxy', { uploads: 0.01 })
    expect(count(outcomes, (o) => o.loggedOut)).toBe(0)
    expect(refusals(firstHundred(outcomes))).toBe(counts.refusedUploads)
  })

  const expectStopped = (outcomes: Outcome[]): void => {
    expect(count(outcomes, (o) => !o.ended && !o.shutOut)).toBe(0)
    expect(median(outcomes.map((o) => o.servedFor))).toBeLessThan(3 * renewAfter)
  }

  test('a thief who browses is shut out, or the session ended', async () => {
    const outcomes = await run('a thief who browses', { thief: true })
    expectStopped(outcomes)
    expect(count(outcomes, (o) => o.ended)).toBeGreaterThan(histories * 0.98)
  })

  for (const [drawer, ended] of Object.entries(counts.endedForDrawer)) {
    test(`a thief who keeps new tokens for ${drawer} s is shut out, or the session ended`, async () => {
      const outcomes = await run(`a thief who keeps new tokens for ${drawer} s`, { drawer: Number(drawer) })
      expectStopped(outcomes)
      expect(count(firstHundred(outcomes), (o) => o.ended)).toBe(ended)
    })
  }

  for (const waste of [2, 10, 60]) {
    test(`a thief who asks every ${waste} s and wastes the new tokens is shut out, and the user stays`, async () => {
      const outcomes = await run(`a thief who wastes new tokens every ${waste} s`, { waste })
      expectStopped(outcomes)
      expect(count(outcomes, (o) => o.loggedOut)).toBe(0)
    })
  }
})

describe('with two processes on a store that answers later, and requests that are served at once,', () => {
  test('nobody is logged out', async () => {
    const outcomes = await runTogether('two processes, requests at once', { maxDelay: 58, clocks: skew })
    expect(count(outcomes, (o) => o.loggedOut || o.lateRefused > 0)).toBe(0)
  })

  test('held uploads log nobody out', async () => {
    const outcomes = await runTogether('two processes, held uploads', { uploads: 0.01 })
    expect(count(outcomes, (o) => o.loggedOut)).toBe(0)
    expect(refusals(outcomes)).toBeGreaterThan(0)
  })

  test('a thief who browses is shut out, or the session ended', async () => {
    const outcomes = await runTogether('two processes, a thief who browses', { thief: true })
    expect(count(outcomes, (o) => !o.ended && !o.shutOut)).toBe(0)
  })
})
