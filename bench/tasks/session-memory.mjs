// Fills the memory store, and tells what a session takes over its payload and what held the process up. Needs --expose-gc.
import { PerformanceObserver } from 'node:perf_hooks'
import { setTimeout as wait } from 'node:timers/promises'
import { createSessions } from '../../dist/index.js'
import { memory } from '../../dist/stores/memory.js'
import { dataOf, logIn, payloadOf, recordLike } from './sessions.mjs'
import { threadTime } from './thread-time.mjs'

const [how, count] = [process.argv[2], Number(process.argv[3])]

const used = () => {
  globalThis.gc()
  globalThis.gc()
  const { heapUsed, external } = process.memoryUsage()
  return heapUsed + external
}

const store = memory({ maxBytes: '16 GB' })
const sessions = createSessions({ store, initial: () => ({}), sweepInterval: '1d' })
await logIn(sessions, 0)
const sample = (await store.list().next()).value
const before = used()
let payload = 0
/** The steps that took long by the clock, and for how much of that their thread ran. */
const puts = []
/** The same of what lies between two puts, in which the store does nothing: the making of a record. */
const between = []
let began = 0
let from = 0
function begin() {
  began = threadTime()
  from = performance.now()
}
function end(kept) {
  const to = performance.now()
  // The kernel may book a thread's time a little later than it ran.
  if (to - from > 0.3) kept.push({ from, to, ran: Math.min(threadTime() - began, to - from) })
}
const collections = []
new PerformanceObserver((list) => collections.push(...list.getEntries())).observe({ entryTypes: ['gc'] })
if (how === 'manager') {
  for (let index = 1; index < count; index++) {
    await logIn(sessions, index)
    payload += 2 + JSON.stringify(dataOf(index)).length + `user-${index}`.length
  }
} else {
  const start = Date.now()
  for (let index = 1; index < count; index++) {
    begin()
    const record = recordLike(sample, index, start + Math.floor((index / count) * 1_800_000))
    end(between)
    payload += payloadOf(record)
    begin()
    void store.put(record, 0)
    end(puts)
  }
}
const bytes = (used() - before) / (count - 1)
await wait(50)
/** Whether the garbage collector ran meanwhile, which goes by what the whole process allocates. */
const isCollected = ({ from, to }) => collections.some(({ startTime, duration }) => startTime < to && startTime + duration > from)
const longest = (steps) => Math.max(0, ...steps.map(({ ran }) => ran))
const uncollected = (steps) => steps.filter((step) => !isCollected(step))
console.log(
  JSON.stringify({
    bytes,
    payload: payload / (count - 1),
    head: sample.head.length,
    resident: process.memoryUsage.rss() / count,
    longest: longest(uncollected(puts)),
    longestCollected: longest(puts.filter(isCollected)),
    longestBetween: longest(uncollected(between)),
    over5: puts.filter(({ ran }) => ran > 5).length,
    over5ByClock: puts.filter(({ from, to }) => to - from > 5).length,
    left: store.get(sample.id) === null ? 0 : count,
  }),
)
await sessions.close()
