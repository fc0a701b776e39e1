import cluster from 'node:cluster'
import { fileURLToPath } from 'node:url'
import { serve } from './serve.ts'
import { readSettings } from './settings.ts'
import { runWorkers, type Report } from './workers.ts'

/** Starts the shop, says in one line where it is, and ends it in order when told to (SIGTERM, Ctrl-C). */
async function start(): Promise<void> {
  // A store's folder is meant from the repository's root, wherever the shop is started from.
  process.chdir(fileURLToPath(new URL('../..', import.meta.url)))
  const settings = readSettings(process.env)
  if (settings.workers > 1 && cluster.isPrimary) return runWorkers(settings.workers, say)

  const shop = await serve(settings)
  async function end(): Promise<void> {
    await shop.close()
    cluster.worker?.disconnect()
  }
  process.once('SIGTERM', end).once('SIGINT', end)
  report({ listening: `Sojourn shop on ${shop.url} (sessions: ${shop.store})` })
}

/** A worker leaves it to its primary to speak, so that it is said once. */
function report(news: Report): void {
  if (process.send === undefined || !cluster.isWorker) say(news)
  else process.send(news)
}

function say(news: Report): void {
  if ('listening' in news) console.log(news.listening)
  else console.error(`Sojourn shop cannot start: ${news.failed.replace(/\s+/g, ' ')}`)
}

start().catch((error: unknown) => {
  process.exitCode = 1
  report({ failed: error instanceof Error ? error.message : String(error) })
  cluster.worker?.disconnect()
})
