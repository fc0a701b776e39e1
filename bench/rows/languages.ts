import { readFileSync } from 'node:fs'
import { missing, type Peer, peers } from '../languages/languages.ts'
import { Program } from '../languages/program.ts'
import { contest, type Entrant } from '../measure/contest.ts'
import { withDatabase } from '../measure/databases.ts'
import { against } from '../measure/findings.ts'
import type { Finding, Row } from '../row.ts'

export const row: Row = {
  name: 'languages',
  title: 'Beside peers of other languages',
  method:
    'The same work in four languages: sojourn on node:http, scs on Go’s net/http, tower-sessions on Rust’s axum, and on Spring MVC the sessions of ' +
    'Tomcat and Spring Session; all by their defaults, with one Redis. A figure is requests a second over those of the same language’s bare ' +
    'server in the same round, which is loaded in turn with it and sent the same cookies. One server at a time has its core: Go with ' +
    'GOMAXPROCS=1, axum on a current-thread runtime, the JVM as it is, but that Tomcat closes no connection after its hundredth request. One ' +
    'session in memory, 64 in Redis. A slower bare server makes for a better ratio: the processor time that the notes tell is the fairer measure ' +
    'between languages. Redis shares the core of wrk: where a server left its own idle, those two were the limit.',

  async run(tell) {
    return await withDatabase('redis', tell, async (url) => {
      const findings = await compare(sojourn(url), tell)
      for (const peer of peers) findings.push(...(await ifPossible(peer, url, tell)))
      return findings
    })
  },
}

/** A language's bare server, and the same with sessions in memory and in Redis. */
interface Trio {
  /** 'net/http' */
  readonly host: string
  readonly versions: string
  readonly bare: Entrant
  readonly memory: Entrant
  readonly redis: Entrant
}

function sojourn(url: string): Trio {
  const { version } = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')) as { version: string }
  const on = { program: 'node', library: 'sojourn' }
  return {
    host: 'node:http',
    versions: `sojourn ${version}, Node ${process.versions.node}`,
    bare: { name: 'bare node:http', program: 'node', library: 'bare', keeps: 'nothing' },
    memory: { ...on, name: 'sojourn, memory' },
    redis: { ...on, name: 'sojourn, Redis', settings: { store: 'redis', url } },
  }
}

async function built(peer: Peer, url: string): Promise<Trio> {
  const command = await peer.build()
  const { bare: host, names, warmUp } = peer
  const env = { ...peer.env, REDIS_URL: url }
  return {
    host,
    versions: await peer.versions(),
    bare: { name: `bare ${host}`, keeps: 'nothing', warmUp, start: async () => await Program.start(command, 'bare', env) },
    memory: { name: names.memory, warmUp, start: async () => await Program.start(command, 'memory', env) },
    redis: { name: names.redis, warmUp, start: async () => await Program.start(command, 'redis', env) },
  }
}

async function compare({ host, versions, bare, memory, redis }: Trio, tell: (line: string) => void): Promise<Finding[]> {
  const findings: Finding[] = []
  for (const { entrant, sessions } of [
    { entrant: memory, sessions: 1 },
    { entrant: redis, sessions: 64 },
  ]) {
    const result = await contest({ entrants: [bare, entrant], sessions, tell })
    findings.push(...against(result, entrant.name, bare.name, `× bare ${host}`))
  }
  const [first, ...others] = findings
  return [{ ...first!, note: `${versions}; ${first!.note}` }, ...others]
}

/** A peer that can't be built or run here takes nothing from the others: its line says why. */
async function ifPossible(peer: Peer, url: string, tell: (line: string) => void): Promise<Finding[]> {
  const absent = (why: string): Finding[] => {
    tell(`  ${peer.names.memory} can’t be measured: ${why}`)
    return Object.values(peer.names).map((what) => ({ what, value: null, unit: `× bare ${peer.bare}`, note: why }))
  }
  const program = missing(peer)
  if (program !== null) return absent(`there is no \`${program}\` on the PATH`)
  try {
    return await compare(await built(peer, url), tell)
  } catch (error) {
    console.error(error)
    return absent((error instanceof Error ? error.message : String(error)).split('\n', 1)[0]!)
  }
}
