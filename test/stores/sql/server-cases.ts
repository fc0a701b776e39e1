import { setTimeout as pause } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { SojournError } from '../../../src/core/errors.ts'
import { TimedStore } from '../../../src/core/timed-store.ts'
import type { SessionRecord } from '../../../src/core/store.ts'
import type { SqlStore } from '../../../src/stores/sql.ts'
import type { Server } from '../../services/service.ts'
import { after, collect, newRecord, start } from './kit.ts'

const limit = 1000
// What a busy machine may add.
const slack = 1500

interface Failure {
  readonly error: unknown
  readonly took: number
}

async function timed<T>(work: () => T | Promise<T>): Promise<T | Failure> {
  const began = performance.now()
  try {
    return await work()
  } catch (error) {
    return { error, took: performance.now() - began }
  }
}

function isFailure(answer: unknown): answer is Failure {
  return typeof answer === 'object' && answer !== null && 'took' in answer
}

/** What holds for a store whose server dies, or says nothing, in the middle of the work. Each gets a server of its own. */
export function serverCases(
  servers: () => Promise<{ readonly server: Server; readonly store: SqlStore; readonly connections: () => Promise<number> }>,
): void {
  test(
    'a server killed with -9 under load and restarted has every acknowledged write, errors are typed and quick, and service resumes',
    { timeout: 180_000 },
    async () => {
      const { server, store } = await servers()
      await store.createSchema()
      const timedStore = new TimedStore(store, limit)
      const acknowledged = new Map<string, SessionRecord>()
      const failures: Failure[] = []
      const successes: number[] = []
      const work = { goesOn: true }

      const worker = async (name: number) => {
        // What was sent last and what is known to be there: after a failure either may be.
        let known = newRecord({ userId: `user ${name}` })
        let isThere = false
        for (let step = 0; work.goesOn; step++) {
          const next = isThere ? after(known, { data: `${name}.${step}` }) : newRecord({ userId: `user ${name}` })
          const answer = await timed(() => timedStore.put(next, isThere ? known.version : 0))
          if (isFailure(answer)) {
            failures.push(answer)
            await pause(20)
            // As the core does: it reads what became of the put.
            let read: SessionRecord | null | Failure
            while (isFailure((read = await timed(() => timedStore.get(next.id, { fresh: true }))))) {
              failures.push(read)
              await pause(20)
            }
            if (read !== null) known = read
            if (read !== null) isThere = true
          } else {
            expect(answer).toBe(true)
            known = next
            isThere = true
            acknowledged.set(next.id, next)
            successes.push(performance.now())
          }
        }
      }
      const workers = Promise.all(Array.from({ length: 12 }, (_, index) => worker(index)))
      await pause(700)
      for (let round = 0; round < 2; round++) {
        await server.kill()
        await pause(800)
        await server.restart()
        const up = performance.now()
        await pause(1500)
        expect(successes.filter((moment) => moment > up).length).toBeGreaterThan(50)
      }
      work.goesOn = false
      await workers

      expect(failures.length).toBeGreaterThan(0)
      for (const { error, took } of failures) {
        expect(error).toBeInstanceOf(SojournError)
        expect((error as SojournError).code, (error as SojournError).message).toBe('ERR_SOJOURN_STORE')
        expect(took).toBeLessThan(limit + slack)
      }
      const stored = new Map((await collect(store.list())).map((record) => [record.id, record]))
      const lost = [...acknowledged.values()].filter(({ id, version }) => (stored.get(id)?.version ?? 0) < version)
      console.info(`${store.name} on ${server.version}: ${successes.length} acknowledged, ${failures.length} failed, ${lost.length} lost`)
      expect(lost).toEqual([])
    },
  )

  test(
    'a server that says nothing fails each verb at its time limit, and when it goes on no connection is spoilt',
    { timeout: 120_000 },
    async () => {
      const { server, store, connections } = await servers()
      await store.createSchema()
      const timedStore = new TimedStore(store, limit)
      const records = Array.from({ length: 30 }, () => newRecord({ userId: 'ada' }))
      await Promise.all(records.map(async (record) => await timedStore.put(record, 0)))

      server.pause()
      const answers = await Promise.all([
        ...records.map(async (record) => await timed(() => timedStore.put(after(record), record.version))),
        ...records.map(async ({ id }) => await timed(() => timedStore.get(id))),
        timed(() => timedStore.sweep(start, 10)),
        timed(() => timedStore.touch(records)),
        timed(() => collect(timedStore.list())),
      ])
      server.resume()
      for (const answer of answers) {
        expect(answer).toMatchObject({ error: { code: 'ERR_SOJOURN_STORE', message: expect.stringMatching(/did not answer/) } })
        expect((answer as Failure).took).toBeLessThan(limit + slack)
      }
      // The first ones may still meet connections that are being closed.
      await expect.poll(async () => isFailure(await timed(() => collect(timedStore.list('ada')))), { timeout: 20_000 }).toBe(false)
      const began = performance.now()
      for (let round = 0; round < 5; round++) {
        const read = await Promise.all(records.map(async ({ id }) => await timedStore.get(id)))
        expect(read.map((record) => record?.id)).toEqual(records.map(({ id }) => id))
      }
      expect(performance.now() - began).toBeLessThan(3000)
      for (const record of records) {
        // A put that was given up may land in between, since it had been sent.
        const goesOn = async () => {
          const { version } = (await timedStore.get(record.id))!
          expect([record.version, record.version + 1]).toContain(version)
          return await timedStore.put(after(record, { version: version + 1 }), version)
        }
        expect((await goesOn()) || (await goesOn())).toBe(true)
      }
      expect(await connections()).toBeLessThanOrEqual(10)
    },
  )

  test('a verb given up while it waits for a connection is not sent, and the connection goes to the next', async () => {
    const { store } = await servers()
    await store.createSchema()
    const record = newRecord()
    const given = new AbortController()
    const reason = new Error('given up')
    const waiting = Array.from({ length: 100 }, async () => await store.get('x'))
    const put = store.put(record, 0, { signal: given.signal })
    given.abort(reason)
    await expect(put).rejects.toThrow(/given up/)
    await Promise.all(waiting)
    expect(await store.get(record.id)).toBeNull()
    await expect(async () => await store.get('x', { signal: AbortSignal.abort(reason) })).rejects.toThrow(/given up/)
    expect(await store.put(record, 0)).toBe(true)
  })

  test('a server that is not there is told of at once, without a credential', async () => {
    const { server, store } = await servers()
    await store.createSchema()
    await server.kill()
    const failure = (await timed(() => store.get('x'))) as Failure
    expect(failure.error).toMatchObject({ code: 'ERR_SOJOURN_STORE', message: expect.stringMatching(/can be reached/) })
    expect((failure.error as SojournError).cause).toBeInstanceOf(Error)
    expect(JSON.stringify(failure.error) + String(failure.error)).not.toContain('a secret password')
    expect(failure.took).toBeLessThan(limit)
    await server.restart()
    expect(await store.get('x')).toBeNull()
  })
}
