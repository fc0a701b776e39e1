// Opens and commits through managers over stores of different sizes, in turns.
import { createSessions } from '../../dist/index.js'
import { disk } from '../../dist/stores/disk.js'
import { memory } from '../../dist/stores/memory.js'
import { browser, logIn, recordLike } from './sessions.mjs'

const [where, rounds, ...stores] = process.argv.slice(2)
const users = 4000

const sides = []
for (const which of stores) sides.push(await (where === 'memory' ? inMemory(Number(which)) : onDisk(which)))

/** `count` sessions, and among them, spread, those of users who will come again. */
async function inMemory(count) {
  const store = memory({ maxBytes: '16 GB' })
  const sessions = createSessions({ store, initial: () => ({}), sweepInterval: '1d' })
  const cookies = [await logIn(sessions, 0)]
  const sample = (await store.list().next()).value
  const now = Date.now()
  const step = Math.floor(count / users)
  for (let index = 1; index < count; index++) {
    if (index % step === 0) cookies.push(await logIn(sessions, index))
    else void store.put(recordLike(sample, index, now + Math.floor((index / count) * 600_000)), 0)
  }
  return { sessions, cookies }
}

async function onDisk(folder) {
  const sessions = createSessions({ store: disk(folder, { maxBytes: '64 GB' }), initial: () => ({}), sweepInterval: '1d' })
  const cookies = []
  for (let index = 0; index < users; index++) cookies.push(await logIn(sessions, index))
  return { sessions, cookies }
}

async function open({ sessions }, cookie) {
  return await sessions.open(new Headers({ cookie, 'user-agent': browser }))
}

/** Microseconds of an open, and of the commit of a change, by each user in turn. */
async function measure(side) {
  const opened = []
  const began = performance.now()
  for (const cookie of side.cookies) opened.push(await open(side, cookie))
  const between = performance.now()
  for (const session of opened) session.data.visits++
  const committing = performance.now()
  for (const session of opened) await session.commit()
  const done = performance.now()
  if (opened.some((session) => session.userId === null)) throw new Error('A session was not opened.')
  return { open: ((between - began) * 1000) / opened.length, commit: ((done - committing) * 1000) / opened.length }
}

for (const side of sides) await measure(side)
const results = []
for (let round = 0; round < Number(rounds); round++) {
  const costs = new Map()
  for (const side of round % 2 ? sides.toReversed() : sides) costs.set(side, await measure(side))
  results.push(sides.map((side) => costs.get(side)))
}
console.log(JSON.stringify(results))
for (const { sessions } of sides) await sessions.close()
