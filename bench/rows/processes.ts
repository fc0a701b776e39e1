import { contest, kinds } from '../measure/contest.ts'
import { withDatabase } from '../measure/databases.ts'
import { withFolder } from '../measure/folder.ts'
import type { Finding, Row } from '../row.ts'

const counts = [1, 2, 4]

export const row: Row = {
  name: 'processes',
  title: 'node:cluster, one store for all workers',
  method:
    'A node:http server with sojourn in 1, 2 and 4 workers of `node:cluster` on one disk store, and on one Redis. 64 sessions take turns, so any worker gets any of them. ' +
    'All share two cores with the load generator and Redis, so two workers can’t come to twice the requests here.',
  async run(tell) {
    const onDisk = await withFolder(async (folder) => await scaling('disk', { store: 'disk', folder }, tell))
    const onRedis = await withDatabase('redis', tell, async (url) => await scaling('Redis', { store: 'redis', url }, tell))
    return [...onDisk, ...onRedis]
  },
}

async function scaling(name: string, settings: Record<string, unknown>, tell: (line: string) => void): Promise<Finding[]> {
  const nameOf = (workers: number) => `${name}, ${workers} ${workers === 1 ? 'worker' : 'workers'}`
  const entrants = counts.map((workers) => ({
    name: nameOf(workers),
    program: 'cluster',
    library: 'sojourn',
    settings: { ...settings, workers },
  }))
  const result = await contest({ entrants, sessions: 64, core: 'any', tell })
  return counts.flatMap((workers) =>
    kinds.map((kind) => {
      const { median, least, most } = result.ratio(nameOf(workers), nameOf(1), kind)
      const note = `${Math.round(result.rate(nameOf(workers), kind)).toLocaleString('en')} requests a second`
      if (workers === 1) return { what: `${nameOf(1)}, ${kind}`, value: result.rate(nameOf(1), kind), unit: 'requests a second' }
      return { what: `${nameOf(workers)}, ${kind}`, value: median, unit: '× one worker', spread: [least, most] as const, note }
    }),
  )
}
