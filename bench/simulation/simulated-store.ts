import { SojournError } from '../../src/core/errors.ts'
import type { ChangeListener, Removed, SessionRecord, Store, Swept, Touch } from '../../src/core/store.ts'
import { oldestOf, type Row } from '../../src/stores/redis/due.ts'
import type { Costs, VerbCost } from './costs.ts'
import type { Database } from './database.ts'
import type { Shard } from './shard.ts'

/** One process's way to the database: the store that its manager, or its near-cache, is given. */
export class SimulatedStore implements Store {
  readonly name = 'simulated'
  onEvicted?: ((removed: Removed) => void) | undefined
  readonly database: Database
  readonly watchChanges?: (listener: ChangeListener) => () => void
  #listener: ChangeListener | null = null
  #closed = false

  /** @param channel whether the database tells of what others change */
  constructor(database: Database, channel = false) {
    this.database = database
    if (!channel) return
    this.watchChanges = (listener) => {
      this.#listener = listener
      return database.listen(listener)
    }
  }

  async get(id: string): Promise<SessionRecord | null> {
    const { database } = this
    return await this.#call('get', database.shardOf(database.bucketOf(id)), this.#costs.get, () => database.read(id))
  }

  async put(record: SessionRecord, expected: number): Promise<boolean> {
    const { database } = this
    this.#open('put')
    if (record.version <= expected || expected < 0) return false
    const isInsert = expected === 0
    const { put, insertAnonymous } = this.#costs
    if (isInsert && record.userId !== null) await this.#index(record.userId)
    const bucket = isInsert ? database.options.time.random.below(database.buckets) : database.bucketOf(record.id)
    return await this.#call(
      isInsert ? 'insert' : 'put',
      database.shardOf(bucket),
      isInsert ? insertAnonymous : put,
      () => {
        if ((database.read(record.id)?.version ?? 0) !== expected) {
          database.options.tally.add('missed')
          return false
        }
        database.write(record, this.#listener, bucket)
        return true
      },
      { commands: isInsert || record.userId === null ? 1 : 2 },
    )
  }

  async touch(batch: readonly Touch[]): Promise<void> {
    const { database } = this
    database.options.tally.add('batches')
    await all(
      batch.map(async ({ id, userId, version, lastSeenAt, expiresAt }) => {
        if (userId !== null) await this.#index(userId)
        const { touchAnonymous } = this.#costs
        await this.#call('touch', database.shardOf(database.bucketOf(id)), touchAnonymous, () => {
          const stored = database.read(id)
          if (stored?.version !== version || stored.expiresAt <= lastSeenAt || stored.expiresAt >= expiresAt) return
          database.write({ ...stored, lastSeenAt, expiresAt }, this.#listener)
        })
      }),
    )
  }

  async delete(id: string): Promise<boolean> {
    const { database } = this
    return await this.#call('delete', database.shardOf(database.bucketOf(id)), this.#costs.put, () => database.remove(id, this.#listener))
  }

  async *list(userId?: string): AsyncGenerator<SessionRecord, void> {
    const { database } = this
    const shard = userId === undefined ? database.shards[0]! : database.shardOfUser(userId)
    const ids = await this.#call('list', shard, this.#costs.get, () => database.idsOf(userId))
    for (const record of await all(ids.map(async (id) => await this.get(id)))) {
      this.#open('list')
      if (record !== null && (userId === undefined || record.userId === userId)) yield record
    }
  }

  async sweep(now: number, limit: number): Promise<Swept> {
    const { database } = this
    const { time, tally, processStretch = 1 } = database.options
    tally.add('sweeps')
    const { sweepEmpty, sweepRow } = this.#costs
    const bucketOf = new Map<string, number>()
    // A look at all 64 indexes is measured as one.
    const look = times(sweepEmpty, 1 / 64)
    const { rows, more } = await oldestOf(database.buckets, limit, async (bucket, offset, count) => {
      const due = (): Row[] => database.due(bucket, now, offset + count).slice(offset)
      const rows = await this.#call('look', database.shardOf(bucket), look, due, { stretch: processStretch })
      for (const { id } of rows) bucketOf.set(id, bucket)
      return rows
    })
    const byBucket = new Map<number, Row[]>()
    for (const row of rows) {
      const bucket = bucketOf.get(row.id)!
      const others = byBucket.get(bucket)
      if (others === undefined) byBucket.set(bucket, [row])
      else others.push(row)
    }
    const answers = await all(
      Array.from(byBucket, async ([bucket, rows]) => {
        const cost = times(sweepRow, rows.length)
        return await this.#call('sweepBucket', database.shardOf(bucket), cost, () => this.#removeDue(rows, now))
      }),
    )
    const removedById = new Map(answers.flat().map((removed) => [removed.id, removed]))
    const found = rows.flatMap(({ id }) => removedById.get(id) ?? [])
    tally.add('swept', found.length)
    tally.add('sweptInVain', rows.length - found.length)
    // What the process itself is busy with: it does nothing else meanwhile.
    await time.sleep((sweepEmpty.clientMicros + rows.length * sweepRow.clientMicros) / 1000)
    return { removed: found, more }
  }

  /** Each looked at again as it goes. */
  #removeDue(rows: readonly Row[], now: number): Removed[] {
    const { database } = this
    return rows.flatMap(({ id }) => {
      const record = database.read(id)
      if (record === null || record.expiresAt > now) return []
      database.remove(id, this.#listener)
      return [{ id, userId: record.userId, head: record.head }]
    })
  }

  close(): void {
    this.#closed = true
  }

  get #costs(): Costs['verbs'] {
    return this.database.options.costs.verbs
  }

  /** A user's index is written by a command of its own. */
  async #index(userId: string): Promise<void> {
    const { insert, insertAnonymous } = this.#costs
    const cost = {
      serverMicros: Math.max(0, insert.serverMicros - insertAnonymous.serverMicros),
      bytesIn: insert.bytesIn - insertAnonymous.bytesIn,
      bytesOut: Math.max(0, insert.bytesOut - insertAnonymous.bytesOut),
      clientMicros: insert.clientMicros - insertAnonymous.clientMicros,
    }
    await this.#call('index', this.database.shardOfUser(userId), cost, () => {})
  }

  #call<T>(what: string, shard: Shard, cost: VerbCost, effect: () => T, { stretch, commands = 1 }: CallWeight = {}): Promise<T> {
    this.#open(what)
    const { time, tally, roundTrip = 0 } = this.database.options
    tally.add(what)
    // What each process does by itself is told apart: there may be more or fewer of them than of the sessions.
    const isOfProcess = stretch !== undefined
    tally.add(isOfProcess ? 'processCommands' : 'commands', commands)
    tally.add(isOfProcess ? 'processBytes' : 'bytes', cost.bytesIn + cost.bytesOut)
    const half = roundTrip / 2
    const arrival = time.now + half
    return new Promise((resolve, reject) => {
      const refuse = (): void => {
        tally.add('refused')
        reject(new Error('connect ECONNREFUSED'))
      }
      if (arrival < shard.downUntil) return void time.at(arrival + half, refuse)
      const done = shard.serve(arrival, cost.serverMicros, stretch)
      time.at(done, () => {
        // It died while the command was waiting.
        if (time.now < shard.downUntil) return refuse()
        const answer = effect()
        time.after(half === 0 ? 0 : half * time.random.logNormal(1, 0.2), () => resolve(answer))
      })
    })
  }

  #open(verb: string): void {
    if (!this.#closed) return
    throw new SojournError('ERR_SOJOURN_CLOSED', `The simulated store was asked to ${verb} after it was closed.`)
  }
}

interface CallWeight {
  /** How many such commands of processes this one stands for. */
  readonly stretch?: number
  /** How many commands of Redis it is. */
  readonly commands?: number
}

function times({ serverMicros, bytesIn, bytesOut, clientMicros }: VerbCost, by: number): VerbCost {
  return { serverMicros: serverMicros * by, bytesIn: bytesIn * by, bytesOut: bytesOut * by, clientMicros: clientMicros * by }
}

async function all<T>(promises: readonly Promise<T>[]): Promise<T[]> {
  const answers = await Promise.allSettled(promises)
  return answers.map((answer) => {
    if (answer.status === 'rejected') throw answer.reason
    return answer.value
  })
}
