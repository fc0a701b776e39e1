import { afterEach, describe, expect, test } from 'vitest'
import { Database } from '../../bench/simulation/database.ts'
import { revoke } from '../../bench/simulation/scenarios/revocation.ts'
import { lose } from '../../bench/simulation/scenarios/region-loss.ts'
import { Shard } from '../../bench/simulation/shard.ts'
import { SimulatedStore } from '../../bench/simulation/simulated-store.ts'
import { Tally } from '../../bench/simulation/tally.ts'
import { look, change, Visitor } from '../../bench/simulation/traffic.ts'
import { VirtualTime } from '../../bench/simulation/virtual-time.ts'
import { costs, World, type WorldOptions } from '../../bench/simulation/world.ts'
import { storeCases } from '../../src/testing/store-cases.ts'

const [second, minute] = [1000, 60_000]

let world: World | null = null

afterEach(() => {
  world?.end()
  world = null
})

function worldOf(options: WorldOptions): World {
  return (world = new World(options))
}

/** Someone who asks again and again, at random, until then. */
async function askFor(world: World, every: () => number, ms: number, visitor = new Visitor(0, 1)): Promise<Visitor> {
  const { time, traffic } = world
  await time.settle(traffic.ask(visitor, change))
  const again = (): void => {
    void traffic.ask(visitor, look)
    time.after(every(), again)
  }
  time.after(every(), again)
  await world.run(ms)
  return visitor
}

describe('the simulated database keeps the contract of a store', () => {
  test.each(storeCases(() => new SimulatedStore(database(new VirtualTime(1)))).map(({ name }, index) => [name, index] as const))(
    '%s',
    async (_, index) => {
      const time = new VirtualTime(1)
      const { run } = storeCases(() => new SimulatedStore(database(time)))[index]!
      await time.settle(run())
    },
  )
})

function database(time: VirtualTime): Database {
  return new Database({ time, tally: new Tally(() => time.now), costs, shards: 4, roundTrip: 0.5 })
}

test('the same seed gives the same figures, another seed others', async () => {
  const figures = async (seed: number): Promise<unknown> => {
    const world = worldOf({ sample: 2e-5, seed, sticky: false, processes: 20, cache: { staleness: 60 * second, channel: true } })
    world.traffic.begin(1)
    await world.run(2 * minute)
    world.end()
    return [world.tally.all, world.tally.mean('request')]
  }
  const first = await figures(1)
  expect(await figures(1)).toEqual(first)
  expect(await figures(2)).not.toEqual(first)
})

test('commands wait for each other as in a queue of random arrivals and one fixed time of service (M/D/1)', () => {
  const { random } = new VirtualTime(3)
  for (const load of [0.3, 0.6, 0.8]) {
    const shard = new Shard(1)
    const micros = 20
    let [now, waited] = [0, 0]
    const count = 300_000
    for (let index = 0; index < count; index++) {
      now += random.exponential(micros / load)
      waited += shard.serve(now / 1000, micros) - now / 1000 - micros / 1000
    }
    const formula = ((load / (2 * (1 - load))) * micros) / 1000
    expect(waited / count / formula).toBeCloseTo(1, 1)
  }
})

test('stored sessions are as many as begin in a second, times the seconds that one stays (Little)', async () => {
  // One page each, nobody logs in: each stays for the idle timeout and a slice, and until the next sweep.
  const habits = { pages: { least: 1, most: 1.01, alpha: 1 }, logins: 0, extras: 0.0001, visitsPerSecond: 2 }
  const { traffic, database, ...world } = worldOf({ sample: 1e-4, processes: 10, processesEach: 1, habits })
  traffic.begin()
  await world.time.run(40 * minute)
  let stored = 0
  for (let part = 1; part <= 20; part++) {
    await world.time.run((40 + part) * minute)
    stored += database.size / 20
  }
  // Ten processes sweep once a minute each: the next sweep is six seconds away.
  expect(stored / (2 * (33 * 60 + 6))).toBeCloseTo(1, 1)
})

test('a session that is in use is touched once a slice, not once a request', async () => {
  const world = worldOf({ sample: 1e-4, processes: 1, processesEach: 1 })
  await askFor(world, () => 10 * second, 0)
  world.tally.begin()
  await world.run(14 * minute)
  const { tally } = world
  expect(tally.count('requests')).toBe(84)
  // Noted with the first request that is more than a slice of three minutes after the last note: every 190 s.
  expect(tally.count('touch')).toBe(Math.floor((14 * 60) / 190))
  expect(tally.count('put')).toBe(0)
  // A renewal is two writes: the new secret is given, and shown. Both note the use where a slice has passed.
  tally.begin()
  await world.run(2 * minute)
  expect(tally.count('put')).toBe(2)
})

test('with a near-cache one request in 1 + rate × bound is a read', async () => {
  const world = worldOf({
    sample: 1e-4,
    processes: 1,
    processesEach: 1,
    cache: { staleness: 20 * second, channel: false },
    queueing: false,
  })
  const mean = 10 * second
  const visitors = Array.from({ length: 40 }, (_, index) =>
    askFor(world, () => world.time.random.exponential(mean), 0, new Visitor(0, index)),
  )
  await Promise.all([world.run(minute), ...visitors])
  world.tally.begin()
  // Within a slice, so that nothing but reads happens.
  await world.run(2 * minute)
  const { tally } = world
  expect(tally.count('asked')).toBeGreaterThan(300)
  expect(Math.abs(tally.count('hits') / tally.count('asked') - 20 / 10 / (1 + 20 / 10))).toBeLessThan(0.06)
})

describe('a user who was logged out everywhere', () => {
  test('is refused at once by every process where there is no near-cache, or its channel is up', async () => {
    for (const cache of [null, { staleness: 10 * second, channel: true }]) {
      const letIn = await revoke(cache, false, 30)
      expect(Math.max(...letIn)).toBeLessThan(5)
    }
  })

  test('is let in for half the bound in the mean, and never for longer than it, where the channel was cut', async () => {
    const letIn = await revoke({ staleness: 10 * second, channel: true }, true, 60)
    const mean = letIn.reduce((sum, ms) => sum + ms, 0) / letIn.length
    expect(Math.max(...letIn)).toBeLessThanOrEqual(10 * second)
    expect(mean / (5 * second)).toBeGreaterThan(0.75)
    expect(mean / (5 * second)).toBeLessThan(1.25)
  })
})

test('a region that is lost takes the logins of its last seconds with it, and no more', { timeout: 120_000 }, async () => {
  const { lost, loginRate, late, revived, active } = await lose(20 * second, 6e-5, 2 * minute)
  const logins = loginRate * 20
  expect(lost).toBeGreaterThan(logins * 0.5)
  // Renewals that were lost log out as well.
  expect(lost).toBeLessThan(logins * 1.5 + late)
  expect(lost).toBeLessThan(active / 4)
  expect(revived).toBeLessThan(logins)
})
