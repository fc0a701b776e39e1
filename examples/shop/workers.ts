import cluster from 'node:cluster'

/** What a process tells of its start: that it listens, or why it can't. */
export type Report = { listening: string } | { failed: string }

/**
 * Runs the shop as several processes on one port, which share the sessions through their store. Says once that all listen;
 * one that dies later is replaced. Ends, with exit code 1, when one can't start.
 */
export function runWorkers(count: number, say: (report: Report) => void): void {
  let listening = 0
  let ending = false

  function end(): void {
    ending = true
    for (const worker of Object.values(cluster.workers ?? {})) worker?.process.kill('SIGTERM')
  }

  function fail(why: string): void {
    if (ending) return
    process.exitCode = 1
    say({ failed: why })
    end()
  }

  cluster.on('message', (_worker, report: Report) => {
    if ('failed' in report) return fail(report.failed)
    listening += 1
    if (listening === count) say(report)
  })
  cluster.on('exit', (worker, code, signal) => {
    if (ending) return
    if (listening < count) fail(`worker ${worker.id} ended (${signal || `code ${code}`}) before it listened.`)
    else cluster.fork()
  })
  process.once('SIGTERM', end).once('SIGINT', end)
  for (let started = 0; started < count; started += 1) cluster.fork()
}
