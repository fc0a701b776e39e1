import { readFileSync } from 'node:fs'
import { isPromise } from '../../src/core/routine.ts'
import type { Store } from '../../src/core/store.ts'
import { tiered } from '../../src/stores/tiered.ts'
import type { Costs } from './costs.ts'
import { Database } from './database.ts'
import { Fleet, type FleetOptions } from './fleet.ts'
import { SimulatedStore } from './simulated-store.ts'
import { Tally } from './tally.ts'
import { type Habits, Traffic, usual } from './traffic.ts'
import { VirtualTime } from './virtual-time.ts'

/** The big system that the simulation is a sample of. */
export const system = {
  sessions: 100e6,
  visitsPerSecond: 42_000,
  requestsPerSecond: 1e6,
  processes: 1000,
  shards: 32,
  /** Expiry indexes of `sojourn/stores/redis`, over all shards. */
  buckets: 64,
  /** From a process to a shard and back within a region, in ms. */
  roundTrip: 0.5,
} as const

export const costs = JSON.parse(readFileSync(new URL('costs.json', import.meta.url), 'utf8')) as Costs

export interface NearCacheSettings {
  readonly staleness: number
  readonly channel: boolean
  readonly maxBytes?: number
}

export interface WorldOptions {
  /** How many of the big system's visits there are. */
  readonly sample: number
  readonly seed?: number
  readonly sticky?: boolean
  readonly cache?: NearCacheSettings | null
  readonly processes?: number
  /** How many of the shards there are. */
  readonly shards?: number
  /** How many there would be in the big system. */
  readonly ofShards?: number
  /** Whether commands wait for each other. */
  readonly queueing?: boolean
  readonly memory?: number
  /** How many processes of the big system each one stands for. */
  readonly processesEach?: number
  readonly habits?: Partial<Habits>
  readonly on?: FleetOptions['on']
}

/** A sample of the big system, in the middle of its life once it has run for a while. */
export class World {
  readonly time: VirtualTime
  readonly tally: Tally
  readonly database: Database
  readonly fleet: Fleet
  readonly traffic: Traffic
  readonly sample: number
  readonly #giveBack: () => void

  constructor(options: WorldOptions) {
    const { sample, seed = 1, sticky = true, cache = null, processes = 100, shards = 1, ofShards = system.shards } = options
    const { queueing = true, memory = 0, processesEach = system.processes / processes, habits = {}, on } = options
    this.sample = sample
    const time = (this.time = new VirtualTime(seed))
    const tally = (this.tally = new Tally(() => time.now))
    this.#giveBack = time.takeOver()
    this.database = new Database({
      time,
      tally,
      costs,
      shards,
      buckets: Math.max(shards, Math.round((system.buckets * shards) / ofShards)),
      stretch: queueing ? shards / (ofShards * sample) : 0,
      processStretch: queueing ? processesEach : 0,
      roundTrip: system.roundTrip,
      memory,
    })
    const storeOver = cache === null ? undefined : (database: Database): Store => nearCacheOver(database, cache, tally)
    this.fleet = new Fleet({ database: this.database, processes, ...(storeOver && { storeOver }), ...(on && { on }) })
    const visitsPerSecond = system.visitsPerSecond * sample
    this.traffic = new Traffic(time, tally, this.fleet, { ...usual, visitsPerSecond, sticky, ...habits })
  }

  async run(ms: number): Promise<void> {
    await this.time.run(this.time.now + ms)
  }

  /** How busy the shards were since then, from 0 to 1. */
  async load(ms: number): Promise<number> {
    const { shards } = this.database
    const busy = (): number => shards.reduce((sum, shard) => sum + shard.busy, 0)
    const before = busy()
    await this.run(ms)
    return (busy() - before) / (ms * shards.length)
  }

  end(): void {
    this.#giveBack()
  }
}

/** The real near-cache, whose answers are counted. */
function nearCacheOver(database: Database, { staleness, channel, maxBytes = 64e6 }: NearCacheSettings, tally: Tally): Store {
  const store = tiered({ memory: { maxBytes }, staleness, next: new SimulatedStore(database, channel) })
  const get = store.get.bind(store)
  store.get = (id, options) => {
    const answer = get(id, options)
    if (options?.fresh === true) return answer
    tally.add('asked')
    if (!isPromise(answer)) tally.add('hits')
    return answer
  }
  return store
}
