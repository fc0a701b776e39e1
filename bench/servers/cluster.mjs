// node:cluster: the server of node.mjs in as many workers as the settings say.
import cluster from 'node:cluster'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { answerQuestions, settings } from './work.mjs'

const { workers: count, ...rest } = settings
cluster.setupPrimary({ exec: fileURLToPath(new URL('node.mjs', import.meta.url)), args: [JSON.stringify(rest)] })
cluster.on('exit', () => process.exit(1))

// One after the other: the first one makes the store's folder or table.
const workers = []
let ready
for (let started = 0; started < count; started++) {
  const worker = cluster.fork()
  ;[ready] = await once(worker, 'message')
  workers.push(worker)
}
answerQuestions(async () => {
  const used = await Promise.all(
    workers.map(async (worker) => {
      worker.send('cpu')
      const [{ cpu }] = await once(worker, 'message')
      return cpu
    }),
  )
  return used.reduce((sum, cpu) => sum + cpu)
})
process.send?.(ready)
