// A million sessions in memory, a tenth of which has expired: what the manager's sweeper does to the event loop meanwhile.
import { monitorEventLoopDelay } from 'node:perf_hooks'
import { setTimeout as wait } from 'node:timers/promises'
import { createSessions } from '../../dist/index.js'
import { memory } from '../../dist/stores/memory.js'
import { logIn, recordLike } from './sessions.mjs'
import { threadTime } from './thread-time.mjs'

const count = Number(process.argv[2])
let now = Date.now()
const store = memory({ maxBytes: '4 GB' })
const sessions = createSessions({ store, initial: () => ({}), sweepInterval: '1d', clock: { now: () => now } })
await logIn(sessions, 0)
const sample = (await store.list().next()).value
// Spread over half an hour, as they would have come.
for (let index = 1; index < count; index++) void store.put(recordLike(sample, index, now + Math.floor((index / count) * 1_800_000)), 0)

/** Whether the loop is late: how long after the turn before, at the quantiles, while nothing else is to be done than `work`. */
async function delays(work) {
  const histogram = monitorEventLoopDelay({ resolution: 1 })
  const turns = []
  const running = []
  let ran = threadTime()
  let last = performance.now()
  let going = true
  const turn = () => {
    const time = performance.now()
    turns.push(time - last)
    last = time
    running.push(threadTime() - ran)
    ran = threadTime()
    if (going) setImmediate(turn)
  }
  await wait(100)
  histogram.enable()
  last = performance.now()
  setImmediate(turn)
  ran = threadTime()
  const began = process.cpuUsage()
  const done = await work()
  const { user, system } = process.cpuUsage(began)
  going = false
  histogram.disable()
  const at = (values, share) => values.toSorted((a, b) => a - b)[Math.min(values.length - 1, Math.floor(share * values.length))]
  return {
    done,
    timer99: histogram.percentile(99) / 1e6 - 1,
    turn99: at(turns, 0.99),
    longest: at(turns, 1),
    running99: at(running, 0.99),
    runningMost: at(running, 1),
    cpu: (user + system) / 1000,
  }
}

const idle = await delays(async () => await wait(1000))
now += sample.expiresAt - sample.createdAt + 180_000
const swept = await delays(async () => await sessions.sweep())
// What the same turns cost without a sweep is none of the sweep's.
console.log(JSON.stringify({ ...swept, removed: swept.done, idle99: idle.timer99, idleLongest: idle.longest }))
await sessions.close()
