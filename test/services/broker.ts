// vitest's global setup: keeps one server of each kind for all test files of a run, started when the first asks for it.
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { brokerVariable } from './broker-variable.ts'

/** What tests ran on: each store with the versions of its server, or of what it is made of, and the suites that ran over it. */
const matrix = new Map<string, { readonly versions: Set<string>; readonly suites: Set<string> }>()

/** The servers' part with all its drivers, loaded at the first request: most runs of single tests need none. */
let loading: Promise<typeof import('./shares.ts') & typeof import('./kinds.ts')> | undefined

export default async function setUp(): Promise<() => Promise<void>> {
  const broker = createServer((request, response) => {
    answer(request.url ?? '').then(
      (body) => response.end(JSON.stringify(body)),
      (error: unknown) => {
        response.statusCode = 500
        response.end(error instanceof Error ? error.message : String(error))
      },
    )
  })
  broker.listen(0, '127.0.0.1')
  await once(broker, 'listening')
  process.env[brokerVariable] = `http://127.0.0.1:${(broker.address() as AddressInfo).port}`
  return async () => {
    broker.close()
    broker.closeAllConnections()
    const problems = (await (await loading)?.endShares()) ?? []
    if (matrix.size > 0) console.log(`\nThese tests ran on:\n${table()}`)
    for (const problem of problems) console.error(problem)
  }
}

function row(name: string) {
  const known = matrix.get(name) ?? { versions: new Set(), suites: new Set() }
  matrix.set(name, known)
  return known
}

function table(): string {
  const rows = [...matrix].sort(([one], [other]) => (one < other ? -1 : 1))
  return rows
    .map(
      ([name, { versions, suites }]) =>
        `  ${name.padEnd(15)} ${[...versions].join('; ')}${suites.size > 0 ? `: ${[...suites].sort().join(', ')}` : ''}`,
    )
    .join('\n')
}

/** /prepare/KIND, /shared/KIND, /ran/NAME/VERSION, /suite/NAME/SUITE */
async function answer(path: string): Promise<object> {
  const [, verb, name = '', what = ''] = path.split('/').map(decodeURIComponent)
  if (verb === 'ran') return row(name).versions.add(what)
  if (verb === 'suite') return row(name).suites.add(what)
  loading ??= load()
  const { kinds, prepare, share } = await loading
  const kind = kinds.find((kind) => kind === name)
  if (kind === undefined) throw new Error(`There is no kind of server '${name}'. There are: ${kinds.join(', ')}`)
  if (verb === 'shared') return await share(kind)
  await prepare(kind)
  return {}
}

async function load() {
  return { ...(await import('./shares.ts')), ...(await import('./kinds.ts')) }
}
