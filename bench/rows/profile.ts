import { join } from 'node:path'
import { kinds, type Kind, pathOf } from '../measure/contest.ts'
import { withFolder } from '../measure/folder.ts'
import { forget, nodeOptions, parts, perfIsMissing, profile, type Profile } from '../measure/perf.ts'
import { Server } from '../measure/server.ts'
import { Visitor } from '../measure/visitor.ts'
import { type Client, load } from '../measure/wrk.ts'
import type { Finding, Row } from '../row.ts'

/** As long as a compiler needs to be through with what a server does again and again. */
const warmUp = 6
const seconds = 6

export const row: Row = {
  name: 'profile',
  title: 'Where the time of a request goes',
  method:
    'The first two servers of the first row again, each loaded alone while Linux’s `perf` looks 4,999 times a second what its process is at. The samples ' +
    'themselves cost time, in both. What sojourn takes is its own JavaScript, and what it has V8, Node and the kernel do.',
  async run(tell) {
    const missing = await perfIsMissing()
    if (missing !== null) return [{ what: 'all', value: null, unit: 'µs a request', note: missing }]
    return await withFolder(async (folder) => {
      const [bare, ours] = [await profilesOf('bare', folder, tell), await profilesOf('sojourn', folder, tell)]
      return kinds.flatMap((kind) => findingsOf(kind, bare[kind], ours[kind]))
    })
  },
}

/** µs of each request. */
async function profilesOf(library: string, folder: string, tell: (line: string) => void): Promise<Record<Kind, Profile>> {
  const server = await Server.start({ program: 'node', settings: { library }, nodeOptions })
  try {
    const visitor = new Visitor(server.origin)
    await visitor.get('/create')
    visitor.leave()
    // As in the first row, the bare server is sent a cookie, too.
    const client: Client = { cookies: [visitor.cookie || `sid=${'x'.repeat(48)}`], headers: {} }
    const measured = {} as Record<Kind, Profile>
    for (const kind of kinds) {
      tell(`  ${library}, ${kind}`)
      const url = server.origin + pathOf[kind]
      await load(url, client, warmUp)
      let requests = 0
      const times = await profile(server.pid, join(folder, `${library}-${kind}`), async () => {
        ;({ requests } = await load(url, client, seconds))
      })
      measured[kind] = Object.fromEntries(parts.map((part) => [part, times[part] / requests])) as Profile
    }
    return measured
  } finally {
    await server.stop()
    forget(server.pid)
  }
}

function findingsOf(kind: Kind, bare: Profile, ours: Profile): Finding[] {
  const sum = (profile: Profile) => parts.reduce((total, part) => total + profile[part], 0)
  const lines = [...parts.map((part) => [part, ours[part], bare[part]] as const), ['all', sum(ours), sum(bare)] as const]
  return lines.map(([part, with_, without]) => ({
    what: `${kind}: ${part}`,
    value: with_,
    unit: 'µs a request',
    note: `bare ${without.toFixed(1)}; ${with_ >= without ? 'more' : 'less'} by ${Math.abs(with_ - without).toFixed(1)}, of a bare request ${Math.round((100 * (with_ - without)) / sum(bare))} %`,
  }))
}
