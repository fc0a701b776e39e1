import { keepOpen } from '../core/channel.ts'
import { SojournError } from '../core/errors.ts'
import type { CallOptions, ChangeListener, GetOptions, Removed, SessionRecord, Store, Swept, Touch } from '../core/store.ts'
import { type Commands, commandsOf, type RedisClient } from './redis/client.ts'
import { oldestOf, type Row } from './redis/due.ts'
import { failure } from './redis/failure.ts'
import { bucketCount, bucketOf, Keys } from './redis/keys.ts'
import { OwnWrites } from './redis/own-writes.ts'
import { decode, decodeMeta, decodeUser, encode, encodeTimes, encodeUser, encodeVersion } from './redis/record.ts'
import * as scripts from './redis/scripts.ts'
import { run, type Script } from './redis/scripts.ts'
import { type Tracker, trackerOf } from './redis/tracking.ts'

export type { IoRedisClient, NodeRedisClient, NodeRedisCluster, RedisClient } from './redis/client.ts'

/*
 * The keys, the same on one server and in a cluster; what stands in braces decides the slot:
 *
 *   sojourn:{108}:x4fJ…       string, with a TTL   a record (redis/record.ts)
 *   sojourn:{108}:expiry      sorted set           the IDs of a bucket's records by expiresAt
 *   sojourn:user:{hash}       sorted set           the IDs of a user's records by expiresAt
 *
 * A record and its row in the expiry index are in one slot, so one script changes both: they never differ. There are 64 such
 * buckets, spread over all slots, by the first character of the ID.
 *
 * A user's index is in a slot of its own, so it can't change with the record. An entry without a record is nothing (a list
 * reads each record and looks whose it is); a record without its entry, or that outlives it, would be missed when its user is
 * logged out everywhere. So the entry is written first and the record when that is answered, by a put and by a touch; a put
 * that finds the record to be the same user's already, and to expire no later than before, renews the entry beside it. It
 * goes when its record is known to have ended, otherwise a day after its own expiry.
 *
 * Sweeps go by the expiry index alone, and report what they remove. The TTL is for what no sweeper comes to: it ends a day
 * after the session did, counted from the write, so no server's clock has to agree with the core's. A row whose record went
 * in such a way (or was evicted) is removed by the next sweep without a report: it can't be told whose it was. A session is
 * so reported once, unless a process dies with the report or for a whole day none sweeps.
 */
const day = 86_400_000
const page = 100

export interface RedisOptions {
  /**
   * What the names of all keys begin with: a letter or digit, then letters, digits and `_ . : / -`, 64 characters in all.
   *
   * @default 'sojourn:'
   */
  readonly prefix?: string
}

/**
 * Keeps sessions in Redis 6.2 and later or Valkey, on one server, behind Sentinel, or in a Redis Cluster.
 *
 * @param client - A connected client: `createClient()` or `createCluster()` of the package redis, 5 and later; `Redis` or
 *   `Cluster` of ioredis or iovalkey, made so that it sends nothing twice: docs/stores/redis.md tells how.
 * @param end - For what made the client itself: called by `close`.
 * @throws SojournError `ERR_SOJOURN_OPTION` for a prefix or a client that can't be used. Verbs reject with
 *   `ERR_SOJOURN_STORE` while the server can't be reached or refuses, `ERR_SOJOURN_STORE_FULL` while its memory is used up.
 */
export function redis(client: RedisClient, { prefix = 'sojourn:' }: RedisOptions = {}, end?: () => void | Promise<void>): Store {
  return new RedisStore(commandsOf(client), trackerOf(client), prefix, end)
}

class RedisStore implements Store {
  readonly name: string
  readonly watchChanges?: (listener: ChangeListener) => () => void
  onEvicted?: ((removed: Removed) => void) | undefined

  readonly #commands: Commands
  readonly #keys: Keys
  readonly #end: (() => void | Promise<void>) | undefined
  /** One for each line that is open. */
  readonly #own = new Set<OwnWrites>()
  #closed = false

  constructor(commands: Commands, tracker: Tracker | null, prefix: string, end: (() => void | Promise<void>) | undefined) {
    this.#commands = commands
    this.#keys = new Keys(prefix)
    this.#end = end
    this.name = `redis:${prefix}`
    if (tracker !== null) this.watchChanges = (listener) => this.#watch(tracker, listener)
  }

  async get(id: string, options?: GetOptions): Promise<SessionRecord | null> {
    const key = this.#keys.record(id)
    const value = await this.#read('get', key, ['GET', key], options)
    return value === null ? null : decode(this.name, id, value as string)
  }

  async put(record: SessionRecord, expected: number, options?: CallOptions): Promise<boolean> {
    this.#open('put')
    if (record.version <= expected || expected < 0) return false
    const lines = [...this.#own]
    for (const own of lines) own.sent(record.id)
    let landed = false
    try {
      landed = await this.#land(record, expected, options)
    } finally {
      if (!landed) for (const own of lines) own.failed(record.id)
    }
    return landed
  }

  async #land(record: SessionRecord, expected: number, options: CallOptions | undefined): Promise<boolean> {
    const value = encode(record)
    let answer = '?'
    if (record.userId !== null) {
      const indexed = this.#index(record, options)
      if (expected === 0) await indexed
      else [answer] = await both(this.#put(record, value, expected, false, options), indexed)
    }
    if (answer === '?') answer = await this.#put(record, value, expected, true, options)
    if (!answer.startsWith('+')) return false
    this.#forget(record.id, userOf(answer))
    return true
  }

  async touch(batch: readonly Touch[], options?: CallOptions): Promise<void> {
    this.#open('touch')
    const indexed = await Promise.allSettled(
      batch.map(async (touch) => {
        if (touch.userId !== null) await this.#index(touch, options)
        return touch
      }),
    )
    const ready = indexed.flatMap((answer) => (answer.status === 'fulfilled' ? [answer.value] : []))
    await all(ready.map((touch) => this.#touch(touch, options)))
    const failed = indexed.find((answer) => answer.status === 'rejected')
    if (failed !== undefined) throw failed.reason
  }

  async delete(id: string, options?: CallOptions): Promise<boolean> {
    const answer = String(await this.#run('delete', scripts.remove, this.#keysOf(id), [id], options))
    if (!answer.startsWith('+')) return false
    this.#forget(id, userOf(answer))
    return true
  }

  async *list(userId?: string): AsyncGenerator<SessionRecord, void> {
    const indexes =
      userId === undefined ? Array.from({ length: bucketCount }, (_, bucket) => this.#keys.expiry(bucket)) : [this.#keys.user(userId)]
    for (const index of indexes) {
      // All IDs of an index first, so that a list ends however many come meanwhile.
      const ids = await this.#idsOf(index)
      for (let from = 0; from < ids.length; from += page) {
        for (const record of await all(ids.slice(from, from + page).map((id) => this.get(id)))) {
          this.#open('list')
          if (record !== null && (userId === undefined || record.userId === userId)) yield record
        }
      }
    }
  }

  async sweep(now: number, limit: number, options?: CallOptions): Promise<Swept> {
    const { rows, more } = await oldestOf(bucketCount, limit, (bucket, offset, count) => this.#dueOf(bucket, now, offset, count))
    const buckets = new Map<number, string[]>()
    for (const { id } of rows) {
      const bucket = bucketOf(id)
      const ids = buckets.get(bucket)
      if (ids === undefined) buckets.set(bucket, [id])
      else ids.push(id)
    }
    const answers = await Promise.allSettled(Array.from(buckets, ([bucket, ids]) => this.#sweepBucket(bucket, ids, now, options)))
    const removedById = new Map<string, Removed>()
    let failed: PromiseRejectedResult | undefined
    for (const answer of answers) {
      if (answer.status === 'rejected') failed = answer
      else for (const removed of answer.value) removedById.set(removed.id, removed)
    }
    // What was removed must be told of, even if the rest could not be.
    if (failed !== undefined && removedById.size === 0) throw failed.reason
    const removed = rows.flatMap(({ id }) => removedById.get(id) ?? [])
    for (const { id, userId } of removed) this.#forget(id, userId)
    return { removed, more: more || failed !== undefined }
  }

  async time(): Promise<number> {
    const [seconds, microseconds] = (await this.#read('time', this.#keys.expiry(0), ['TIME'])) as [unknown, unknown]
    return Number(seconds) * 1000 + Math.floor(Number(microseconds) / 1000)
  }

  /** By the records' keys, which all begin so, and the expiry indexes beside them, which are no news. */
  #watch(tracker: Tracker, listener: ChangeListener): () => void {
    const own = new OwnWrites()
    const changed = (key: string): void => {
      const id = this.#keys.idOf(key)
      if (id !== null && !own.heard(id)) listener.changed(id)
    }
    const stop = keepOpen(tracker(this.#keys.recordPrefix, changed), {
      opened: () => {
        own.clear()
        this.#own.add(own)
        listener.opened()
      },
      cut: () => {
        this.#own.delete(own)
        own.clear()
        listener.cut()
      },
    })
    return () => {
      this.#own.delete(own)
      stop()
    }
  }

  async close(): Promise<void> {
    if (this.#closed) return
    this.#closed = true
    await this.#end?.()
  }

  async #put(
    record: SessionRecord,
    value: string,
    expected: number,
    isIndexed: boolean,
    options: CallOptions | undefined,
  ): Promise<string> {
    const { id, userId, expiresAt, data } = record
    const from = expected === 0 ? '' : encodeVersion(expected)
    const args = [from, value, String(expiresAt), id, ttlOf(record), encodeUser(userId), isIndexed ? '1' : '0', data === '' ? '1' : '0']
    return String(await this.#run('put', scripts.put, this.#keysOf(id), args, options))
  }

  async #touch(touch: Touch, options: CallOptions | undefined): Promise<void> {
    const { id, version, lastSeenAt, expiresAt } = touch
    const args = [encodeVersion(version), String(lastSeenAt), String(expiresAt), id, encodeTimes(expiresAt, lastSeenAt), ttlOf(touch)]
    await this.#run('touch', scripts.touch, this.#keysOf(id), args, options)
  }

  /** Writes or renews the entry of a record in its user's index. */
  async #index(record: Touch, options: CallOptions | undefined): Promise<void> {
    const { id, userId, lastSeenAt, expiresAt } = record
    const args = [id, String(expiresAt), String(lastSeenAt - day), ttlOf(record)]
    await this.#run('index', scripts.index, [this.#keys.user(userId!)], args, options)
  }

  /**
   * Takes a record that is gone, or another's, out of its user's index: neither comes back, as the contract says. Nobody waits
   * for it; where it fails the entry ends by its own expiry.
   */
  #forget(id: string, userId: string | null): void {
    if (userId === null) return
    const key = this.#keys.user(userId)
    this.#commands.send(key, ['ZREM', key, id]).catch(() => {})
  }

  async #idsOf(index: string): Promise<string[]> {
    const ids = new Set<string>()
    let cursor = '0'
    do {
      const [next, rows] = (await this.#read('list', index, ['ZSCAN', index, cursor, 'COUNT', '1000'])) as [unknown, unknown[]]
      for (const { id } of rowsOf(rows)) ids.add(id)
      cursor = String(next)
    } while (cursor !== '0')
    return [...ids]
  }

  async #dueOf(bucket: number, now: number, offset: number, count: number): Promise<Row[]> {
    const key = this.#keys.expiry(bucket)
    const limit = ['LIMIT', String(offset), String(count)]
    return rowsOf((await this.#read('sweep', key, ['ZRANGEBYSCORE', key, '-inf', String(now), 'WITHSCORES', ...limit])) as unknown[])
  }

  async #sweepBucket(bucket: number, ids: readonly string[], now: number, options: CallOptions | undefined): Promise<Removed[]> {
    const keys = [this.#keys.expiry(bucket), ...ids.map((id) => this.#keys.record(id))]
    const answer = (await this.#run('sweep', scripts.sweep, keys, [String(now), ...ids], options)) as unknown[]
    const removed: Removed[] = []
    for (let at = 0; at < answer.length; at += 2) removed.push(decodeMeta(String(answer[at]), String(answer[at + 1])))
    return removed
  }

  #keysOf(id: string): [record: string, expiry: string] {
    return [this.#keys.record(id), this.#keys.expiry(bucketOf(id))]
  }

  async #run(
    verb: string,
    script: Script,
    keys: readonly string[],
    args: readonly string[],
    options: CallOptions | undefined,
  ): Promise<unknown> {
    this.#open(verb)
    try {
      return await run(this.#commands, script, keys, args, options)
    } catch (cause) {
      throw failure(this.name, cause)
    }
  }

  async #read(verb: string, key: string, args: readonly string[], options?: CallOptions): Promise<unknown> {
    this.#open(verb)
    try {
      return await this.#commands.send(key, args, options)
    } catch (cause) {
      throw failure(this.name, cause)
    }
  }

  #open(verb: string): void {
    if (!this.#closed) return
    throw new SojournError(
      'ERR_SOJOURN_CLOSED',
      `The store ${this.name} was asked to ${verb} after it was closed. Close it when the last request has been answered.`,
    )
  }
}

/** The user that a record had before, as a script tells it after a '+'. */
function userOf(answer: string): string | null {
  return answer.length === 1 ? null : decodeUser(answer.slice(1))
}

/** How long the server keeps a record, from the write on: never less than the core may want it. */
function ttlOf({ lastSeenAt, expiresAt }: { readonly lastSeenAt: number; readonly expiresAt: number }): string {
  return String(Math.max(expiresAt - lastSeenAt, 0) + day)
}

/** Rows with scores, flat as RESP 2 has them or in pairs as RESP 3 has. */
function rowsOf(answer: readonly unknown[]): Row[] {
  const flat = answer.flat()
  const rows: Row[] = []
  for (let at = 0; at < flat.length; at += 2) rows.push({ id: String(flat[at]), expiresAt: Number(flat[at + 1]) })
  return rows
}

/** Waits for all, so that none is left unheard when one fails. */
async function all<T>(promises: readonly Promise<T>[]): Promise<T[]> {
  const answers = await Promise.allSettled(promises)
  return answers.map((answer) => {
    if (answer.status === 'rejected') throw answer.reason
    return answer.value
  })
}

async function both<One, Other>(one: Promise<One>, other: Promise<Other>): Promise<[One, Other]> {
  await all<unknown>([one, other])
  return [await one, await other]
}
