import { setImmediate as tick } from 'node:timers/promises'
import { afterAll, beforeAll, beforeEach, describe, expect, onTestFinished, test } from 'vitest'
import fastify from 'fastify'
import { session } from '../../src/adapters/express.ts'
import { session as fastifySession } from '../../src/adapters/fastify.ts'
import { withSession } from '../../src/adapters/node.ts'
import { createSessions, type SessionsOptions } from '../../src/sessions.ts'
import { expressVersions } from '../adapters/express-application.ts'
import { listenerOf } from '../adapters/fastify-application.ts'
import { listen } from '../adapters/server.ts'
import { type Asked, connection } from '../adapters/wire.ts'

interface Data {
  count: number
}

const warnings: Error[] = []
const hear = (warning: Error): void => {
  if ((warning as NodeJS.ErrnoException).code === 'ERR_SOJOURN_INSECURE_COOKIE') warnings.push(warning)
}
beforeAll(() => void process.on('warning', hear))
afterAll(() => void process.off('warning', hear))
beforeEach(() => void warnings.splice(0))

type Options = Pick<SessionsOptions<Data>, 'cookie' | 'trustProxy'>

/** Asks each of these of a server, and gathers what was warned of. */
type Visit = (options: Options, asked: readonly Partial<Asked>[], trust?: boolean) => Promise<readonly string[]>

const adapters: { adapter: string; visit: Visit }[] = [
  {
    adapter: 'node',
    visit: (options, asked, trust = false) => {
      const sessions = createSessions<Data>({ ...options, trustProxy: trust, initial: () => ({ count: 0 }) })
      onTestFinished(() => sessions.close())
      const listener = withSession(sessions, (req, res, mine) => {
        if (req.method === 'POST') mine.data.count += 1
        res.end()
      })
      return askAll(listener, asked)
    },
  },
  ...expressVersions.map(({ version, express }) => ({
    adapter: `Express ${version}`,
    visit: ((options, asked, trust = false) => {
      const sessions = createSessions<Data>({ ...options, initial: () => ({ count: 0 }) })
      onTestFinished(() => sessions.close())
      const app = express()
      if (trust) app.set('trust proxy', 1)
      app.use(session(sessions))
      app.use((req, res) => {
        if (req.method === 'POST') sessions.of(req).data.count += 1
        res.end()
      })
      return askAll(app, asked)
    }) satisfies Visit,
  })),
  {
    adapter: 'Fastify 5',
    visit: async (options, asked, trust = false) => {
      const sessions = createSessions<Data>({ ...options, initial: () => ({ count: 0 }) })
      onTestFinished(() => sessions.close())
      const app = fastify({ trustProxy: trust })
      await app.register(fastifySession, { sessions })
      app.all('/', (request, reply) => {
        if (request.method === 'POST') sessions.of(request).data.count += 1
        void reply.send()
      })
      return await askAll(listenerOf(app), asked)
    },
  },
]

async function askAll(listener: Parameters<typeof listen>[0], asked: readonly Partial<Asked>[]): Promise<readonly string[]> {
  const server = await listen(listener)
  onTestFinished(() => server.close())
  for (const one of asked) {
    const over = await connection('HTTP/1.1', server.port, () => null)
    await over.ask([{ method: 'POST', path: '/', ...one }])
    await over.close()
  }
  await tick()
  return warnings.map(({ message }) => message)
}

const https = { headers: { 'x-forwarded-proto': 'https' } }
const elsewhere = { host: 'shop.example' }

describe.each(adapters)('$adapter', ({ visit }) => {
  test('a proxy that says https and is not trusted is spoken of once, with the mend', async () => {
    const told = await visit({}, [https, https, https])

    expect(told).toHaveLength(1)
    expect(told[0]).toContain('X-Forwarded-Proto')
    expect(told[0]).toContain('trustProxy: true')
    expect(told[0]).toContain("app.set('trust proxy', 1)")
    expect(warnings[0]).toMatchObject({ name: 'SojournWarning' })
  })

  test('a Secure cookie over plain http to another host is spoken of once, with the mend', async () => {
    const told = await visit({ cookie: { secure: true } }, [elsewhere, elsewhere])

    expect(told).toHaveLength(1)
    expect(told[0]).toContain('the browser drops it')
    expect(told[0]).toContain('Serve https')
  })

  test.each([
    ['a plain cookie over plain http', {}, [{}, elsewhere], false],
    ['a proxy that says http', {}, [{ headers: { 'x-forwarded-proto': 'http' } }], false],
    ['a trusted proxy that says https', {}, [https], true],
    ['a Secure cookie over a trusted proxy that says https', { cookie: { secure: true } }, [{ ...https, ...elsewhere }], true],
    ['a Secure cookie to localhost', { cookie: { secure: true } }, [{}, { host: 'localhost:3000' }, { host: 'app.localhost' }], false],
    [
      'a Secure cookie to a loopback address',
      { cookie: { secure: true } },
      [{ host: '127.0.0.1:3000' }, { host: '127.9.9.9' }, { host: '[::1]:3000' }],
      false,
    ],
    [
      'requests that are given no cookie',
      { cookie: { secure: true } },
      [
        { method: 'GET', ...https },
        { method: 'GET', ...elsewhere },
      ],
      false,
    ],
  ] as const)('nothing is said of %s', async (_what, options, asked, trust) => {
    expect(await visit(options, asked, trust)).toEqual([])
  })
})

test('each application is told once', async () => {
  const [{ visit }] = adapters as [(typeof adapters)[number]]
  await visit({}, [https])
  expect(await visit({}, [https])).toHaveLength(2)
})
